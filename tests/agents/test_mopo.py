"""MOPO: the penalty, rollouts that stop, what a batch is made of, and when rollouts are renewed."""

from __future__ import annotations

import json
from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from tests.helpers import unchecked
from toolkit.agents.ensemble import EnsembleLearner
from toolkit.agents.imagination import rollouts, uncertainty
from toolkit.agents.mopo import MOPO
from toolkit.agents.networks import GaussianActor
from toolkit.agents.sac import SAC
from toolkit.agents.tsrl import TSRL
from toolkit.cli import main
from toolkit.data import Dataset, Normaliser
from toolkit.data.dataset import Source
from toolkit.errors import UserError
from toolkit.training.experiment import prepare
from toolkit.training.foundation import read_foundation
from toolkit.training.run import Run
from toolkit.tsymmetry.learner import TDMLearner

OBS, ACTION = 11, 3  # hopper's, so that falls can end rollouts

AGENT = MOPO(
    num_members=3, num_elites=2, model_hidden=4, horizon=4, penalty_weight=2.0, ending="never",
    rollout_every=3, num_rollouts=8, keep_rounds=2, hidden=8, batch_size=20, num_updates=8,
)  # fmt: skip


def dataset(rows=60, **source):
    """Two episodes of noise, whose rewards are all 100."""
    drawn = np.random.default_rng(0)
    ends = np.arange(rows) % (rows // 2) == rows // 2 - 1
    return Dataset.from_arrays(
        drawn.normal(size=(rows, OBS)), drawn.uniform(-1, 1, (rows, ACTION)),
        np.full(rows, 100.0), drawn.normal(size=(rows, OBS)), timeout=ends,
        source=Source(**source) if source else None,
    )  # fmt: skip


def saying(change, reward, std, *, order=(2, 0, 1)):
    """An ensemble of three members that say the same everywhere, each its own.

    `change` is added to the first coordinate; `std` is that of every outcome.
    """
    made = AGENT.foundation().network(dataset(), key=jr.key(0))
    bias = np.zeros((3, 2 * (OBS + 1)), np.float32)
    bias[:, 0], bias[:, OBS] = change, reward
    bias[:, OBS + 1 :] = 2 * np.log(np.asarray(std, float))[:, None]
    members = jax.tree.map(
        lambda x: jnp.zeros_like(x) if eqx.is_inexact_array(x) else x, made.members
    )
    wide = jnp.full((3, OBS + 1), 60.0)
    members = eqx.tree_at(
        lambda m: (m.net.layers[-1].bias, m.lowest, m.highest, m.actions.std), members,
        (jnp.asarray(bias), -wide, wide, jnp.ones((3, ACTION))),
    )  # fmt: skip
    return replace(made, members=members, order=jnp.array(order, jnp.int32))


@pytest.fixture(scope="module")
def actor():
    return GaussianActor(OBS, ACTION, 8, 1, key=jr.key(5))


def follow(model, actor, starts, *, normaliser=None, key=7, **settings):
    chosen = {"horizon": 4, "penalty_weight": 0.0, "ending": "never"} | settings
    run = eqx.filter_jit(
        lambda model, starts, normaliser, key: rollouts(
            model, actor, starts, normaliser, key=key, **chosen
        )
    )
    made, kept, unsure = run(model, starts, normaliser or Normaliser.identity(OBS), jr.key(key))
    shape = (chosen["horizon"], len(starts))
    by_step = jax.tree.map(lambda x: np.asarray(x).reshape(*shape, *x.shape[1:]), made)
    return by_step, np.asarray(kept).reshape(shape), np.asarray(unsure).reshape(shape)


def test_the_uncertainty_is_the_largest_norm_of_an_elites_standard_deviations():
    log_var = np.random.default_rng(0).normal(size=(3, 5, 4))
    scale = np.array([2.0, 0.5, 3.0, 1.0])
    std = np.sqrt(np.exp(log_var)) * scale
    expected = np.linalg.norm(std, axis=2).max(0)
    found = jax.jit(uncertainty)(jnp.asarray(log_var, jnp.float32), jnp.asarray(scale, jnp.float32))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_each_step_follows_one_elite_drawn_at_random(actor):
    model = saying(change=[0.5, 99.0, -0.25], reward=[1.0, 99.0, 3.0], std=[1e-6] * 3)
    starts = jr.normal(jr.key(0), (200, OBS))
    made, kept, _ = follow(model, actor, starts)
    assert kept.all() and not made.terminal.any()
    np.testing.assert_array_equal(made.obs[0], starts)
    np.testing.assert_array_equal(made.obs[1:], made.next_obs[:-1])
    change = (made.next_obs - made.obs)[..., 0]
    up = np.isclose(change, 0.5, atol=1e-4)
    assert (up | np.isclose(change, -0.25, atol=1e-4)).all()  # never the member that is no elite
    np.testing.assert_allclose(made.reward, np.where(up, 1.0, 3.0), atol=1e-4)
    assert 0.4 < up.mean() < 0.6 and 0.4 < (up[1:] == up[:-1]).mean() < 0.6
    np.testing.assert_allclose(made.next_obs[..., 1:], made.obs[..., 1:], atol=1e-4)


def test_actions_are_the_policys_own(actor):
    model = saying(change=[0.0] * 3, reward=[0.0] * 3, std=[1e-6] * 3)
    starts = jnp.tile(jr.normal(jr.key(1), (1, OBS)), (4000, 1))
    made, _, _ = follow(model, actor, starts, horizon=1)
    drawn = jax.vmap(lambda k: actor(starts[0]).sample(key=k))(jr.split(jr.key(3), 4000))
    np.testing.assert_allclose(made.action[0].mean(0), drawn.mean(0), atol=0.05)
    np.testing.assert_allclose(made.action[0].std(0), drawn.std(0), atol=0.05)


def test_outcomes_are_drawn_and_pay_for_the_least_certain_elite_in_raw_units(actor):
    model = saying(change=[0.0] * 3, reward=[10.0] * 3, std=[0.3, 5.0, 0.1])
    units = jnp.linspace(0.5, 2.0, OBS)
    normaliser = Normaliser(jnp.zeros(OBS), units)
    starts = jnp.zeros((3000, OBS))
    made, _, unsure = follow(
        model, actor, starts, normaliser=normaliser, horizon=1, penalty_weight=2.0
    )
    expected = 0.3 * np.sqrt(np.square(np.asarray(units, float)).sum() + 1.0)
    np.testing.assert_allclose(unsure, expected, rtol=1e-4)
    # half of the outcomes come from each elite
    spread = np.sqrt((0.3**2 + 0.1**2) / 2)
    np.testing.assert_allclose(made.next_obs[0].std(0), spread, rtol=0.1)
    assert made.reward.mean() == pytest.approx(10.0 - 2.0 * expected, abs=0.03)
    assert made.reward.std() == pytest.approx(spread, rel=0.1)


def test_a_rollout_ends_where_the_robot_falls_in_raw_units_and_does_not_go_on(actor):
    mean = np.zeros(OBS, np.float32)
    mean[0] = 1.0
    normaliser = Normaliser(jnp.asarray(mean), jnp.full(OBS, 0.1))
    model = saying(change=[-2.0] * 3, reward=[0.0] * 3, std=[1e-6] * 3)  # 0.2 m lower each step
    heights = np.array([1.25, 2.0, 0.85], np.float32)  # m; hopper falls below 0.7
    starts = normaliser.normalise(jnp.zeros((3, OBS)).at[:, 0].set(heights))
    made, kept, _ = follow(model, actor, starts, normaliser=normaliser, ending="hopper")
    np.testing.assert_array_equal(kept.sum(0), [3, 4, 1])  # 1.05, 0.85, 0.65 | 1.2 | 0.65
    np.testing.assert_array_equal(kept, np.arange(4)[:, None] < np.array([3, 4, 1])[None])
    np.testing.assert_array_equal(
        made.terminal & kept, (np.arange(4)[:, None] == np.array([2, 9, 0])[None])
    )
    _, kept, _ = follow(model, actor, starts, normaliser=normaliser)
    assert kept.all()


@pytest.fixture(scope="module")
def started():
    """A state whose model's rewards tell its rollouts from the data, and the sampler."""
    data = dataset()
    state = AGENT.init(data, key=jr.key(0))
    model = saying(change=[1.0] * 3, reward=[-7.0] * 3, std=[1e-6] * 3)
    return AGENT.build_on(state, model, data), AGENT.prepare(data)


def test_rollouts_are_renewed_at_the_right_updates_and_the_last_rounds_kept(started):
    state, sampler = started
    step = eqx.filter_jit(
        lambda state, key: AGENT.update(state, AGENT.sample(sampler, key=key), key=key)
    )
    counts, policies, metrics = [], [], {}
    for at in range(8):
        before = state
        state, metrics = step(state, jr.key(at))
        counts.append(int(state.buffer.count))
        same = bool(jnp.array_equal(before.buffer.rows, state.buffer.rows))
        assert same == (at % 3 != 0), at
        policies.append(float(state.learner.log_temperature))
        for frozen in ("model", "normaliser"):
            old, new = (jax.tree.leaves(getattr(s, frozen)) for s in (before, state))
            for a, b in zip(old, new, strict=True):
                np.testing.assert_array_equal(a, b)
    assert counts == [32, 32, 32, 64, 64, 64, 96, 96]
    assert state.buffer.capacity == 64  # two rounds of 8 rollouts of 4 steps
    assert len(set(policies)) == 8
    assert float(metrics["rollout/reward"]) == pytest.approx(-7.0, abs=1e-3)
    assert float(metrics["rollout/ended"]) == 0.0


def test_rollouts_that_fall_are_counted_and_only_their_steps_are_kept(started):
    state, sampler = started
    falling = replace(AGENT, ending="hopper")
    low = saying(change=[-50.0] * 3, reward=[0.0] * 3, std=[1e-6] * 3)
    state = replace(state, model=low)
    state, metrics = eqx.filter_jit(
        lambda s, key: falling.update(s, falling.sample(sampler, key=key), key=key)
    )(state, jr.key(0))
    assert int(state.buffer.count) == 8  # the first step of each, which ends it
    assert float(metrics["rollout/ended"]) == 1.0
    np.testing.assert_array_equal(state.buffer.rows[:9, -1], [1] * 8 + [0])


@pytest.mark.parametrize(("share", "real"), [(0.05, 1), (0.5, 10), (0.0, 0)])
def test_a_batch_has_its_share_of_real_transitions(started, monkeypatch, share, real):
    state, sampler = started
    seen = []

    def spy(self, state, batch, *, key):
        seen.append(batch)
        return state, {}

    monkeypatch.setattr(SAC, "update", spy)
    agent = replace(AGENT, real_share=share)
    agent.update(state, agent.sample(sampler, key=jr.key(1)), key=jr.key(2))
    (batch,) = seen
    assert batch.obs.shape == (20, OBS)
    recorded = np.asarray(batch.reward) == 100.0
    assert recorded.sum() == real
    np.testing.assert_allclose(np.asarray(batch.reward)[~recorded], -7.0, atol=1e-3)
    rows = {tuple(row) for row in np.asarray(sampler.dataset.observations).round(4)}
    assert all(tuple(row) in rows for row in np.asarray(batch.obs)[recorded].round(4))


def test_the_default_batch_has_thirteen_real_transitions_of_256():
    assert MOPO().num_real == 13


def test_the_target_entropy_is_minus_three_for_every_robot():
    for action_dim in (3, 6):
        soft = MOPO()._soft(action_dim)
        assert soft.entropy_per_action * action_dim == pytest.approx(-3.0)


@pytest.mark.parametrize(
    ("name", "env", "settings"),
    [
        ("hopper-medium-v2", None, (5, 5.0, "hopper")),
        ("toolkit/hopper-medium-replay", "Hopper-v4", (5, 2.5, "hopper")),
        ("walker2d-medium-replay-v2-10k", None, (1, 2.5, "walker2d")),
        ("walker2d-medium-v2", None, (5, 0.5, "walker2d")),
        ("halfcheetah-medium-expert-v2", None, (5, 2.5, "never")),
        ("halfcheetah-random-v0", None, (5, 0.5, "never")),
        ("mine", "Walker2d-v4", (5, 2.5, "walker2d")),
        ("ant-medium-v2", None, (5, 2.5, "never")),
        ("arrays", None, (5, 2.5, "never")),
    ],
)
def test_settings_left_open_are_the_published_ones_for_the_data(name, env, settings):
    fitted = MOPO().fitted_to(dataset(name=name, env=env))
    assert (fitted.horizon, fitted.penalty_weight, fitted.ending) == settings
    chosen = MOPO(horizon=2, penalty_weight=0.0, ending="never")
    assert chosen.fitted_to(dataset(name=name, env=env)) == chosen


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ({"horizon": None}, r"`horizon` is left to the data; `fitted_to\(dataset\)` fills it in"),
        ({"horizon": 0}, "`horizon` must be at least 1, got 0"),
        ({"rollout_every": 0}, "`rollout_every` must be at least 1, got 0"),
        ({"penalty_weight": -1.0}, "`penalty_weight` must not be negative, got -1.0"),
        ({"real_share": 1.0}, r"`real_share` must lie in 0\.\.1, below 1, got 1.0"),
        ({"batch_size": 61}, "`batch_size` is 61, but 'arrays' has only 60"),
        ({"ending": "walker2d"}, "`ending` is walker2d, which has 17 observation dimensions"),
        ({"rollout_every": 1, "num_updates": 10**6, "num_rollouts": 50_000}, "can be counted"),
    ],
)
def test_settings_out_of_range_are_refused(option, sentence):
    with pytest.raises(UserError, match=sentence):
        replace(AGENT, **option).prepare(dataset())


