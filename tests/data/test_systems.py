from __future__ import annotations

import time

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from toolkit.data import load, simulate
from toolkit.data.simulation import excite, roll_out
from toolkit.data.systems import SYSTEMS, CartPole, Duffing, Pendulum, VanDerPol, make_system
from toolkit.errors import UserError

STARTS = {
    "pendulum": [2.5, -1.0], "van-der-pol": [2.0, 0.5], "duffing": [0.3, 1.2],
    "cart-pole": [0.2, 2.0, -0.5, 1.0],
}  # fmt: skip


def slope_in_numpy(name, state, push):
    """The equations once more, written independently from the docstrings."""
    if name == "pendulum":
        angle, rate = state
        return [rate, -9.81 * np.sin(angle) - 0.1 * rate + 5 * push]
    if name == "van-der-pol":
        x, rate = state
        return [rate, (1 - x * x) * rate - x + push]
    if name == "duffing":
        x, rate = state
        return [rate, -0.1 * rate + x - x**3 + 0.5 * push]
    _, angle, speed, rate = state
    total, m, long = 1.2, 0.2, 0.5
    matrix = np.array([[total, m * long * np.cos(angle)], [np.cos(angle), long]])
    right = [10 * push - 0.5 * speed + m * long * rate**2 * np.sin(angle), 9.81 * np.sin(angle)]
    return [speed, rate, *np.linalg.solve(matrix, right)]


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_system_agrees_with_an_adaptive_solver(name):
    system = make_system(name)
    push = np.random.default_rng(0).uniform(-1, 1, 40)
    states = roll_out(system, jnp.array(STARTS[name]), jnp.asarray(push[:, None], jnp.float32))
    exact = [np.array(STARTS[name])]
    for a in push:
        slope = lambda _, s, a=a: slope_in_numpy(name, s, a)
        exact.append(solve_ivp(slope, (0, system.dt), exact[-1], rtol=1e-10, atol=1e-12).y[:, -1])
    np.testing.assert_allclose(states, exact, atol=3e-4, rtol=3e-4)


@pytest.mark.parametrize(
    "system", [Pendulum(damping=0.0), Duffing(damping=0.0), CartPole(friction=0.0)]
)
def test_without_damping_and_action_energy_is_conserved(system):
    start = jnp.array([0.3, 1.0] if not isinstance(system, CartPole) else [0.1, 2.0, 0.4, 1.0])
    states = roll_out(system, start, jnp.zeros((200, 1)))
    energy = np.asarray(jax.vmap(system.energy)(states))
    assert np.ptp(np.asarray(states)[:, -1]) > 0.5  # it does move
    np.testing.assert_allclose(energy, energy[0], rtol=2e-4, atol=2e-4)


def test_damping_takes_energy_away():
    states = roll_out(Pendulum(), jnp.array([2.0, 0.0]), jnp.zeros((200, 1)))
    energy = jax.vmap(Pendulum().energy)(states[::20])
    assert np.all(np.diff(np.asarray(energy)) < 0)


def test_van_der_pol_without_stiffness_is_a_harmonic_oscillator():
    system = VanDerPol(stiffness=0.0)
    states = roll_out(system, jnp.array([1.0, 0.0]), jnp.zeros((100, 1)))
    t = system.dt * np.arange(101)
    np.testing.assert_allclose(states, np.stack([np.cos(t), -np.sin(t)], 1), atol=1e-4)


def test_fixed_points_stay():
    for system, rest in [
        (Pendulum(), [0.0, 0.0]), (Duffing(), [1.0, 0.0]), (Duffing(), [-1.0, 0.0]),
        (VanDerPol(), [0.0, 0.0]), (CartPole(), [0.7, 0.0, 0.0, 0.0]),
    ]:  # fmt: skip
        slope = system.vector_field(jnp.array(rest), jnp.zeros(1))
        np.testing.assert_allclose(slope, 0, atol=1e-6)


@pytest.mark.parametrize(
    ("system", "best"),
    [
        (Pendulum(), [jnp.pi, 0.0]), (VanDerPol(), [0.0, 0.0]), (Duffing(), [1.0, 0.0]),
        (CartPole(), [0.0, 0.0, 0.0, 0.0]),
    ],
)  # fmt: skip
def test_reward_is_one_at_its_best_and_less_elsewhere(system, best):
    best = jnp.array(best, jnp.float32)
    assert float(system.reward(best, jnp.zeros(1))) == pytest.approx(1.0, abs=1e-6)
    for nudge in 0.3 * np.eye(len(best), dtype=np.float32)[1:]:
        if not isinstance(system, CartPole) or nudge[2] == 0:
            assert float(system.reward(best + nudge, jnp.zeros(1))) < 1
    assert float(system.reward(best, jnp.ones(1))) == pytest.approx(0.99, abs=1e-6)


