"""The TDM's baselines: their losses against NumPy, what they train, and TSRL on top of them."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from tests.tsymmetry.by_hand import ByHand, norm2, numpy_network
from toolkit import tsymmetry
from toolkit.agents.tsrl import TSRL
from toolkit.cli import main
from toolkit.data import Dataset
from toolkit.data.samplers import Transitions
from toolkit.errors import UserError
from toolkit.evaluation.representation_scores import measure, score_representation, warnings_of
from toolkit.registry import MODELS
from toolkit.training import Run
from toolkit.training.driver import fit, start_or_continue
from toolkit.training.experiment import prepare
from toolkit.tsymmetry import TDM, Autoencoder, ForwardAutoencoder, SimSiam
from toolkit.tsymmetry.learner import TDMLearner
from toolkit.tsymmetry.representations import SimSiamLearner, TDMNoODELearner

OBS, ACTION, BATCH = 4, 2, 8
NAMES = ("autoencoder", "forward-autoencoder", "tdm-no-ode", "simsiam")
WITHOUT_REVERSE = ("autoencoder", "forward-autoencoder", "simsiam")
CODERS = {"encoder", "state_decoder", "action_decoder"}
SMALL = {"encoder_widths": (16, 8), "activation": jnp.tanh}


@pytest.fixture(scope="module")
def models():
    """Smooth, so that finite differences see every derivative."""
    dynamics = {"dynamics_widths": (16, 16)}
    return eqx.filter_jit(
        lambda key: {
            "autoencoder": Autoencoder(OBS, ACTION, **SMALL, key=key),
            "forward-autoencoder": ForwardAutoencoder(OBS, ACTION, **SMALL, **dynamics, key=key),
            "tdm-no-ode": TDM(OBS, ACTION, **SMALL, **dynamics, key=key),
            "simsiam": SimSiam(
                OBS, ACTION, **SMALL, projector_widths=(12, 10), predictor_widths=(6, 10), key=key
            ),
        }
    )(jr.key(0))


@pytest.fixture(scope="module")
def batch():
    keys = jr.split(jr.key(1), 3)
    return Transitions(
        jr.normal(keys[0], (BATCH, OBS)), jr.uniform(keys[1], (BATCH, ACTION)), jnp.zeros(BATCH),
        jr.normal(keys[2], (BATCH, OBS)), jnp.zeros(BATCH, bool),
    )  # fmt: skip


@pytest.fixture(scope="module")
def row(batch):
    return batch.obs[0], batch.action[0], batch.next_obs[0]


def learner(name, **settings):
    return MODELS[name].load()(**settings)


# The losses


def difference_equations(model, row):
    """Eq. 3 and 5, and the encoder's difference in place of the chain rule."""
    hand, (s, a, s2) = ByHand(model), (np.asarray(x, float) for x in row)
    z, z2 = hand.phi(s, a), hand.phi(s2, a)
    f = hand.f(z)
    found = {
        "reconstruction": norm2(s - hand.psi_s(z[0], 0)) + norm2(a - hand.psi_a(z[1])),
        "decoded_rate": norm2(s2 - s - hand.psi_s(f, 1)),
        "forward": norm2((z2[0] - z[0]) - f),
    }
    if isinstance(model, TDM):
        found |= {
            "reverse": norm2(-(z2[0] - z[0]) - hand.g(z2)),
            "symmetry": norm2(f + hand.g((z[0] + f, z[1]))),
            "at_next": norm2(f + hand.g((z2[0], z[1]))),
        }
    return found


@pytest.mark.parametrize("name", ["forward-autoencoder", "tdm-no-ode"])
def test_each_difference_term_is_its_equation(models, row, name):
    model, (obs, action, _) = models[name], row
    expected = difference_equations(model, row)
    alone = {
        "reconstruction": tsymmetry.reconstruction_loss(model, obs, action),
        "decoded_rate": tsymmetry.decoded_rate_loss(model, *row),
        "forward": tsymmetry.forward_difference_loss(model, *row),
    }
    terms = tsymmetry.forward_terms
    if name == "tdm-no-ode":
        alone["reverse"] = tsymmetry.reverse_difference_loss(model, *row)
        terms = tsymmetry.difference_terms
    together = vars(terms(model, *row))
    assert together.keys() == expected.keys()
    for term, value in together.items():
        np.testing.assert_allclose(value, expected[term], rtol=1e-4, err_msg=term)
    for term, value in alone.items():
        np.testing.assert_allclose(value, expected[term], rtol=1e-4, err_msg=term)


