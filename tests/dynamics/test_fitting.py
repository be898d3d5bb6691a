"""Fitting: a linear system is recovered, and the schedule of decoded steps is fair."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from toolkit.data import Dataset, Normaliser
from toolkit.errors import UserError
from toolkit.evaluation import TrainedDynamics, prediction_errors
from toolkit.spectral import Koopman
from toolkit.training import init_states, select_seed, train
from toolkit.training.optimise import gradient_step, start

TRUE = np.array([0.98 * np.exp(0.31j), 0.95 * np.exp(0.62j)])


def linear_system(episodes: int = 12, length: int = 60, seed: int = 0) -> Dataset:
    """s = V·(Re x, Im x) with x' = λx + Ba: two decaying rotations seen through a fixed map."""
    system, rng = np.random.default_rng(7), np.random.default_rng(seed)
    mix = system.normal(size=(4, 4))
    enter = system.normal(size=(2, 2)) + 1j * system.normal(size=(2, 2))
    rows: list[np.ndarray] = []
    actions = rng.uniform(-1, 1, (episodes, length, 2))
    for episode in range(episodes):
        x = rng.normal(size=2) + 1j * rng.normal(size=2)
        states = [x]
        for a in actions[episode]:
            states.append(TRUE * states[-1] + 0.3 * enter @ a)
        complex_states = np.array(states)
        rows.append(np.concatenate([complex_states.real, complex_states.imag], 1) @ mix.T)
    obs = np.concatenate([r[:-1] for r in rows])
    following = np.concatenate([r[1:] for r in rows])
    timeout = np.arange(1, len(obs) + 1) % length == 0
    return Dataset.from_arrays(
        obs, actions.reshape(-1, 2), np.zeros(len(obs)), following, timeout=timeout
    )


def test_a_linear_system_is_recovered():
    """Spectrum and prediction error to 1e-4, from windows alone."""
    data = linear_system()
    learner = Koopman(
        modes=2, hidden=0, action_hidden=0, real_part="free", band=0.2, reencode_every=0,
        horizon=20, decoded_steps=20, batch_size=32, learning_rate=1e-2,
        num_updates=4000, reward_weight=0.0, consistency_weight=0.0,
    )  # fmt: skip
    state = init_states(learner, data, [0])
    run = train(
        learner, state, learner.prepare(data), seeds=[0], num_updates=4000, chunk_updates=2000
    )
    for state, _ in run:  # noqa: B007
        pass
    model = select_seed(state, 0).model
    learnt = np.sort_complex(np.asarray(model.spectrum.multipliers))
    learnt = np.where(learnt.imag < 0, learnt.conj(), learnt)
    assert np.abs(np.sort_complex(learnt) - np.sort_complex(TRUE)).max() < 1e-4
    trained = TrainedDynamics(model, Normaliser.identity(4))
    errors = prediction_errors(trained, linear_system(episodes=3, seed=1), horizon=50)
    assert errors.state.max() < 1e-4


@pytest.mark.parametrize("decoded", [1, 7, 20, 99])
@pytest.mark.parametrize(("horizon", "every"), [(100, 0), (100, 20), (100, 100), (9, 3), (4, 1)])
def test_decoded_steps_lie_in_the_piece_and_each_is_met(horizon, every, decoded, getkey):
    learner = Koopman(horizon=horizon, decoded_steps=decoded, reencode_every=every)
    drawn = np.asarray(jax.jit(jax.vmap(learner.choose_steps))(jr.split(getkey(), 3000)).at)
    pieces = horizon // (every or horizon)
    assert set(np.unique(drawn)) == set(range(1, (every or horizon) + 1))
    assert np.all(np.diff(drawn, axis=1) > 0)
    assert drawn.shape[1] <= max(decoded // pieces, 2)
    if pieces > 1:
        assert np.all(drawn[:, -1] == every)  # the next piece starts there


def test_an_update_changes_parameters_and_counts(getkey):
    data = linear_system(2, 30)
    learner = Koopman(modes=3, hidden=8, horizon=5, reencode_every=0, batch_size=4, num_updates=10)
    state = learner.init(data, key=getkey())
    batch = learner.sample(learner.prepare(data), key=getkey())
    update = eqx.filter_jit(learner.update)
    after, metrics = update(state, batch, key=getkey())
    assert int(after.update_count) == 1
    expected = metrics["loss/prediction"] + 0.1 * metrics["loss/reward"]
    expected = expected + learner.consistency_weight * metrics["loss/consistency"]
    np.testing.assert_allclose(metrics["loss/total"], expected, rtol=1e-5)
    after, _ = update(after, batch, key=getkey())  # the warm-up starts at rate zero
    moved = jnp.abs(
        after.model.heads.encoder.layers[0].weight - state.model.heads.encoder.layers[0].weight
    )
    assert float(moved.max()) > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "`batch_size` must be at least 1, got 0"),
        ({"decoded_steps": -2}, "`decoded_steps` must be at least 1, got -2"),
        ({"reencode_every": 7}, "`reencode_every` must be 0 or divide `horizon` 100, got 7"),
        ({"horizon": 0, "reencode_every": 0}, "`horizon` must be at least 1, got 0"),
        ({"horizon": 61, "reencode_every": 0}, "the longest unbroken run .* has 60"),
    ],
)
def test_data_and_sizes_that_do_not_fit_fail_before_training(options, message):
    with pytest.raises(UserError, match=message):
        Koopman(**options).prepare(linear_system(2, 60))


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_only_matrices_decay(decay):
    """Adam along a gradient of 0: a spectrum, its step and the data's units stay."""
    learner = Koopman(modes=2, hidden=4, action_hidden=4, horizon=8, weight_decay=decay)
    model = learner.init(linear_system(episodes=4), key=jr.key(0)).model
    parts, optimiser = eqx.filter(model, eqx.is_inexact_array), learner.optimiser()
    still = jax.tree.map(jnp.zeros_like, parts)
    after, opt_state = parts, start(optimiser, parts)
    for _ in range(2):  # the rate begins at 0
        after, opt_state = gradient_step(optimiser, after, still, opt_state)
    leaves = zip(jax.tree.leaves_with_path(parts), jax.tree.leaves(after), strict=True)
    moved = {jax.tree_util.keystr(path): bool((leaf != new).any()) for (path, leaf), new in leaves}
    assert moved == {name: decay > 0 and ".weight" in name for name in moved}
    assert any(".weight" in name for name in moved)
