"""Figures of symmetries: what they draw, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

from toolkit.errors import UserError
from toolkit.figures.symmetry import (
    by_displacement_figure,
    commutators_figure,
    shifted_robots_figure,
    two_ways_figure,
)
from toolkit.figures.theme import UNSTABLE, colour

RNG = np.random.default_rng(0)
PATH = np.cumsum(RNG.normal(size=(9, 2)), axis=0)
FRAMES = RNG.integers(0, 255, (5, 20, 24, 3)).astype(np.uint8)


def test_two_ways_end_where_their_paths_end():
    figure = two_ways_figure(PATH, PATH + 1, PATH + 2, title="apart")
    for trace, shift in zip(figure.data, (0, 1, 2), strict=False):
        np.testing.assert_allclose(trace.y, PATH[:, 1] + shift, atol=1e-4)
    ends = figure.data[3]
    np.testing.assert_allclose(ends.x, PATH[-1, 0] + [1, 2])
    assert figure.layout.title.text == "apart"
    with pytest.raises(UserError, match="`restarted`"):
        two_ways_figure(PATH, PATH, PATH[:-1], title="")
    with pytest.raises(UserError, match=r"`path` must be \(time, 2\)"):
        two_ways_figure(RNG.normal(size=(4, 3)), np.zeros((4, 3)), np.zeros((4, 3)), title="")


def test_commutators_stand_below_their_generators():
    operator = RNG.normal(size=(4, 4))
    figure = commutators_figure(operator, {"itself": operator, "other": operator.T}, title="")
    itself, blank, other, left = (np.array(trace.z)[::-1] for trace in figure.data)
    np.testing.assert_allclose(itself, operator, atol=1e-4)
    assert not blank.any()
    np.testing.assert_allclose(other, operator.T, atol=1e-4)
    np.testing.assert_allclose(left, operator @ operator.T - operator.T @ operator, atol=1e-4)
    share = np.linalg.norm(left) / np.linalg.norm(operator)
    texts = [axis.title.text for axis in figure.select_xaxes() if axis.title.text]
    assert texts == ["‖Kσ − σK‖ = 0.0e+00·‖σ‖", f"‖Kσ − σK‖ = {share:.1e}·‖σ‖"]
    with pytest.raises(UserError, match="at least one"):
        commutators_figure(operator, {}, title="")
    with pytest.raises(UserError, match="`small`"):
        commutators_figure(operator, {"small": np.eye(3)}, title="")


def test_flagged_robots_stand_out():
    flagged = [False, True, False, False, True]
    figure = shifted_robots_figure(FRAMES, list("abcde"), flagged, title="")
    assert len(figure.layout.images) == 5
    assert [shape.line.color == UNSTABLE for shape in figure.layout.shapes] == flagged
    notes = figure.layout.annotations
    assert [note.text for note in notes] == list("abcde")
    assert [note.font.color == UNSTABLE for note in notes] == flagged
    assert figure.layout.images[3].y < figure.layout.images[0].y  # the second row
    with pytest.raises(UserError, match="must hold 5 entries, got 5 and 4"):
        shifted_robots_figure(FRAMES, list("abcde"), flagged[:4], title="")
    with pytest.raises(UserError, match="must be pixels"):
        shifted_robots_figure(FRAMES[0], list("abcde"), flagged, title="")


def test_curves_share_a_colour_over_panels_and_the_reference_is_at_1():
    curve = np.array([0.1, 1.0]), np.array([0.8, np.nan])
    panels = {"one": {"spectral": curve, "noise": curve}, "two": {"noise": curve}}
    figure = by_displacement_figure(panels, title="", quantity="error", reference="moved along")
    assert [trace.name for trace in figure.data] == ["spectral", "noise", "noise"]
    assert [trace.line.color for trace in figure.data] == [
        colour("spectral"), colour("noise"), colour("noise"),
    ]  # fmt: skip
    assert [bool(trace.showlegend) for trace in figure.data] == [True, True, False]
    assert all(len(trace.y) == 1 for trace in figure.data)  # what is not a number is left out
    assert [shape.y0 for shape in figure.layout.shapes] == [1.0, 1.0]
    assert any(note.text == "moved along" for note in figure.layout.annotations)
    assert not by_displacement_figure(panels, title="", quantity="").layout.shapes
    with pytest.raises(UserError, match="at least one"):
        by_displacement_figure({}, title="", quantity="")
    with pytest.raises(UserError, match="`noise` must hold 2 values, got 1"):
        by_displacement_figure({"one": {"noise": (np.ones(2), np.ones(1))}}, title="", quantity="")
