"""The eigenvalue plane without a browser: what its traits do, as a browser would set them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from toolkit.data import Dataset, Normaliser, Window, WindowSampler
from toolkit.dynamics.interface import Heads
from toolkit.errors import UserError
from toolkit.evaluation.prediction import TrainedDynamics
from toolkit.spectral import Spectrum
from toolkit.spectral.koopman import KoopmanDynamics
from toolkit.widgets import EigenPlane

START = 0.95 * np.exp(1j * np.array([0.2, 1.0, 2.0]))


def rollout(multipliers: np.ndarray) -> np.ndarray:
    if abs(multipliers[0]) > 2:
        raise ValueError("too large\nand more")
    return (multipliers[None, :] ** np.arange(21)[:, None]).real[:, :2]


@pytest.fixture
def plane() -> EigenPlane:
    return EigenPlane(START, dt=0.1, rollout=rollout, truth=rollout(START), labels=["a", "b"])


def now(plane: EigenPlane, panel: int) -> np.ndarray:
    """The present curve of a panel; panel 0 is the impulse response."""
    return np.asarray(next(c["y"] for c in plane.curves[panel]["curves"] if c["role"] == "model"))


def pairs(multipliers: np.ndarray) -> list[list[float]]:
    return np.stack([multipliers.real, multipliers.imag], 1).tolist()


def moved(mode: int, multiplier: complex) -> np.ndarray:
    return np.where(np.arange(3) == mode, multiplier, START)


def from_browser(plane: EigenPlane, **state: Any) -> None:
    """What arrives in one message of the browser."""
    plane.set_state(state)


def test_a_moved_eigenvalue_redraws_response_and_rollout(plane: EigenPlane):
    from_browser(plane, points=pairs(moved(1, 0.5j)), selected=1)
    np.testing.assert_allclose(now(plane, 0), (0.5j ** np.arange(100)).real, atol=1e-5)
    np.testing.assert_allclose(now(plane, 2), (0.5j ** np.arange(21)).real, atol=1e-5)
    np.testing.assert_allclose(now(plane, 1), rollout(START)[:, 0], atol=1e-5)
    assert [panel["title"] for panel in plane.curves[1:]] == ["a", "b"]


def test_each_move_is_one_step_of_the_history(plane: EigenPlane):
    for part in (0.6, 0.5, 0.4):  # one drag: many messages, then the gesture
        from_browser(plane, points=pairs(moved(0, part)))
    from_browser(plane, gesture=1)
    plane.move(1, 0.3j)
    plane.undo()
    np.testing.assert_allclose(plane.multipliers, moved(0, 0.4))
    plane.undo()
    np.testing.assert_allclose(plane.multipliers, START)
    assert (plane.can_undo, plane.can_redo) == (False, True)
    plane.undo()  # nothing left: nothing happens
    plane.redo()
    np.testing.assert_allclose(plane.multipliers, moved(0, 0.4))


def test_a_new_move_forgets_what_was_taken_back(plane: EigenPlane):
    plane.move(0, 0.5)
    plane.undo()
    plane.move(0, 0.7)
    assert not plane.can_redo
    plane.redo()
    np.testing.assert_allclose(plane.multipliers, moved(0, 0.7))


def test_snapping_back_is_a_move_too(plane: EigenPlane):
    plane.move(0, 0.5)
    plane.move(1, 0.5)
    from_browser(plane, selected=1, command=["snap", 1])
    np.testing.assert_allclose(plane.multipliers, moved(0, 0.5))
    from_browser(plane, command=["snap all", 2])
    np.testing.assert_allclose(plane.multipliers, START)
    from_browser(plane, command=["undo", 3])
    np.testing.assert_allclose(plane.multipliers, moved(0, 0.5))


def test_a_failing_rollout_is_told_and_raised(plane: EigenPlane):
    with pytest.raises(ValueError, match="too large"):
        plane.move(0, 3.0)
    assert plane.error == "ValueError: too large"
    from_browser(plane, points=pairs(START))
    assert plane.error == ""


def test_an_order_survives_a_move_that_fails_in_the_same_message(plane: EigenPlane):
    with pytest.raises(ValueError, match="too large"):
        from_browser(plane, points=pairs(moved(0, 5.0)), gesture=1, command=["snap all", 1])
    np.testing.assert_allclose(plane.multipliers, START)
    assert plane.error == ""


def test_many_modes_show_all_and_offer_the_strongest():
    weights = np.arange(256.0)
    start = np.exp(1j * np.linspace(0, 3, 256))
    plane = EigenPlane(start, dt=0.1, weights=weights, prominent=4)
    assert plane.selectable == [252, 253, 254, 255]
    assert len(plane.points) == 256
    assert len(plane.curves) == 1  # no rollout, no panels of it


def test_the_rollout_runs_once_per_change():
    calls: list[int] = []
    plane = EigenPlane(START, dt=0.1, rollout=lambda z: calls.append(1) or rollout(z))
    assert len(calls) == 1
    plane.selected = 2  # draws another impulse response only
    assert len(calls) == 1
    plane.move(2, 0.5)
    assert len(calls) == 2


def test_a_broken_rollout_fails_in_its_cell():
    with pytest.raises(ZeroDivisionError):
        EigenPlane(START, dt=0.1, rollout=lambda _z: 1 / 0)
    with pytest.raises(UserError, match=r"must return \(horizon \+ 1, obs\)"):
        EigenPlane(START, dt=0.1, rollout=lambda z: z.real)


def test_wrong_input_is_named(plane: EigenPlane):
    with pytest.raises(UserError, match="`dt` must be positive, got 0"):
        EigenPlane(START, dt=0.0)
    with pytest.raises(UserError, match="`prominent` must be at least 1, got 0"):
        EigenPlane(START, dt=0.1, prominent=0)
    with pytest.raises(UserError, match="`horizon` must be at least 2, got 1"):
        EigenPlane(START, dt=0.1, horizon=1)
    with pytest.raises(UserError, match=r"`points` must be finite and of shape \(3, 2\)"):
        plane.points = [[0.0, float("nan")]] * 3
    with pytest.raises(UserError, match=r"`selected` must be one of \[0, 1, 2\], got 7"):
        plane.selected = 7


@pytest.fixture
def trained(getkey: Any) -> TrainedDynamics:
    heads = Heads(3, 16, hidden=8, key=getkey())
    model = KoopmanDynamics(heads, Spectrum(8, key=getkey()), 3, 2, key=getkey())
    return TrainedDynamics(model, Normaliser.fit(np.random.default_rng(0).normal(2, 3, (50, 3))))


@pytest.fixture
def window(getkey: Any) -> Window:
    rng = np.random.default_rng(1)
    data = Dataset.from_arrays(
        rng.normal(size=(60, 3)), rng.normal(size=(60, 2)), rng.normal(size=60)
    )
    return WindowSampler(data, 20).sample(2, key=getkey())


def test_a_trained_model_is_drawn_as_it_predicts(trained: TrainedDynamics, window: Window):
    plane = EigenPlane.of_model(trained, window, dt=0.05, dims=(2, 0), labels=["c", "a"], sample=1)
    predicted = np.asarray(trained.predict(window.obs[0, 1], window.action[:, 1]).obs)
    np.testing.assert_allclose(now(plane, 1), predicted[:, 2], rtol=1e-4, atol=1e-4)
    truth = np.asarray(plane.curves[2]["curves"][0]["y"])
    np.testing.assert_allclose(truth, np.asarray(window.obs)[:, 1, 0], rtol=1e-4)
    before = now(plane, 1)
    plane.move(plane.selected, 0.2)
    assert np.abs(now(plane, 1) - before).max() > 1e-4
    plane.snap_back()
    np.testing.assert_array_equal(now(plane, 1), before)


def test_only_a_model_with_a_spectrum_has_a_plane(trained: TrainedDynamics, window: Window):
    with pytest.raises(UserError, match=r"`dims` must name coordinates in 0\.\.2, got \(3,\)"):
        EigenPlane.of_model(trained, window, dt=0.05, dims=(3,))
    with pytest.raises(UserError, match=r"`sample` must lie in 0\.\.1, got 2"):
        EigenPlane.of_model(trained.model, window, dt=0.05, sample=2)