def test_an_ensemble_of_another_size_is_refused():
    data = dataset()
    state = AGENT.init(data, key=jr.key(0))
    other = EnsembleLearner(num_members=4, num_elites=2, hidden=4).network(data, key=jr.key(1))
    with pytest.raises(UserError, match=r"\(3, 2, 4\), but the trained ensemble has \(4, 2, 4\)"):
        AGENT.build_on(state, other, data)


@pytest.mark.parametrize(
    ("model", "learner", "there", "reason"),
    [
        ("mopo", AGENT, ("tdm", TDMLearner(batch_size=8)), "on which MOPO cannot build"),
        (
            "tsrl", TSRL(batch_size=8), ("dynamics-ensemble", EnsembleLearner(batch_size=8)),
            "which has no encoder of states and actions",
        ),
    ],
)  # fmt: skip
def test_agents_do_not_build_on_what_is_not_for_them(tmp_path, model, learner, there, reason):
    data = dataset()
    with unchecked():
        here = prepare(model, learner, "mine", dataset=data)
        run = Run.create(tmp_path / "run", prepare(there[0], there[1], "mine", dataset=data).config)
    with pytest.raises(UserError, match=f"trained {there[0]}, {reason}"):
        read_foundation(str(run.folder), here.config, here.normaliser)