def test_an_autoencoder_alone_has_equation_3(models, row):
    hand, (s, a, _) = ByHand(models["autoencoder"]), (np.asarray(x, float) for x in row)
    z = hand.phi(s, a)
    expected = norm2(s - hand.psi_s(z[0], 0)) + norm2(a - hand.psi_a(z[1]))
    loss = tsymmetry.reconstruction_loss(models["autoencoder"], *row[:2])
    np.testing.assert_allclose(loss, expected, rtol=1e-4)


def cosine(x, y):
    return x @ y / np.sqrt((x @ x) * (y @ y))


def two_views(row):
    clean = np.concatenate([np.asarray(x, float) for x in row[:2]])
    return clean + 0.3 * np.sin(np.arange(clean.size)), clean - 0.2 * np.cos(np.arange(clean.size))


def projection(model, view):
    return numpy_network(model.projector, numpy_network(model.encoder, view))


def siamese_by_hand(model, constants, views):
    """SimSiam's loss where every z is one of the given constants."""
    p1, p2 = (numpy_network(model.predictor, projection(model, view)) for view in views)
    z1, z2 = constants
    return -cosine(p1, z2) / 2 - cosine(p2, z1) / 2


def test_the_siamese_loss_is_half_of_two_negative_cosines(models, row):
    model, views = models["simsiam"], two_views(row)
    constants = [projection(model, view) for view in views]
    loss = tsymmetry.siamese_loss(model, *(jnp.asarray(v, jnp.float32) for v in views))
    np.testing.assert_allclose(loss, siamese_by_hand(model, constants, views), rtol=1e-4)


def test_views_that_predict_each_other_exactly_score_minus_one(models, row):
    """One view twice, and a predictor that only stretches: the cosines are 1."""
    linear = lambda m: m.predictor.layers
    layer = models["simsiam"].predictor.layers[-1]
    stretch = eqx.tree_at(
        lambda m: (m.weight, m.bias), layer, (3.0 * jnp.eye(10), jnp.zeros(10)),
    )  # fmt: skip
    model = eqx.tree_at(linear, models["simsiam"], (stretch,))
    view = jnp.asarray(two_views(row)[0], jnp.float32)
    np.testing.assert_allclose(tsymmetry.siamese_loss(model, view, view), -1.0, rtol=1e-5)


def moved(model, where, direction, step):
    """The model with one array moved along a direction, kept in double precision."""
    array = np.asarray(where(model), float) + step * direction
    return eqx.tree_at(where, model, array)


def slope_by_hand(function, model, where, direction, step=1e-6):
    ends = [function(moved(model, where, direction, side * step)) for side in (1, -1)]
    return (ends[0] - ends[1]) / (2 * step)


@pytest.mark.parametrize("network", ["encoder", "projector", "predictor"])
def test_projections_are_held_constant(models, row, network):
    """The gradient is that of the loss with its z fixed; without, the encoder's would differ."""
    model, views = models["simsiam"], two_views(row)
    where = lambda m: getattr(m, network).layers[0].weight
    direction = np.sin(np.arange(where(model).size)).reshape(where(model).shape)
    grads = eqx.filter_jit(eqx.filter_grad(tsymmetry.siamese_loss))(
        model, *(jnp.asarray(v, jnp.float32) for v in views)
    )
    slope = float(np.sum(np.asarray(where(grads), float) * direction))
    constants = [projection(model, view) for view in views]
    held = slope_by_hand(lambda m: siamese_by_hand(m, constants, views), model, where, direction)
    np.testing.assert_allclose(slope, held, rtol=1e-3, atol=1e-5)
    free = slope_by_hand(
        lambda m: siamese_by_hand(m, [projection(m, view) for view in views], views),
        model, where, direction,
    )  # fmt: skip
    assert (abs(slope - free) > 0.05 * abs(slope)) == (network != "predictor")


