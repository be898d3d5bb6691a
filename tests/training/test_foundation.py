"""An agent on the model of another run: which model each seed gets, and what is refused."""

from __future__ import annotations

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.training import small_tdm
from toolkit import registry
from toolkit.agents.tsrl import TSRL
from toolkit.data import Normaliser, load, subsample_episodes
from toolkit.errors import UserError
from toolkit.training import Run, prepare, select_seed, start_or_continue
from toolkit.training.config import hyperparameters_of
from toolkit.training.foundation import read_foundation

SEEDS = (3, 1, 2)
DATA = "toolkit/pendulum"


@pytest.fixture(scope="module")
def data():
    """Five episodes of a pendulum."""
    return subsample_episodes(load(DATA), num_episodes=5)


def another(data, **changes):
    """The same rows under another source."""
    source = dataclasses.replace(data.source, **changes)
    return dataclasses.replace(data, source=source)


def agent_on(folder, data, seeds=(0,), **values):
    """An experiment with an agent that builds on the run in `folder`."""
    sizes = {"hidden": 4, "layers": 1, "batch_size": 8, "num_updates": 4} | values
    return prepare("tsrl", TSRL(representation=str(folder), **sizes), DATA, seeds=seeds,
                   dataset=data)  # fmt: skip


def numbered(states, seeds):
    """States whose kept model and last model say which seed they belong to."""
    bias = np.zeros_like(states.best.encoder.layers[-1].bias)
    kept = jnp.asarray(bias + np.asarray(seeds, np.float32)[:, None])
    return eqx.tree_at(
        lambda s: (s.best.encoder.layers[-1].bias, s.model.encoder.layers[-1].bias,
                   s.update_count),
        states, (kept, kept + 100, jnp.full(len(seeds), 7, jnp.int32)),
    )  # fmt: skip


@pytest.fixture(scope="module")
def experiment(data):
    """Of a representation; its states are made up, since only their being there matters."""
    entry = registry.Entry(small_tdm.PATH, "a narrow TDM", "representation")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry.MODELS, "small-tdm", entry)
        learner = small_tdm.SmallTDM(num_updates=7, batch_size=8)
        yield prepare("small-tdm", learner, DATA, seeds=SEEDS, dataset=data)


@pytest.fixture(scope="module")
def states(experiment):
    return numbered(experiment.init(), SEEDS)


@pytest.fixture(scope="module")
def folder(experiment, states, tmp_path_factory):
    """A finished run of a representation with the seeds 3, 1 and 2."""
    folder = tmp_path_factory.mktemp("runs") / "tdm"
    Run.create(folder, experiment.config).save(states, experiment)
    return folder


def bias_of(model):
    return np.unique(np.asarray(model.encoder.layers[-1].bias)).tolist()


def test_each_seed_builds_on_the_kept_model_of_its_own_number(folder, data):
    experiment = agent_on(folder, data, seeds=(2, 3))
    built = experiment.init()
    assert bias_of(select_seed(built, 0).model) == [2.0]
    assert bias_of(select_seed(built, 1).model) == [3.0]
    whole = Run.open(folder).state()
    for index, there in [(0, 2), (1, 0)]:
        jax.tree.map(
            np.testing.assert_array_equal, select_seed(built, index).model,
            select_seed(whole, there).best,
        )  # fmt: skip


def test_noise_and_threshold_are_those_of_the_seeds_own_model(folder, data):
    experiment = agent_on(folder, data, seeds=(2, 3), noise_share=0.5, quantile=0.25)
    built = experiment.init()
    train = experiment.train
    for index in range(2):
        state = select_seed(built, index)
        model, rows = state.model, np.concatenate([train.observations, train.actions], axis=1)

        def net(mlp, x):
            x = np.asarray(x, np.float64)
            for number, layer in enumerate(mlp.layers):
                x = x @ np.asarray(layer.weight, np.float64) + np.asarray(layer.bias, np.float64)
                x = np.maximum(x, 0) if number < len(mlp.layers) - 1 else x
            return x

        z = net(model.encoder, rows)
        size = train.obs_dim
        f = net(model.forward, z)
        g = net(model.reverse, np.concatenate([z[:, :size] + f, z[:, size:]], axis=1))
        threshold = np.quantile(np.sum((f + g) ** 2, axis=1), 0.25)
        np.testing.assert_allclose(state.noise, 0.5 * z[:, :size].std(0), rtol=1e-3)
        assert float(state.threshold) == pytest.approx(threshold, rel=1e-3)


def test_without_a_folder_there_is_nothing_to_read(data):
    built = agent_on("", data).init()
    assert float(built.threshold[0]) == 0.0


def refusal(folder, data, **settings):
    with pytest.raises(UserError) as error:
        agent_on(folder, data, **settings).init()
    sentence = str(error.value)
    assert "\n" not in sentence
    return sentence


