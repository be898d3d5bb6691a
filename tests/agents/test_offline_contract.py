"""What every offline agent of the registry must do, whichever it is."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from tests.agents.float64 import ACTION, OBS, assert_polyak, assert_same, random_dataset
from toolkit.agents.acting import act, initial_memories
from toolkit.agents.interface import AbstractOfflineAgent
from toolkit.data import TransitionSampler
from toolkit.errors import UserError
from toolkit.registry import MODELS
from toolkit.training import init_states, load_checkpoint, save_checkpoint, select_seed, train
from toolkit.training.foundation import build_on

#: Agents that are another one of the registry with another default, tested beside it.
VARIANTS = ("kfc++", "cql-spectral")
AGENTS = [name for name, entry in MODELS.items() if entry.kind == "agent" and name not in VARIANTS]

#: Small values of the hyperparameters by which an agent's cost is set; each takes those it has.
SMALL = {
    "hidden": 4, "layers": 1, "batch_size": 8, "num_updates": 40, "num_actions": 2,
    "target_rate": 0.25, "learning_rate": 1e-2,
    "num_rollouts": 8, "rollout_every": 4, "horizon": 1,
}  # fmt: skip

#: What a state's targets follow.
FOLLOWS = {"target": "critic", "target_actor": "actor", "target_critic": "critic"}
#: What an agent builds on, and never changes.
FROZEN = ("model", "noise", "threshold")


class Subject(NamedTuple):
    """An agent, its data, and the states of seeds 5 and 9 before the first update, with the models
    that they build on.
    """

    agent: Any
    data: Any
    sampler: Any
    states: Any
    models: list[Any]


def small(name: str) -> AbstractOfflineAgent:
    """An agent of the registry with small sizes."""
    kind = MODELS[name].load()
    known = {field.name for field in dataclasses.fields(kind)}
    return kind(**{name: value for name, value in SMALL.items() if name in known})


def actor_of(state):
    """The actor of a state, which MOPO has inside that of its soft actor-critic."""
    return state.actor if hasattr(state, "actor") else state.learner.actor


def on_models(agent, states, models, data):
    """The states on the models that the agent builds on; as they are where it builds on none."""
    return build_on(agent, states, models, data) if models else states


@pytest.fixture(scope="module", params=AGENTS)
def subject(request):
    data = random_dataset()
    agent, models = small(request.param).fitted_to(data), []
    if hasattr(agent, "foundation"):
        first = agent.foundation()
        models = [first.init(data, key=jr.key(seed)).best for seed in (105, 109)]  # untrained
    states = on_models(agent, init_states(agent, data, (5, 9)), models, data)
    return Subject(agent, data, agent.prepare(data), states, models)


def trained(subject, states, seeds, num_updates):
    """The last states and metrics of a training in chunks of three updates."""
    chunks = train(
        subject.agent, states, subject.sampler, seeds=seeds, num_updates=num_updates,
        chunk_updates=3,
    )  # fmt: skip
    *_, (states, metrics) = chunks
    return states, metrics


@pytest.fixture(scope="module")
def together(subject):
    """Both seeds after six updates."""
    return trained(subject, subject.states, (5, 9), 6)


@pytest.fixture(scope="module")
def history(subject):
    """The states of one seed before and after each of six updates, and the last metrics."""
    state, sampler = select_seed(subject.states, 0), subject.sampler

    @eqx.filter_jit
    def update(agent, sampler, state, key):
        sample_key, update_key = jr.split(key)
        return agent.update(state, agent.sample(sampler, key=sample_key), key=update_key)

    states, metrics = [state], {}
    for at in range(6):
        state, metrics = update(subject.agent, sampler, state, jr.key(at))
        states.append(state)
    return states, metrics


def test_it_is_an_offline_agent(subject):
    assert isinstance(subject.agent, AbstractOfflineAgent)
    assert subject.agent.fitted_to(subject.data) == subject.agent  # it was fitted already


def test_an_update_counts_and_its_metrics_are_finite_numbers(history):
    states, metrics = history
    assert [int(state.update_count) for state in states] == list(range(7))
    assert any(name.startswith("loss/") for name in metrics)
    for name, value in metrics.items():
        assert value.shape == () and value.dtype == jnp.float32, name
        assert np.isfinite(value), name


def test_its_critics_can_be_asked_about_states_and_actions(subject, history):
    state = history[0][-1]
    batch = TransitionSampler(subject.data).everything()
    if MODELS["bc"].load() is type(subject.agent):
        with pytest.raises(UserError, match="BC has no critics that could be asked"):
            subject.agent.values(state, batch.obs, batch.action)
        return
    found = subject.agent.values(state, batch.obs, batch.action)
    assert found.shape == batch.reward.shape and np.isfinite(found).all()
    assert len(np.unique(found)) > 1


def test_an_update_changes_values_and_never_the_structure(history):
    states, _ = history
    shapes = [
        [(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(eqx.filter(s, eqx.is_array))]
        for s in states
    ]
    assert all(shape == shapes[0] for shape in shapes)
    assert jax.tree.structure(states[0]) == jax.tree.structure(states[-1])
    assert not eqx.tree_equal(actor_of(states[0]), actor_of(states[-1]))


def test_targets_follow_where_their_time_has_come_and_else_stay(subject, history):
    states, _ = history
    every = getattr(subject.agent, "policy_every", 1)
    for before, after in itertools.pairwise(states):
        due = int(after.update_count) % every == 0
        for target, online in FOLLOWS.items():
            if not hasattr(before, target):
                continue
            old, new = getattr(before, target), getattr(after, target)
            if due:
                assert_polyak(old, new, getattr(after, online), SMALL["target_rate"])
                assert not eqx.tree_equal(old, new)
            else:
                assert_same(old, new)


def test_what_it_builds_on_never_moves(subject, history, together):
    states, _ = history
    for name in FROZEN:
        if hasattr(states[0], name):
            assert_same(getattr(states[0], name), getattr(states[-1], name))
            assert_same(getattr(subject.states, name), getattr(together[0], name))


def test_targets_begin_as_copies(subject):
    for target, online in FOLLOWS.items():
        if hasattr(subject.states, target):
            assert_same(getattr(subject.states, target), getattr(subject.states, online))


def test_a_seed_does_not_depend_on_those_beside_it(subject, together):
    agent, data = subject.agent, subject.data
    start = on_models(agent, init_states(agent, data, (9,)), subject.models[1:], data)
    alone, metrics = trained(subject, start, (9,), 6)
    assert_same(select_seed(alone, 0), select_seed(together[0], 1))
    for name, values in metrics.items():
        np.testing.assert_array_equal(values[:, 0], together[1][name][:, 1])
    assert not eqx.tree_equal(
        actor_of(select_seed(together[0], 0)), actor_of(select_seed(alone, 0))
    )


def test_saved_in_the_middle_and_loaded_it_ends_with_the_same_bits(subject, together, tmp_path):
    states, _ = trained(subject, subject.states, (5, 9), 3)
    save_checkpoint(tmp_path / "state.ckpt", states, {})
    loaded, _ = load_checkpoint(tmp_path / "state.ckpt", subject.states)
    assert_same(loaded, states)
    again, metrics = trained(subject, loaded, (5, 9), 6)
    assert_same(again, together[0])
    for name, values in metrics.items():
        np.testing.assert_array_equal(values, together[1][name])


def test_its_policy_acts_within_bounds_and_without_chance(subject, together):
    policy = subject.agent.policy(select_seed(together[0], 0))
    obs = jnp.asarray(np.random.default_rng(0).normal(size=(16, OBS)), jnp.float32)
    obs = obs * jnp.asarray([1.0, 1e3] * 8)[:, None]
    first, again = (act(policy, obs, initial_memories(policy, 16), jr.key(at))[0] for at in (0, 1))
    np.testing.assert_array_equal(first, again)
    assert first.shape == (16, ACTION)
    assert np.abs(first).max() <= 1.0
    assert np.ptp(first, axis=0).min() > 0  # it looks at what it is given


ROWS = np.arange(60)
ODD = {
    "one episode without terminals or rewards": {
        "rewards": np.zeros(60), "terminal": np.zeros(60, bool), "timeout": np.zeros(60, bool),
    },
    "nothing but terminals": {"terminal": np.ones(60, bool), "timeout": np.zeros(60, bool)},
    "states that never change": {
        "observations": np.ones((60, OBS)), "next_observations": np.ones((60, OBS)),
    },
    "actions on the bounds": {"actions": np.where(np.arange(120).reshape(60, 2) % 3, 1.0, -1.0)},
}  # fmt: skip


@pytest.mark.parametrize("columns", ODD.values(), ids=ODD)
def test_odd_data_train(subject, columns):
    agent, data = subject.agent, random_dataset(**columns)
    on_these = subject._replace(sampler=agent.prepare(data))
    start = on_models(agent, subject.states, subject.models, data)
    states, _ = trained(on_these, start, (5, 9), 12)
    assert int(states.update_count[1]) == 12  # training stops where a number is not finite


def test_rows_without_a_successor_are_left_out_unless_they_are_terminal(subject):
    valid = (ROWS != 3) & (ROWS != 19)  # 19 ends in a terminal
    sampler = subject.agent.prepare(random_dataset(valid_next=valid))
    assert set(ROWS) - set(np.asarray(sampler.rows)) == {3}


def test_fewer_rows_than_a_batch_are_refused(subject):
    with pytest.raises(UserError, match="`batch_size` is 8, but 'arrays' has only 7 usable"):
        subject.agent.prepare(random_dataset(7))


@pytest.mark.parametrize("sign", [1, -1])
def test_actions_beyond_the_bounds_are_refused(subject, sign):
    actions = np.zeros((60, ACTION))
    actions[7, 1] = 1.25 * sign
    with pytest.raises(UserError) as error:
        subject.agent.prepare(random_dataset(actions=actions))
    assert str(error.value) == (
        "'arrays' has actions up to 1.25; agents need them scaled to [-1, 1]."
    )
    actions[7, 1] = 1.0 + 1e-4  # rounding
    subject.agent.prepare(random_dataset(actions=actions))