@pytest.mark.parametrize("loss", ["forward_difference_loss", "reverse_difference_loss"])
def test_differences_are_not_held_constant(models, row, loss):
    """The gradient with respect to the encoder is that of the whole term, both ends moving."""
    model, term = models["tdm-no-ode"], loss.split("_")[0]
    where = lambda m: m.encoder.layers[0].weight
    direction = np.sin(np.arange(where(model).size)).reshape(where(model).shape)
    grads = eqx.filter_jit(eqx.filter_grad(getattr(tsymmetry, loss)))(model, *row)
    slope = float(np.sum(np.asarray(where(grads), float) * direction))
    expected = slope_by_hand(
        lambda m: difference_equations(m, row)[term], model, where, direction
    )  # fmt: skip
    np.testing.assert_allclose(slope, expected, rtol=1e-3)


# The learners


def loss_of(which, model, batch, started):
    total, terms = eqx.filter_jit(
        lambda model, batch: which.loss(
            model, which.views(batch, key=jr.key(3)), jnp.float32(started)
        )
    )(model, batch)
    return float(total), {name.removeprefix("loss/"): float(v) for name, v in terms.items()}


@pytest.mark.parametrize("name", NAMES)
def test_pre_training_is_reconstruction_and_the_rest_has_its_weights(models, batch, name):
    which, model = learner(name), models[name]
    early, terms = loss_of(which, model, batch, 0)
    np.testing.assert_allclose(early, terms["reconstruction"], rtol=1e-5)
    late, terms = loss_of(which, model, batch, 1)
    expected = terms["reconstruction"]
    if name == "forward-autoencoder":
        expected += terms["decoded_rate"] + 0.1 * terms["forward"]
    if name == "tdm-no-ode":
        expected += terms["decoded_rate"] + 0.1 * (terms["forward"] + terms["reverse"])
        expected += 1e-5 * float(tsymmetry.l1_penalty(model))
        heavier, _ = loss_of(TDMNoODELearner(symmetry_weight=0.5), model, batch, 1)
        np.testing.assert_allclose(heavier, expected + 0.5 * terms["symmetry"], rtol=1e-5)
    if name == "simsiam":
        expected += terms["siamese"]
        heavier, _ = loss_of(SimSiamLearner(similarity_weight=3.0), model, batch, 1)
        np.testing.assert_allclose(heavier, expected + 2 * terms["siamese"], rtol=1e-5)
    np.testing.assert_allclose(late, expected, rtol=1e-5)
    assert terms["total"] == late


def test_terms_are_means_over_the_batch(models, batch):
    rows = [(batch.obs[at], batch.action[at], batch.next_obs[at]) for at in range(BATCH)]
    each = [difference_equations(models["tdm-no-ode"], row) for row in rows]
    _, terms = loss_of(learner("tdm-no-ode"), models["tdm-no-ode"], batch, 1)
    for name in each[0]:
        np.testing.assert_allclose(
            terms[name], np.mean([one[name] for one in each]), rtol=1e-4, err_msg=name
        )


def trained_networks(which, model, batch, started):
    """Names of the networks whose every weight matrix has a gradient."""
    views = which.views(batch, key=jr.key(3))
    loss = lambda m: which.loss(m, views, jnp.float32(started))[0]
    grads = eqx.filter_jit(eqx.filter_grad(loss))(model)
    found = set()
    for field in fields(model):
        if field.name == "obs_dim":
            continue
        weights = [layer.weight for layer in getattr(grads, field.name).layers]
        moving = [bool(jnp.any(weight != 0)) for weight in weights]
        assert all(moving) or not any(moving), field.name
        found |= {field.name} if all(moving) else set()
    return found


