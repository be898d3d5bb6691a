"""The loop: resumable to the bit, seeds that do not disturb each other, and a NaN that stops it."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from toolkit.agents.td3_bc import TD3BC
from toolkit.data import Dataset
from toolkit.errors import UserError
from toolkit.spectral import Koopman
from toolkit.training import TrainingDiverged, init_states, loop, prepare, select_seed, train
from toolkit.tsymmetry.learner import TDMLearner


def leaf_bytes(state) -> list[bytes]:
    return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(eqx.filter(state, eqx.is_array))]


def chunks(experiment, state=None, *, seeds=None, num_updates=None):
    config = experiment.config
    seeds = config.seeds if seeds is None else seeds
    state = init_states(experiment.learner, experiment.train, seeds) if state is None else state
    return train(
        experiment.learner,
        state,
        experiment.sampler,
        seeds=seeds,
        num_updates=num_updates or config.num_updates,
        chunk_updates=config.chunk_updates,
    )


def last(experiment, *args, **kwargs):
    *_, (state, _) = chunks(experiment, *args, **kwargs)
    return state


def test_seeds_trained_together_equal_each_alone(tiny):
    experiment = tiny(seeds=(0, 7))
    together = last(experiment)
    for index, seed in enumerate(experiment.config.seeds):
        alone = last(experiment, seeds=(seed,))
        assert leaf_bytes(select_seed(together, index)) == leaf_bytes(select_seed(alone, 0))


def test_koopman_seeds_continue_and_do_not_disturb_each_other():
    learner = Koopman(
        modes=4,
        hidden=8,
        action_hidden=4,
        horizon=6,
        reencode_every=3,
        batch_size=4,
        num_updates=20,
    )
    experiment = prepare("koopman", learner, "toolkit/pendulum", seeds=(0, 1), chunk_updates=10)
    (halfway, _), (together, _) = chunks(experiment)
    assert leaf_bytes(last(experiment, halfway)) == leaf_bytes(together)
    for index, seed in enumerate((0, 1)):
        alone = last(experiment, seeds=(seed,))
        assert leaf_bytes(select_seed(together, index)) == leaf_bytes(select_seed(alone, 0))


def test_different_seeds_differ(tiny):
    state = last(tiny(seeds=(0, 1)))
    assert leaf_bytes(select_seed(state, 0)) != leaf_bytes(select_seed(state, 1))


def test_continuing_equals_an_unbroken_run(tiny):
    experiment = tiny(num_updates=35)
    states = [state for state, _ in chunks(experiment)]
    assert leaf_bytes(last(experiment, states[1])) == leaf_bytes(states[-1])


def test_chunks_cover_every_update_once(tiny):
    experiment = tiny(num_updates=35)
    counts, lengths = [], []
    for state, metrics in chunks(experiment):
        counts.append(int(state.update_count[0]))
        lengths.append(metrics["loss/total"].shape)
    assert counts == [10, 20, 30, 35]
    assert lengths == [(10, 1), (10, 1), (10, 1), (5, 1)]


def test_a_yielded_state_stays_usable_after_the_next_chunk(tiny):
    run = chunks(tiny())
    first, _ = next(run)
    before = leaf_bytes(first)
    next(run)
    assert leaf_bytes(first) == before


def test_a_first_state_has_the_types_of_every_later_one(tiny):
    experiment = tiny()
    first, later = experiment.init(), last(experiment)
    assert jax.tree.map(jax.typeof, first) == jax.tree.map(jax.typeof, later)
    assert not any(leaf.weak_type for leaf in jax.tree.leaves(first))


def test_nan_names_the_update_and_the_first_leaf(tiny):
    experiment = tiny(break_at=24)
    run = chunks(experiment)
    seen = [next(run)[0] for _ in range(2)]
    with pytest.raises(TrainingDiverged, match=r"stopped at update 24: `bias` is not finite"):
        next(run)
    assert [int(state.update_count[0]) for state in seen] == [10, 20]
    assert np.isfinite(seen[-1].bias).all()


@pytest.mark.parametrize("seeds", [(), (1, 1)])
def test_seeds_that_are_not_distinct_are_refused(tiny, seeds):
    experiment = tiny()
    with pytest.raises(UserError, match="one or more different integers"):
        init_states(experiment.learner, experiment.train, seeds)


@pytest.mark.parametrize(
    "learner",
    [
        TD3BC(hidden=4, batch_size=4),
        TDMLearner(width=4, batch_size=4, check_every=3, num_updates=20, patience=1),
    ],
    ids=lambda learner: type(learner).__name__,
)
def test_side_by_side_seeds_equal_those_in_turn_and_what_is_seldom_due_stays_a_condition(
    learner, monkeypatch
):
    rng = np.random.default_rng(0)
    rows = 60
    data = Dataset.from_arrays(
        rng.normal(size=(rows, 3)), rng.uniform(-1, 1, (rows, 2)), rng.normal(size=rows),
        rng.normal(size=(rows, 3)), timeout=np.arange(rows) % 20 == 19,
    )  # fmt: skip
    state, sampler = init_states(learner, data, (0, 1)), learner.prepare(data)
    roots = jnp.stack([jr.key(0), jr.key(1)])
    in_turn, _ = loop.advance(learner, sampler, state, roots, 7)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    jaxpr = eqx.filter_make_jaxpr(loop.advance.__wrapped__)(learner, sampler, state, roots, 7)[0]
    assert str(jaxpr).count("cond[") == 1  # the actor's turn, or the look at held-out episodes
    side_by_side, _ = eqx.filter_jit(loop.advance.__wrapped__)(learner, sampler, state, roots, 7)
    for one, other in zip(jax.tree.leaves(in_turn), jax.tree.leaves(side_by_side), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(side_by_side.update_count, [7, 7])
