"""Figures of augmented samples: groups, thresholds, curves, and both ends of what they show."""

from __future__ import annotations

import numpy as np
import pytest

from toolkit.errors import UserError
from toolkit.figures.augmentation import (
    MAX_POINTS,
    by_noise_figure,
    error_of_kept,
    filter_figure,
    gate_figure,
    kept_error_figure,
    reach_figure,
)

RNG = np.random.default_rng(0)
SAMPLES = 200
PLANE, SYMMETRY = RNG.normal(size=(SAMPLES, 2)), RNG.lognormal(-5, 1, SAMPLES)
DATA, ERRORS = RNG.lognormal(-5, 1, 500), RNG.lognormal(-3, 1, SAMPLES)
SCALES = [0.01, 0.1, 1.0]


def trace(figure, name):
    return next(t for t in figure.data if t.name == name)


def passing(threshold: float) -> np.ndarray:
    return np.less_equal(SYMMETRY, threshold)


def drawn(threshold: float, **changes):
    parts = {"plane": PLANE, "violation": SYMMETRY, "kept": passing(threshold),
             "data_violation": DATA, "threshold": threshold, "errors": ERRORS}  # fmt: skip
    return filter_figure(**(parts | changes))


def test_the_filter_splits_samples_and_errors():
    threshold = float(np.quantile(DATA, 0.7))
    figure, kept = drawn(threshold), passing(threshold)
    first = kept[:MAX_POINTS]
    np.testing.assert_array_equal(trace(figure, "kept").x, PLANE[:MAX_POINTS][first, 0])
    np.testing.assert_array_equal(trace(figure, "rejected").y, PLANE[:MAX_POINTS][~first, 1])
    title = figure.layout.title.text
    assert title.startswith(f"{kept.mean():.0%} kept; median true error")
    assert f"{np.median(ERRORS[kept]):.3f} kept" in title
    assert f"{np.median(ERRORS[~kept]):.3f} rejected" in title
    lines = [shape.x0 for shape in figure.layout.shapes]
    medians = [np.median(ERRORS[kept]), np.median(ERRORS[~kept])]
    np.testing.assert_allclose(lines, np.log10([threshold, *medians]))
    for t in figure.data[2:]:  # histograms hold everything, also what lies outside of the axis
        assert np.sum(t.y[1:-1:2]) == pytest.approx(1)


@pytest.mark.parametrize("threshold", [0.0, 1e9])
def test_a_filter_may_keep_nothing_or_everything(threshold):
    figure = drawn(threshold)
    empty, full = ("kept", "rejected") if threshold == 0 else ("rejected", "kept")
    assert len(trace(figure, empty).x) == 0
    assert len(trace(figure, full).x) == MAX_POINTS
    title = figure.layout.title.text
    assert title.endswith(f"{np.median(ERRORS):.3f} {full}")
    assert f" {empty}" not in title.partition(";")[2]


def test_without_a_simulator_a_sentence_stands_there():
    figure = drawn(0.01, errors=None, without_errors="No simulator.")
    assert "No simulator." in [note.text for note in figure.layout.annotations]
    assert "error" not in figure.layout.title.text
    with pytest.raises(UserError, match="`errors` must hold 200 values, got 3"):
        drawn(0.01, errors=ERRORS[:3])


def test_intervals_stand_beside_each_other_and_gaps_are_left_out():
    middle = np.array([0.1, 0.2, np.nan])
    curves = {"kept": (middle, middle - 0.01, middle + 0.03), "rejected": (np.ones(3),) * 3}
    figure = by_noise_figure(SCALES, curves, title="t", quantity="q")
    kept, rejected = figure.data
    np.testing.assert_allclose(kept.y, [0.1, 0.2])
    np.testing.assert_allclose(kept.error_y.array, [0.03] * 2)
    np.testing.assert_allclose(kept.error_y.arrayminus, [0.01] * 2)
    assert kept.x[0] < 0.01 < rejected.x[0] and len(rejected.x) == 3
    assert figure.layout.yaxis.type == "log"
    linear = by_noise_figure(SCALES, curves, title="t", quantity="q", log=False)
    assert linear.layout.yaxis.type is None
    with pytest.raises(UserError, match="at least one group"):
        by_noise_figure(SCALES, {}, title="t", quantity="q")
    with pytest.raises(UserError, match="`kept` must hold 3 values, got 2"):
        by_noise_figure(SCALES, {"kept": (middle[:2],) * 3}, title="t", quantity="q")


def test_the_error_of_what_is_kept_is_a_mean_over_the_smallest():
    criterion, errors = np.array([3.0, 1.0, 2.0, 4.0]), np.array([10.0, 1.0, 4.0, 5.0])
    found = error_of_kept(criterion, errors, np.array([0.0, 0.25, 0.5, 0.75, 1.0]))
    np.testing.assert_allclose(found, [1, 1, 2.5, 5, 5])


def test_no_criterion_beats_the_errors_themselves():
    figure = kept_error_figure(ERRORS, {"noise": SYMMETRY, "sound": ERRORS**2}, title="t")
    best = trace(figure, "the error itself").y
    np.testing.assert_allclose(trace(figure, "sound").y, best)
    assert (np.asarray(trace(figure, "noise").y) >= np.asarray(best) - 1e-12).all()
    for t in figure.data:
        assert t.y[-1] == pytest.approx(ERRORS.mean())
    with pytest.raises(UserError, match="at least one, got none"):
        kept_error_figure(ERRORS, {}, title="t")
    with pytest.raises(UserError, match="`noise` must hold 200 values, got 5"):
        kept_error_figure(ERRORS, {"noise": SYMMETRY[:5]}, title="t")


def test_reach_and_error_of_every_kind_of_noise():
    kinds = {"plain": (np.array([0.1, 0.2, np.nan]), np.array([0.01, 0.1, 1.0]))}
    figure = reach_figure(kinds, SCALES, title="t", change=0.2)
    np.testing.assert_allclose(figure.data[0].x, [0.1, 0.2])
    np.testing.assert_allclose(figure.data[0].customdata, SCALES[:2])
    assert figure.layout.shapes[0].y0 == 0.2
    assert figure.layout.annotations[0].y == pytest.approx(np.log10(0.2))
    assert not reach_figure(kinds, SCALES, title="t").layout.shapes
    with pytest.raises(UserError, match="`plain` must hold 2 values, got 3"):
        reach_figure(kinds, SCALES[:2], title="t")
    with pytest.raises(UserError, match="at least one augmentation"):
        reach_figure({}, SCALES, title="t")


def test_gates_over_the_quantile():
    taus = np.linspace(0, 1, 5)
    figure = gate_figure(taus, {"per sample": taus}, title="t", marked=0.7)
    np.testing.assert_array_equal(figure.data[0].y, taus)
    assert figure.layout.shapes[0].x0 == 0.7
    assert not gate_figure(taus, {"per sample": taus}, title="t", marked=None).layout.shapes
    with pytest.raises(UserError, match="`per batch` must hold 5 values, got 2"):
        gate_figure(taus, {"per batch": taus[:2]}, title="t", marked=None)
    with pytest.raises(UserError, match="at least one, got none"):
        gate_figure(taus, {}, title="t", marked=None)
