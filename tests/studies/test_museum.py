"""Sabotages of a model and a value: each shows on its own instrument, and the others keep still."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.linalg import expm

from toolkit.errors import UserError
from toolkit.exercises.failure_museum import diagnose
from toolkit.studies.museum import (
    DISCOUNT,
    GROWTH,
    ROWS,
    SKIP,
    LinearModel,
    Recording,
    as_dataset,
    least_squares_value,
    model_readings,
    push,
    record,
    value_readings,
)
from toolkit.studies.museum_exhibits import (
    CAUSES,
    EXHIBITS,
    Museum,
    Readings,
    cause_of,
    headlines,
    signs,
)
from toolkit.studies.museum_learning import EncoderReadings, ReverseReadings

WAYS: dict[str, dict[str, Any]] = {
    "unstable": {"growth": GROWTH}, "aliased": {"every": SKIP}, "crossing": {"borders": False},
    "leaked": {"leak": True},
}  # fmt: skip
POINTS = np.arange(1, 4)
ENCODER = EncoderReadings(POINTS, np.array([0.5, 0.4, 0.3]), np.array([1.0, 0.5, 0.2]), 0.4, 2.6)
DEAD = EncoderReadings(POINTS, np.array([0.5, 0.01, 1e-4]), np.array([0.01, 0.005, 0.0]), 0.01, 2.0)


@pytest.fixture(scope="module")
def recording() -> Recording:
    return record()


@pytest.fixture(scope="module")
def museum(recording: Recording) -> Museum:
    """What is fitted is fitted; what is learned has numbers by hand."""
    healthy = Readings(
        model_readings(recording), value_readings(recording), ENCODER, ReverseReadings(0.02, 0.03)
    )
    boards = {cause: replace(healthy, model=model_readings(recording, **way))
              for cause, way in WAYS.items()}  # fmt: skip
    boards["timeouts"] = replace(healthy, value=value_readings(recording, timeouts_end=True))
    boards["collapsed"] = replace(healthy, encoder=DEAD)
    boards["degenerate"] = replace(healthy, reverse=ReverseReadings(0.0, 0.9))
    return Museum(healthy, {cause: boards[cause] for cause in CAUSES})


def test_the_recording_swings_a_little_and_warms(recording: Recording):
    assert recording.obs.shape == (60, 301, 3)
    assert np.abs(recording.obs[..., 0]).max() < 0.9
    warmth = recording.obs[..., 2].mean(axis=1)
    assert (np.diff(warmth) > 0).all() and warmth[-1] - warmth[0] == pytest.approx(10, abs=0.1)
    with pytest.raises(UserError, match="at least 8, got 3"):
        record(num_episodes=3)
    with pytest.raises(UserError, match=f"at least {ROWS}, got 20"):
        record(num_steps=20)


def test_rows_are_the_recorders_and_borders_can_be_taken_off(recording: Recording):
    data = as_dataset(recording, slice(0, 3))
    assert data.num_episodes == 3 and int(data.timeout.sum()) == 3
    np.testing.assert_allclose(data.next_observations[ROWS - 1], recording.obs[0, ROWS], rtol=1e-6)
    loose = as_dataset(recording, slice(0, 3), borders=False)
    assert loose.num_episodes == 1
    np.testing.assert_allclose(loose.next_observations[ROWS - 1], recording.obs[1, 0], rtol=1e-6)
    few = as_dataset(recording, slice(0, 3), every=SKIP)
    assert few.num_transitions == 3 * (ROWS // SKIP)
    np.testing.assert_allclose(few.next_observations[0], recording.obs[0, SKIP], rtol=1e-6)
    np.testing.assert_allclose(few.actions[1], recording.action[0, SKIP : 2 * SKIP].mean(0), 1e-5)
    with pytest.raises(UserError, match=f"1..{ROWS}, got 0"):
        as_dataset(recording, slice(0, 3), every=0)


def test_a_healthy_model_finds_the_pendulum(recording: Recording):
    turn = np.abs(np.angle(model_readings(recording).multipliers)).max() / recording.dt
    assert turn == pytest.approx(np.sqrt(9.81), rel=0.03)


def test_a_model_per_row_is_the_continuous_law():
    generator = np.array([[0.0, 1.0], [-9.0, -0.2]])  # three rad/s: 0.9 of half a turn in 0.95 s
    whole = expm(0.95 * generator)
    gain = np.linalg.solve(generator, (whole - np.eye(2)) @ np.array([[0.0], [1.0]]))
    fine = LinearModel(whole, gain, np.zeros(2), 19).per_row()
    row = expm(0.05 * generator)
    np.testing.assert_allclose(fine.matrix, row, atol=1e-12)
    push_of_a_row = np.linalg.solve(generator, (row - np.eye(2)) @ np.array([[0.0], [1.0]]))
    np.testing.assert_allclose(fine.gain, push_of_a_row, atol=1e-12)


def test_a_mode_that_stands_still_is_held_like_any_other():
    fine = LinearModel(np.eye(1), np.ones((1, 1)), np.zeros(1), 4).per_row()
    assert fine.gain[0, 0] == pytest.approx(0.25)


def test_a_push_moves_the_fastest_eigenvalue_only():
    turn = 0.9 * np.array([[np.cos(1), -np.sin(1), 0], [np.sin(1), np.cos(1), 0], [0, 0, 0.5]])
    values = push(LinearModel(turn, np.zeros((3, 1)), np.zeros(3)), 0.2).multipliers
    np.testing.assert_allclose(sorted(np.abs(values)), [0.45, np.exp(0.2), np.exp(0.2)])
    np.testing.assert_allclose(sorted(np.angle(values)), [-1, 0, 1], atol=1e-12)


def test_a_fitted_value_is_that_of_a_chain_with_known_returns():
    phi = np.eye(3)  # a → b → c → c, a reward of 1 in c
    after, reward = phi[[1, 2, 2]], np.array([0.0, 0.0, 1.0])
    goes_on = least_squares_value(phi, reward, after, np.zeros(3, bool), discount=0.5)
    np.testing.assert_allclose(goes_on, [0.5, 1.0, 2.0])
    ends = np.array([False, True, False])
    np.testing.assert_allclose(
        least_squares_value(phi, reward, after, ends, discount=0.5), [0.0, 0.0, 2.0], atol=1e-12
    )


def test_values_meet_returns_unless_timeouts_end_the_world(recording: Recording):
    right = value_readings(recording)
    assert right.expected.mean() == pytest.approx(right.real.mean(), rel=0.05)
    wrong = value_readings(recording, timeouts_end=True)
    assert wrong.expected.mean() < 0.7 * wrong.real.mean()
    rest = sum(DISCOUNT**k * recording.reward[45, k] for k in range(300))
    assert right.real[0] == pytest.approx(rest)


@pytest.mark.parametrize("cause", CAUSES)
def test_a_cause_shows_on_its_own_instrument_and_on_no_other(museum: Museum, cause: str):
    found = signs(museum.sabotaged[cause], museum.healthy)
    assert found[cause].number > 1.5 * found[cause].limit
    assert [other for other, sign in found.items() if sign.shows] == [cause]
    for other, sign in found.items():
        assert other == cause or sign.number < 0.7 * sign.limit, (other, sign)


def test_nothing_shows_on_the_healthy_board(museum: Museum):
    for cause, sign in signs(museum.healthy, museum.healthy).items():
        assert sign.number < 0.85 * sign.limit, cause


def test_three_reports_look_better_than_the_healthy_one(museum: Museum):
    better = {cause for cause, ratio in headlines(museum).items() if ratio < 1}
    assert better == {"leaked", "collapsed", "degenerate"}
    sizes = [np.sort(np.abs(board.model.multipliers)) for board in
             (museum.healthy, museum.sabotaged["leaked"])]  # fmt: skip
    np.testing.assert_allclose(*sizes, rtol=1e-4)  # the leak flatters by its units alone


def test_every_cause_is_exhibited_once(museum: Museum):
    assert sorted(EXHIBITS) == sorted(CAUSES) and list(EXHIBITS) != list(CAUSES)
    assert museum.exhibit(3) is museum.sabotaged["unstable"]
    for number in (0, 8):
        with pytest.raises(UserError, match=f"1..7, got {number}"):
            cause_of(number)


@pytest.mark.parametrize("exhibit", range(1, 8))
def test_a_diagnosis_is_right_once_and_teaches_otherwise(museum: Museum, exhibit: int):
    said = {cause: diagnose(museum, exhibit, cause) for cause in CAUSES}
    assert [cause for cause, verdict in said.items() if verdict] == [cause_of(exhibit)]
    for cause, verdict in said.items():
        assert "Here " in verdict.message
        assert verdict or "in the healthy run the number is" in verdict.message, cause
    with pytest.raises(UserError, match="must be one of unstable, .*, got 'gremlins'"):
        diagnose(museum, exhibit, "gremlins")