@pytest.mark.parametrize(
    ("name", "later"),
    [
        ("autoencoder", set()),
        ("forward-autoencoder", {"forward"}),
        ("tdm-no-ode", {"forward", "reverse"}),
        ("simsiam", {"projector", "predictor"}),
    ],
)
def test_which_networks_are_trained_and_that_the_learner_says_so(models, batch, name, later):
    which = learner(name)
    assert trained_networks(which, models[name], batch, 0) == CODERS
    trained = trained_networks(which, models[name], batch, 1)
    assert trained == CODERS | later
    names = {"encoder": "encoder", "decoders": "state_decoder", "forward": "forward",
             "reverse": "reverse"}  # fmt: skip
    assert which.parts == {part for part, network in names.items() if network in trained}


def test_the_likeness_of_views_does_not_train_decoders(models, row):
    views = [jnp.asarray(v, jnp.float32) for v in two_views(row)]
    grads = eqx.filter_jit(eqx.filter_grad(tsymmetry.siamese_loss))(models["simsiam"], *views)
    for leaf in jax.tree.leaves((grads.state_decoder, grads.action_decoder)):
        assert not np.any(leaf)


@pytest.mark.parametrize("name", NAMES)
def test_settings_of_the_fit_are_the_tdms(name):
    here = {field.name: field.default for field in fields(learner(name))}
    there = {field.name: field.default for field in fields(TDMLearner)}
    shared = here.keys() & there.keys() - {"symmetry_weight"}
    assert shared >= {"activation", "batch_size", "learning_rate", "num_updates", "patience",
                      "validation_share", "check_every", "pretrain_share"}  # fmt: skip
    if name == "autoencoder":  # its loss has no second part to wait for
        assert here["pretrain_share"] == 0
        shared.remove("pretrain_share")
    assert {key: here[key] for key in shared} == {key: there[key] for key in shared}


@pytest.mark.parametrize("name", NAMES)
def test_coders_have_the_tdms_sizes(name):
    data = Dataset.from_arrays(np.zeros((4, 11)), np.zeros((4, 3)), np.zeros(4))
    model, tdm = eqx.filter_eval_shape(
        lambda key: (learner(name).network(data, key=key), TDM(11, 3, key=key)), jr.key(0)
    )
    for network in CODERS | ({"forward", "reverse"} & {field.name for field in fields(model)}):
        sizes = [[x.shape for x in jax.tree.leaves(getattr(m, network))] for m in (model, tdm)]
        assert sizes[0] == sizes[1], network
    if name == "simsiam":
        assert [layer.weight.shape for layer in model.projector.layers] == [(14, 128), (128, 128)]
        assert [layer.weight.shape for layer in model.predictor.layers] == [(128, 64), (64, 128)]


def test_views_are_independent_noise_around_the_sample():
    rows = 4000
    obs, action = jnp.ones((rows, OBS)), -jnp.ones((rows, ACTION))
    sample = Transitions(obs, action, jnp.zeros(rows), obs, jnp.zeros(rows, bool))
    views = SimSiamLearner(noise=0.2).views(sample, key=jr.key(0))
    clean = np.concatenate([obs, action], axis=1)
    first, second = np.asarray(views.first) - clean, np.asarray(views.second) - clean
    for noise in (first, second):
        np.testing.assert_allclose(noise.std(axis=0), 0.2, rtol=0.05)
        np.testing.assert_allclose(noise.mean(axis=0), 0.0, atol=0.015)
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.03
    np.testing.assert_array_equal(views.transitions.obs, obs)