def test_one_command_trains_the_ensemble_and_then_the_agent(tmp_path, capsys):
    pytest.importorskip("mujoco")
    folder = tmp_path / "run"
    words = [
        "train", "mopo", "--data", "toolkit/hopper-medium", "--out", str(folder),
        "--seeds", "0,1", "--num-members", "2", "--num-elites", "1", "--model-hidden", "4",
        "--ensemble-updates", "4", "--num-rollouts", "6", "--hidden", "8", "--batch-size", "16",
        "--num-updates", "4", "--rollout-every", "2", "--chunk-updates", "2",
    ]  # fmt: skip
    assert main(words) == 0, capsys.readouterr().err
    printed = capsys.readouterr().out
    assert "squared_error_per_variance" in printed and "mopo on toolkit/hopper-medium" in printed

    run, first = Run.open(folder), Run.open(folder / "representation")
    chosen = run.config.hyperparameters
    assert (chosen["horizon"], chosen["penalty_weight"], chosen["ending"]) == (5, 5.0, "hopper")
    result = json.loads((folder / "result.json").read_text())
    assert len(result["metrics"]["normalized_score"]["per_seed"]) == 2
    fitted = json.loads((folder / "representation" / "result.json").read_text())
    assert fitted["score"]["num_held_out"] > 0 and "loss/likelihood" in fitted["metrics"]

    state, normaliser = run.state(), run.normaliser()
    best = first.state().best
    for mine, theirs in zip(jax.tree.leaves(state.model), jax.tree.leaves(best), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    for seed in range(2):
        np.testing.assert_array_equal(state.normaliser.std[seed], normaliser.std)
    assert (np.asarray(state.buffer.count) > 6 * 2).all()
    assert (np.asarray(state.buffer.count) <= 6 * 5 * 2).all()