@pytest.mark.parametrize("name", SYSTEMS)
def test_simulated_sets_are_whole(name):
    data = simulate(name, num_episodes=3, episode_steps=20, seed=1)
    assert data.num_transitions == 60
    assert np.flatnonzero(data.timeout).tolist() == [19, 39, 59]
    assert not np.asarray(data.terminal).any()
    assert np.asarray(data.valid_next).all()
    obs, following = np.asarray(data.observations), np.asarray(data.next_observations)
    inside = np.arange(59) % 20 != 19
    np.testing.assert_array_equal(obs[1:][inside], following[:-1][inside])
    assert np.abs(data.actions).max() <= 1
    assert data.source.name == f"toolkit/{name}"
    assert data.source.dt == 0.05
    assert len(data.source.sha256) == 64
    assert data.source.history == ("simulated: 3 episodes of 20 steps, ornstein-uhlenbeck, seed 1",)


def test_a_system_with_other_constants_is_simulated_too():
    one, other = (
        simulate(Pendulum(damping=damping), num_episodes=2, episode_steps=9)
        for damping in (0.1, 2.0)
    )
    named = simulate("pendulum", num_episodes=2, episode_steps=9)
    assert eqx.tree_equal(one.observations, named.observations)  # 0.1 is the default
    assert np.abs(other.observations - named.observations).max() > 0.1
    assert other.source.name == "pendulum"  # not the one that can be loaded by name
    assert "damping 2, torque 5, 2 episodes of 9 steps" in other.source.history[0]


def test_angles_are_observed_on_the_circle():
    pendulum = np.asarray(simulate("pendulum", num_episodes=2, episode_steps=10).observations)
    np.testing.assert_allclose(pendulum[:, 0] ** 2 + pendulum[:, 1] ** 2, 1, rtol=1e-5)
    cart = np.asarray(simulate("cart-pole", num_episodes=2, episode_steps=10).observations)
    assert cart.shape[1] == 5
    np.testing.assert_allclose(cart[:, 1] ** 2 + cart[:, 2] ** 2, 1, rtol=1e-5)


def test_seed_and_arguments_choose_the_data():
    one, same, other = (
        simulate("duffing", num_episodes=2, episode_steps=9, seed=s) for s in (3, 3, 4)
    )
    assert one.source.sha256 == same.source.sha256 != other.source.sha256
    assert eqx.tree_equal(one.observations, same.observations)


@pytest.mark.parametrize("kind", ["white", "ornstein-uhlenbeck", "multisine", "zero"])
def test_excitations_stay_in_range_and_differ_between_episodes(kind):
    action = excite(kind, 50, 400, 0.05, np.random.default_rng(0))
    assert action.shape == (50, 400, 1)
    assert action.dtype == np.float32
    assert np.abs(action).max() <= 1
    if kind == "zero":
        assert not action.any()
        return
    assert np.abs(action[0] - action[1]).max() > 0.1
    assert abs(action.mean()) < 0.05
    flat = action[:, :, 0]
    lag = np.mean(flat[:, 1:] * flat[:, :-1]) / np.mean(flat**2)
    expected = {"white": (-0.02, 0.02), "ornstein-uhlenbeck": (0.88, 0.93), "multisine": (0.5, 1)}
    assert expected[kind][0] < lag < expected[kind][1]  # exp(-0.05/0.5) = 0.905


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "rocket"}, "`name` must be one of pendulum, van-der-pol, duffing, cart-pole"),
        ({"excitation": "loud"}, "`excitation` must be one of white, .* got 'loud'"),
        ({"num_episodes": 0}, "`num_episodes` must be at least 1, got 0"),
        ({"episode_steps": 0}, "`episode_steps` must be at least 1, got 0"),
    ],
)
def test_wrong_arguments_are_refused_by_name(arguments, message):
    with pytest.raises(UserError, match=message):
        simulate(**({"name": "pendulum"} | arguments))


def test_embedded_names_load_quickly_once_compiled():
    load("toolkit/pendulum")
    start = time.perf_counter()
    data = simulate("toolkit/pendulum", seed=1)
    assert time.perf_counter() - start < 1.0
    assert data.num_transitions == 20_000