def turning(rows=96):
    """Two episodes of a rotation that an action pushes outwards."""
    angle = 0.3 * np.arange(rows + 1)
    states = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    ends = np.arange(rows) % (rows // 2) == rows // 2 - 1
    actions = np.sin(0.7 * np.arange(rows))[:, None]
    return Dataset.from_arrays(states[:-1], actions, np.zeros(rows), states[1:], terminal=ends)


@pytest.mark.parametrize("name", NAMES)
def test_a_short_fit_lowers_the_loss_on_held_out_episodes(name):
    data = turning()
    which = learner(name, batch_size=32, num_updates=60, learning_rate=1e-3, check_every=10)
    sampler = which.prepare(data)
    state = eqx.filter_jit(lambda key: which.init(data, key=key))(jr.key(0))
    terms = eqx.filter_jit(lambda model: which.measured(model, sampler.validation))
    before = terms(state.model)

    @eqx.filter_jit
    def step(state, key):
        return which.update(state, which.sample(sampler, key=key), key=key)

    for at in range(60):
        state, metrics = step(state, jr.key(at))
    after = terms(state.best)
    assert after.keys() == metrics.keys() - {"loss/held_out", "stopped"}
    np.testing.assert_allclose(after["loss/total"], state.best_loss, rtol=1e-5)
    assert after["loss/reconstruction"] < 0.5 * before["loss/reconstruction"]
    assert after["loss/total"] < before["loss/total"] - 0.2
    for network in {"forward-autoencoder": ["forward"], "tdm-no-ode": ["forward", "reverse"]}.get(
        name, []
    ):
        change = jax.vmap(state.best.encode)(sampler.validation.next_obs, sampler.validation.action)
        change = change.state - jax.vmap(state.best.encode)(
            sampler.validation.obs, sampler.validation.action
        ).state  # fmt: skip
        silent = np.mean(np.sum(np.square(change), axis=1))  # of dynamics that predict no change
        assert after[f"loss/{network}"] < 0.5 * silent
    if name == "simsiam":
        assert after["loss/siamese"] < -0.8


# What is reported


@pytest.mark.parametrize("name", NAMES)
def test_only_what_a_model_has_is_measured(models, batch, name):
    found = measure(models[name], batch, learner(name))
    rows = [(batch.obs[at], batch.action[at], batch.next_obs[at]) for at in range(BATCH)]
    expected = {"loss/total", "loss/reconstruction", "smallest_latent_std"}
    expected |= {"simsiam": {"loss/siamese"}}.get(name, set())
    if name in ("forward-autoencoder", "tdm-no-ode"):
        each = [difference_equations(models[name], row) for row in rows]
        means = {term: np.mean([one[term] for one in each]) for term in each[0]}
        expected |= {f"loss/{term}" for term in means} | {"decoded_rate_share"}
        change = norm2(batch.next_obs - batch.obs) / BATCH
        np.testing.assert_allclose(
            found["decoded_rate_share"], means["decoded_rate"] / change, rtol=1e-4
        )
    if name == "tdm-no-ode":
        hand = ByHand(models[name])
        rate = np.mean([norm2(hand.f(hand.phi(*(np.asarray(x, float) for x in row[:2]))))
                        for row in rows])  # fmt: skip
        np.testing.assert_allclose(
            found["reverse_contradiction"], means["at_next"] / rate, rtol=1e-4
        )
        expected |= {"reverse_contradiction"}
    assert found.keys() == expected
    hand = ByHand(models[name])
    latent = [hand.phi(np.asarray(r[0], float), np.asarray(r[1], float))[0] for r in rows]
    smallest = np.std(latent, axis=0).min()
    np.testing.assert_allclose(found["smallest_latent_std"], smallest, rtol=1e-4)


def test_a_tdm_reports_the_papers_terms_whatever_it_trained(models, batch):
    model = models["tdm-no-ode"]
    found = measure(model, batch, TDMLearner(variant="published"))
    assert found == measure(model, batch)
    terms = eqx.filter_jit(TDMLearner().terms)(model, batch)
    for name, value in vars(terms).items():
        np.testing.assert_allclose(found[f"loss/{name}"], value, rtol=1e-5)


# TSRL on top

DATA = "toolkit/pendulum"
AGENT = {"hidden": 8, "layers": 1, "batch_size": 16, "num_updates": 4, "dropout": 0.0}
WITHOUT = {"symmetry_weight": 0.0, "augment": False}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A finished run of every baseline, of two updates and two seeds."""
    folder = tmp_path_factory.mktemp("representations")

    def trained(name):
        out = folder / name
        if not Run.exists(out):
            settings = {"batch_size": 8, "num_updates": 2, "check_every": 1}
            experiment = prepare(
                name, learner(name, **settings), DATA, seeds=(0, 1), chunk_updates=2
            )
            run, state = start_or_continue(out, experiment, resume=False)
            fit(run, experiment, state)
            score_representation(run, experiment)
        return Run.open(out)

    return trained


def train_agent(out, agent):
    experiment = prepare("tsrl", agent, DATA, seeds=(1,), chunk_updates=4)
    run, state = start_or_continue(out, experiment, resume=False)
    return run, fit(run, experiment, state)


@pytest.mark.parametrize("name", NAMES)
def test_a_run_is_scored_and_tsrl_trains_on_it(runs, tmp_path, name):
    below = runs(name)
    result = json.loads((below.folder / "result.json").read_text())
    assert result["metrics"]["loss/reconstruction"]["mean"] > 0
    warnings = warnings_of(result["metrics"], below.config)
    assert not [sentence for sentence in warnings if "--enhanced" in sentence]

    agent = TSRL(representation=str(below.folder), **AGENT, **WITHOUT)
    run, state = train_agent(tmp_path / "tsrl", agent)
    assert int(state.update_count[0]) == 4
    kept, frozen = below.state().best, state.model
    assert {field.name for field in fields(frozen)} == CODERS | {"obs_dim"}
    for network in CODERS:  # of the right seed, and never moved
        for ours, theirs in zip(
            *(jax.tree.leaves(getattr(m, network)) for m in (frozen, kept)), strict=True
        ):
            np.testing.assert_array_equal(ours[0], theirs[1])
    below.folder.rename(tmp_path / "elsewhere")  # the agent's run stands on its own
    action, _ = run.policy(0)(jnp.zeros(3), None, key=jr.key(0))
    (tmp_path / "elsewhere").rename(below.folder)
    assert action.shape == (1,) and bool(jnp.abs(action[0]) <= 1)


def test_tsrl_uses_the_dynamics_of_a_tdm_without_ode(runs, tmp_path):
    agent = TSRL(representation=str(runs("tdm-no-ode").folder), **AGENT)
    run, state = train_agent(tmp_path / "tsrl", agent)
    assert {"forward", "reverse"} <= {field.name for field in fields(state.model)}
    assert float(state.threshold[0]) > 0
    assert {"accepted", "loss/symmetry"} <= set(run.metrics()[-1])


@pytest.mark.parametrize("name", WITHOUT_REVERSE)
@pytest.mark.parametrize("options", [[], ["--augment", "False"], ["--symmetry-weight", "0"]])
def test_tsrl_refuses_a_model_without_dynamics_before_it_trains(
    runs, tmp_path, capsys, name, options
):
    below, out = runs(name).folder, tmp_path / "tsrl"
    words = ["train", "tsrl", "--data", DATA, "--representation", str(below), "--out", str(out)]
    assert main([*words, *options]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines == [
        f"toolkit: {below} trained {name}, which has no forward and reverse dynamics for TSRL's "
        "symmetry penalty and its augmentation; `--symmetry-weight 0 --augment False` does "
        "without them."
    ]
    assert not out.exists()


def test_what_of_tsrl_needs_dynamics():
    assert TSRL().needs_dynamics
    assert TSRL(augment=False).needs_dynamics
    assert TSRL(symmetry_weight=0.0).needs_dynamics
    assert not TSRL(**WITHOUT).needs_dynamics
    assert not TSRL(augment=False, constraint="cloning").needs_dynamics  # λ₂ is no part of "no-P"


def test_a_model_without_an_encoder_is_refused_whatever_the_options():
    agent = replace(TSRL(), **WITHOUT)
    with pytest.raises(UserError, match="^X trained Y, which has no encoder of states and actions"):
        agent.check_foundation("X trained Y", frozenset())
    agent.check_foundation("X trained Y", frozenset({"encoder"}))


def test_other_agents_have_nothing_to_refuse():
    assert MODELS["bc"].load()().check_foundation("X trained Y", frozenset()) is None


@pytest.mark.parametrize("name", NAMES)
def test_baselines_are_representations(name):
    assert MODELS[name].kind == "representation"
    assert "baseline" in MODELS[name].summary
