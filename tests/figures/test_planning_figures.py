"""Figures of plans: candidates and elites, controllers, horizons."""

from __future__ import annotations

import numpy as np
import pytest

from toolkit.errors import UserError
from toolkit.figures.planning import MAX_DRAWN, by_horizon_figure, control_figure, plan_figure

RNG = np.random.default_rng(0)
PATHS, VALUES = np.cumsum(RNG.normal(size=(200, 6)), axis=1), RNG.normal(size=200)
ELITES = np.sort(VALUES)[-20] <= VALUES


def drawn(**changes):
    parts = {"candidates": PATHS, "elites": ELITES, "values": VALUES, "dt": 0.1,
             "believed": PATHS[0], "happened": PATHS[1], "goal": 2.0}  # fmt: skip
    return plan_figure(**(parts | changes))


def trace(figure, name):
    return next(t for t in figure.data if t.name == name)


def test_a_plan_shows_candidates_elites_belief_and_truth():
    figure = drawn()
    others = np.array(trace(figure, "candidates").y, float).reshape(MAX_DRAWN, 7)
    np.testing.assert_allclose(others[:, :6], PATHS[~ELITES][:MAX_DRAWN], atol=1e-3)
    assert np.isnan(others[:, 6]).all()  # gaps between the curves
    best = np.array(trace(figure, "elites").y, float).reshape(20, 7)
    np.testing.assert_allclose(best[:, :6], PATHS[ELITES], atol=1e-3)
    np.testing.assert_allclose(trace(figure, "the plan, as believed").y, PATHS[0], atol=1e-4)
    np.testing.assert_allclose(trace(figure, "what happened").x, 0.1 * np.arange(6))
    bars = [t for t in figure.data if t.type == "bar"]
    assert [sum(bar.y) for bar in bars] == [180, 20]
    assert min(np.array(bars[1].x)[np.array(bars[1].y) > 0]) > np.median(VALUES)
    assert figure.layout.shapes[0].y0 == 2.0
    assert all(t.name != "what happened" for t in drawn(happened=None).data)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"elites": ELITES[:-1]}, "`elites` must hold 200 entries, got 199"),
        ({"elites": np.zeros(200, bool)}, "at least one candidate"),
        ({"believed": PATHS[0, :-1]}, "must hold 6 values, got 5"),
        ({"dt": 0.0}, "`dt`"),
    ],
)
def test_what_does_not_fit_a_plan_is_refused(changes, sentence):
    with pytest.raises(UserError, match=sentence):
        drawn(**changes)


def test_controllers_have_their_states_above_their_actions():
    states = {"one": PATHS[0], "two": PATHS[1]}
    actions = {"one": VALUES[:5], "two": VALUES[5:10]}
    figure = control_figure(states, actions, dt=0.5, goal=0.0)
    first, taken, *_ = figure.data
    np.testing.assert_allclose(first.y, PATHS[0], atol=1e-4)
    np.testing.assert_allclose(taken.x, 0.5 * np.arange(5))
    assert taken.line.shape == "hv" and first.line.color == taken.line.color
    with pytest.raises(UserError, match="the same controllers"):
        control_figure(states, {"one": VALUES[:5]}, dt=0.5)
    with pytest.raises(UserError, match="one more than its 6 actions, got 6"):
        control_figure({"one": PATHS[0]}, {"one": VALUES[:6]}, dt=0.5)


def test_returns_by_horizon_are_means_over_starts():
    returns = {"koopman": RNG.normal(size=(3, 4)), "mlp": RNG.normal(size=(3, 4))}
    figure = by_horizon_figure([3, 6, 12], returns)
    np.testing.assert_allclose(trace(figure, "koopman").y, returns["koopman"].mean(1), atol=1e-2)
    assert len(figure.data[0].y) == 12
    with pytest.raises(UserError, match="`mlp` must hold 2 horizons, got 3"):
        by_horizon_figure([3, 6], {"mlp": returns["mlp"]})
    with pytest.raises(UserError, match="at least one"):
        by_horizon_figure([3], {})