def test_a_seed_that_was_not_trained(folder, data):
    assert refusal(folder, data, seeds=(1, 5)) == (
        f"{folder} has no seed 5; it was trained with 3, 1, 2."
    )


def test_other_data(folder, data):
    sentence = refusal(folder, another(data, sha256="f" * 64))
    digits = data.source.sha256[:12]
    assert sentence.startswith(f"{folder} was trained on ")
    assert f"SHA-256 {digits}), not on " in sentence and "SHA-256 ffffffffffff" in sentence


def test_other_dimensions(folder, data):
    twice = {
        name: jnp.concatenate([getattr(data, name)] * 2, axis=1)
        for name in ("observations", "next_observations")
    }
    other = agent_on(folder, dataclasses.replace(data, **twice))
    with pytest.raises(UserError, match="was trained on 3 observation and 1 action dimensions, "
                                        "but these data have 6 and 1"):  # fmt: skip
        read_foundation(str(folder), other.config, other.normaliser)


def test_an_unfinished_run(experiment, states, data, tmp_path):
    run = Run.create(tmp_path / "half", experiment.config)
    sentence = refusal(tmp_path / "half", data, seeds=(1,))
    assert (
        f"{run.folder} stands at update 0 of 7; finish it first: toolkit train small-tdm"
        in sentence
    )
    assert sentence.endswith("--resume")
    half = eqx.tree_at(lambda s: s.update_count, states, jnp.full(3, 4, jnp.int32))
    run.save(half, experiment)
    assert "stands at update 4 of 7" in refusal(tmp_path / "half", data, seeds=(1,))


def test_a_run_of_an_agent_is_no_representation(data, tmp_path):
    other = agent_on("", data)
    Run.create(tmp_path / "agent", other.config)
    assert refusal(tmp_path / "agent", data) == (
        f"{tmp_path / 'agent'} trained tsrl, which is no representation."
    )


def test_a_run_of_a_dynamics_model_is_no_representation(tiny, data, tmp_path):
    Run.create(tmp_path / "model", tiny().config)
    assert "trained tiny, which is no representation" in refusal(tmp_path / "model", data)


def test_a_folder_without_a_run(data, tmp_path):
    assert "expected the folder of a run" in refusal(tmp_path, data)
    assert "expected the folder of a run" in refusal(tmp_path / "nowhere", data)


def test_another_normalisation(folder, data):
    experiment = agent_on(folder, data, seeds=(1,))
    moved = Normaliser(experiment.normaliser.mean + 1, experiment.normaliser.std)
    with pytest.raises(UserError, match="was trained with another normalisation of the states"):
        read_foundation(str(folder), experiment.config, moved)
    wider = Normaliser(experiment.normaliser.mean, 2 * experiment.normaliser.std)
    with pytest.raises(UserError, match="was trained with another normalisation of the states"):
        read_foundation(str(folder), experiment.config, wider)


def test_what_is_refused_leaves_no_folder(folder, data, tmp_path):
    experiment = agent_on(folder, data, seeds=(99,))  # on which no model was trained
    with pytest.raises(UserError):
        start_or_continue(tmp_path / "out", experiment, resume=False)
    assert not (tmp_path / "out").exists()


def test_the_robot_of_the_data_decides_what_was_left_open(folder, data):
    walker = another(data, env="Walker2d-v4")
    config = agent_on(folder, walker).config
    assert config.hyperparameters["quantile"] == 0.5
    assert config.hyperparameters["action_weight"] == 200.0


#: Sizes that are not the usual ones, of every model that an agent may build on.
OTHER_SIZES = {
    "tdm": {"width": 16, "activation": "tanh"},
    "spectral-core": {"modes": 5, "hidden": 7},
    "koopman-forward": {"latent_dim": 5, "hidden": 7},
    "dynamics-ensemble": {"hidden": 7},
}


@pytest.mark.parametrize(
    "name",
    [n for n, entry in registry.MODELS.items() if hasattr(entry.load(), "foundation")],
)
def test_an_agent_on_a_model_of_other_sizes_can_be_read_back(name, data):
    """What is stored has the shapes that the agent's own hyperparameters say."""
    agent = registry.find_model(name).load()().fitted_to(data)
    first = agent.foundation()
    options = OTHER_SIZES[registry.name_of(type(first))]
    learner = dataclasses.replace(first, **options)
    model = learner.init(data, key=jax.random.key(0)).best
    fitted = agent.fitted_to_model(hyperparameters_of(learner))
    usual, expected = (
        eqx.filter_eval_shape(lambda a=a: a.init(data, key=jax.random.key(1)).model)
        for a in (agent, fitted)
    )
    assert jax.tree.structure(expected) == jax.tree.structure(model)
    shapes = lambda tree: [leaf.shape for leaf in jax.tree.leaves(eqx.filter(tree, has_shape))]
    assert shapes(expected) == shapes(model) != shapes(usual)


def has_shape(leaf):
    return hasattr(leaf, "shape")
