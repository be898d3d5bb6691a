"""The explorer of T-symmetry violation over its controls, without a browser."""

from __future__ import annotations

from dataclasses import replace

import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from toolkit.data import Normaliser, TransitionSampler, simulate
from toolkit.data.systems import Pendulum, advance
from toolkit.errors import UserError
from toolkit.evaluation import normalised
from toolkit.evaluation.violation import violations
from toolkit.tsymmetry import TDM
from toolkit.widgets.explorer import Explorer
from toolkit.widgets.violation import (
    DISTANCE,
    ERROR,
    VIOLATION,
    TrainedCase,
    ViolationView,
    explore_violation,
    slice_of,
)

X, Y = np.linspace(-3, 3, 5), np.linspace(-8, 8, 7)


@pytest.fixture(scope="module")
def case():
    system = Pendulum(damping=0.5)
    data = simulate(system, num_episodes=3, episode_steps=20)
    normaliser = Normaliser.fit(data.observations)
    rows = TransitionSampler(normalised(data, normaliser), successors_only=True).everything()
    obs = np.asarray(data.observations)
    states = np.stack([np.arctan2(obs[:, 1], obs[:, 0]), obs[:, 2]], axis=1)
    models = {
        name: TDM(3, 1, encoder_widths=(8,), dynamics_widths=(8,), key=jr.key(seed))
        for seed, name in enumerate(("early", "late"))
    }
    return TrainedCase(system, normaliser, rows, states, models)


def test_a_slice_holds_the_states_and_what_follows_them(case):
    places = slice_of(case, 0.7, X, Y)
    assert places.states.shape == (35, 2)
    np.testing.assert_allclose(places.states[1], [X[1], Y[0]])
    state = places.states[17]
    after = advance(case.system, state, jnp.array([0.7]))
    expected = case.normaliser.normalise(case.system.observe(after))
    np.testing.assert_allclose(places.next_obs[17], expected, rtol=1e-4, atol=1e-5)


def test_the_map_is_the_models_violation_on_the_slice(case):
    view = ViolationView({"damped": case}, x=X, y=Y)
    drawn = view.map("damped", "late", -0.4, VIOLATION)
    line, column = 5, 2
    state = jnp.array([X[column], Y[line]], jnp.float32)
    obs = case.normaliser.normalise(case.system.observe(state))
    expected = violations(case.models["late"], obs[None], jnp.array([[-0.4]]))[0]
    np.testing.assert_allclose(drawn.values[line, column], expected, rtol=1e-4)
    there = violations(case.models["late"], case.rows.obs, case.rows.action)
    np.testing.assert_allclose(drawn.rows[:, 3], there, rtol=1e-5)
    np.testing.assert_allclose(drawn.rows[:, :2], case.states, rtol=1e-5)
    np.testing.assert_array_equal(drawn.shown, np.abs(case.rows.action[:, 0] + 0.4) < 0.25)
    apart = np.concatenate([obs, [-0.4]]) - np.concatenate([case.rows.obs, case.rows.action], 1)
    assert drawn.nearest[line, column] == np.linalg.norm(apart, axis=1).argmin()


@pytest.mark.parametrize("action", [-1.0, 1.0])
@pytest.mark.parametrize("quantity", [VIOLATION, ERROR, DISTANCE])
def test_both_ends_of_every_control(case, action, quantity):
    view = ViolationView({"damped": case}, x=X, y=Y)
    for stage in ("early", "late"):
        figure = view("damped", stage, action, quantity)
        assert np.isfinite(np.asarray(figure.data[0].z, float)).all()
        assert quantity in figure.layout.title.text
        assert f"{action:+.2f}" in figure.layout.title.text


def test_the_true_error_is_measured_against_the_simulator(case):
    drawn = ViolationView({"damped": case}, x=X, y=Y).map("damped", "early", 0.0, ERROR)
    places, model = slice_of(case, 0.0, X, Y), case.models["early"]
    latent = model.encode(places.obs[0], places.action[0])
    step = model.decode_state(model.forward_rate(latent), is_rate=True)
    error = np.sum(np.square(places.next_obs[0] - places.obs[0] - step))
    np.testing.assert_allclose(drawn.values[0, 0], error, rtol=1e-4)


def test_it_explores_and_tells_what_does_not_fit(case):
    explorer = explore_violation({"damped": case, "again": case}, x=X, y=Y)
    assert isinstance(explorer, Explorer)
    assert explorer.values["stage"] == "late"
    explorer.controls["case"].value = "again"
    explorer.controls["stage"].value = "early"
    assert "again, early" in explorer.figure.widget.layout.title.text
    with pytest.raises(UserError, match="at least one case"):
        ViolationView({})
    with pytest.raises(UserError, match="the same stages"):
        ViolationView({"a": case, "b": replace(case, models={"late": case.models["late"]})})
    with pytest.raises(UserError, match=r"`states` must have the shape \(60, 2\)"):
        ViolationView({"a": replace(case, states=case.states[:3])})
    view = ViolationView({"damped": case}, x=X, y=Y)
    with pytest.raises(UserError, match="`stage` must be one of"):
        view("damped", "never", 0.0, VIOLATION)
