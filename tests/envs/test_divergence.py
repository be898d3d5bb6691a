"""The first visible divergence, on sequences in which it is known."""

from __future__ import annotations

import numpy as np
import pytest

from toolkit.envs import ROBOTS
from toolkit.envs.divergence import Divergence, first_divergence
from toolkit.errors import UserError

mujoco = pytest.importorskip("mujoco")
pytest.importorskip("gymnasium")


def standing(steps: int = 20) -> np.ndarray:
    """A hopper that stands, `(steps, 11)`."""
    obs = np.zeros((steps, 11))
    obs[:, 0] = 1.25
    return obs


def reach_of_the_foot() -> float:
    """From the ankle to the far end of the foot, metres."""
    model = ROBOTS["hopper"].model()
    data = mujoco.MjData(model)
    data.qpos[:] = model.qpos0
    mujoco.mj_forward(model, data)
    foot = model.geom("foot_geom").id
    axis = data.geom_xmat[foot].reshape(3, 3)[:, 2] * model.geom_size[foot, 1]
    ends = data.geom_xpos[foot] + np.array([[-1], [1]]) * axis
    return float(np.linalg.norm(ends - data.xanchor[model.joint("foot_joint").id], axis=1).max())


def test_equal_sequences_never_diverge():
    found = first_divergence(standing(), standing(), "hopper")
    np.testing.assert_array_equal(found.distance, np.zeros(20))
    assert (found.step, found.threshold, found.dt) == (None, 0.05, pytest.approx(0.008))
    assert found.marker() == "no visible divergence: never more than 0.05 m apart"
    assert found.warning() == ""


def test_an_offset_in_one_joint_moves_the_foot_along_a_chord():
    predicted, angle = standing(), 0.4
    predicted[7:, 4] = angle
    found = first_divergence(standing(), predicted, "hopper")
    chord = 2 * reach_of_the_foot() * np.sin(angle / 2)
    np.testing.assert_allclose(found.distance[:7], 0)
    np.testing.assert_allclose(found.distance[7:], chord)
    assert found.step == 7
    assert found.marker() == "first visible divergence: step 7, 0.056 s"
    assert first_divergence(standing(), predicted, "hopper", 0.99 * chord).step == 7
    assert first_divergence(standing(), predicted, "hopper", 1.01 * chord).step is None


def test_it_begins_where_the_threshold_is_passed():
    predicted = standing()
    predicted[:, 0] += 0.01 * np.arange(20)  # it rises by a centimetre at each step
    found = first_divergence(standing(), predicted, "hopper", dt=0.5)
    np.testing.assert_allclose(found.distance, 0.01 * np.arange(20), atol=1e-12)
    assert first_divergence(standing(), predicted, "hopper", 0.0501, dt=0.5).step == 6
    assert first_divergence(standing(), predicted, "hopper", 0.0499, dt=0.5).when(5) == (
        "step 5, 2.500 s"
    )


def test_a_robot_that_is_faster_in_the_same_posture_has_not_diverged():
    predicted = standing()
    predicted[:, 5] = 3.0
    assert first_divergence(standing(), predicted, "hopper").distance.max() == 0


def test_what_is_not_a_number_is_a_divergence():
    predicted = standing()
    predicted[12, 8] = np.nan
    found = first_divergence(standing(), predicted, "hopper")
    assert found.step == 12
    assert found.missing.tolist() == found.odd.tolist() == [k == 12 for k in range(20)]
    assert found.warning() == (
        "From step 12, 0.096 s it holds states that are not finite, drawn as the last one that "
        "was (shaded)."
    )


def test_what_explodes_stays_on_the_scale_of_a_robot():
    predicted = standing()
    predicted[3:] = -1e38
    found = first_divergence(standing(), predicted, "hopper")
    assert found.step == 3
    assert found.clipped.tolist() == [k >= 3 for k in range(20)]
    assert 0.1 < found.distance[3:].min() <= found.distance[3:].max() < 4
    assert found.warning().startswith("From step 3, 0.024 s the prediction holds states that no")


def test_distances_of_one_s_own():
    found = Divergence(np.array([0.0, np.inf, 0.2]), threshold=0.1, dt=2.0)
    assert found.step == 1 and found.missing.tolist() == [False, True, False]
    assert not found.clipped.any()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"distance": np.zeros((2, 2))}, r"`distance` must be \(time,\) .* \(2, 2\)"),
        ({"distance": np.array([-1.0])}, "not negative"),
        ({"clipped": np.zeros(3, bool)}, r"`clipped` must be \(2,\) .* got \(3,\)"),
        ({"threshold": 0.0}, r"`threshold` must be positive, got 0\.0"),
        ({"dt": np.inf}, "`dt` must be positive, got inf"),
    ],
)
def test_wrong_numbers_are_named(change, words):
    with pytest.raises(UserError, match=words):
        Divergence(**({"distance": np.zeros(2)} | change))


def test_wrong_observations_are_named():
    broken = standing()
    broken[4:6] = np.nan
    with pytest.raises(UserError, match="`true_obs` must be finite, got 2 of 20 states"):
        first_divergence(broken, standing(), "hopper")
    with pytest.raises(UserError, match="`predicted_obs` must hold 20 states .* got 19"):
        first_divergence(standing(), standing(19), "hopper")
    with pytest.raises(UserError, match=r"`predicted_obs` of hopper must be \(time, 11\)"):
        first_divergence(standing(), np.zeros((20, 17)), "hopper")
