"""Figures of offline agents, at both ends of what they show."""

from __future__ import annotations

import numpy as np
import pytest

from toolkit.errors import UserError
from toolkit.evaluation.intervals import bootstrap_interval, interquartile_mean, performance_profile
from toolkit.figures import (
    aggregates_figure,
    familiar_figure,
    profile_figure,
    score_curves_figure,
    size_figure,
    trust_figure,
)
from toolkit.figures.offline import MAX_POINTS, NEAR
from toolkit.figures.scores import mean_interval, short

RNG = np.random.default_rng(0)


def traces(figure, name):
    return [trace for trace in figure.data if trace.name == name]


def notes(figure):
    return " ".join(note.text for note in figure.layout.annotations)


def test_shares_of_states_within_each_distance():
    near = np.linspace(0.1, 0.2, 101)
    figure = familiar_figure({"near": near, "far": 10 * near}, step=0.18)
    one, other = figure.data
    for share, distance in zip(one.y, one.x, strict=True):
        assert np.mean(near <= distance + 1e-3) == pytest.approx(share, abs=0.03)
    np.testing.assert_allclose(other.x, 10 * np.array(one.x), rtol=1e-3)
    assert figure.layout.shapes[0].x0 == 0.18
    assert min(familiar_figure({"the same": near * 0}, step=0.18).data[0].x) == NEAR
    with pytest.raises(UserError, match="at least one group"):
        familiar_figure({}, step=0.1)
    with pytest.raises(UserError, match="`near` must be finite"):
        familiar_figure({"near": np.array([np.nan])}, step=0.1)


def test_every_seed_and_their_mean_grow_with_the_training():
    assert not score_curves_figure([]).data  # before the first row
    rows = [{"update": 0.0, "bc/0": 1.0, "bc/1": 3.0},
            {"update": 50.0, "bc/0": 4.0, "bc/1": 6.0, "td3-bc/0": 9.0}]  # fmt: skip
    figure = score_curves_figure(rows, reference=31.0)
    np.testing.assert_allclose(traces(figure, "bc")[0].y, [2.0, 5.0])
    thin = [t for t in figure.data if t.name is None and t.legendgroup == "bc"]
    assert sorted(tuple(t.y) for t in thin) == [(1.0, 4.0), (3.0, 6.0)]
    (alone,) = [t for t in figure.data if t.legendgroup == "td3-bc"]  # one seed has no thin line
    assert tuple(alone.x) == (50.0,)
    assert figure.layout.shapes[0].y0 == 31.0


def test_critics_stand_against_returns_and_boxes_hold_quantiles():
    real = np.linspace(0.1, 300, 400)
    distance = RNG.random(1000)
    figure = trust_figure({"td3": (1e6 * real, real)}, {"bc": distance, "td3": distance + 1})
    (points,) = [t for t in traces(figure, "td3") if t.type == "scatter"]
    assert len(points.x) == MAX_POINTS
    assert min(points.x) == 1.0  # drawn at the edge
    np.testing.assert_allclose(points.y[1:], 1e6 * np.array(points.x[1:]), rtol=1e-2)
    assert 10 ** figure.layout.yaxis.range[1] > 3e8 > 10 ** figure.layout.xaxis.range[1]
    boxes = [t for t in figure.data if t.type == "box"]
    assert [box.name for box in boxes] == ["bc", "td3"]
    np.testing.assert_allclose(boxes[0].median[0], np.median(distance), atol=1e-4)
    np.testing.assert_allclose(boxes[1].upperfence[0], 1 + np.quantile(distance, 0.95), atol=1e-4)
    assert boxes[1].line.color == points.marker.color
    empty = trust_figure({}, {"bc": distance})  # an agent without critics
    assert [t.type for t in empty.data] == ["scatter", "box"]  # the diagonal stays


def test_what_cannot_be_drawn_of_critics_is_refused():
    with pytest.raises(UserError, match="at least one agent"):
        trust_figure({}, {})
    with pytest.raises(UserError, match="`td3` must have 3 returns, got 2"):
        trust_figure({"td3": (np.ones(3), np.ones(2))}, {"td3": np.ones(3)})
    with pytest.raises(UserError, match="`td3` must be finite"):
        trust_figure({"td3": (np.array([np.inf]), np.ones(1))}, {"td3": np.ones(3)})


SIZES = {
    "bc": {5_000: [10.0, 20.0, 60.0], 1_000_000: [50.0]},
    "tsrl": {5_000: [30.0]},
}


@pytest.mark.parametrize("size", [5_000, 1_000_000])
def test_the_dial_at_both_ends(size):
    figure = size_figure(SIZES, size, "Passport.")
    first = traces(figure, "bc")[0]
    assert tuple(first.x) == (5_000, 1_000_000)
    np.testing.assert_allclose(first.y, [30.0, 50.0])
    low, high = mean_interval([10.0, 20.0, 60.0])
    np.testing.assert_allclose(first.error_y.array, [high - 30.0, 0.0])
    np.testing.assert_allclose(first.error_y.arrayminus, [30.0 - low, 0.0])
    rings = [t for t in figure.data if t.marker.color == "white"]
    assert [tuple(t.y) for t in rings] == [
        tuple(found[size]) for found in SIZES.values() if size in found
    ]
    assert figure.layout.shapes[0].x0 == size
    assert "Passport." in notes(figure)
    assert ("No run of tsrl" in notes(figure)) == (size == 1_000_000)
    wanted = "bc 30.0, tsrl 30.0" if size == 5_000 else "bc 50.0"
    assert figure.layout.title.text == f"At {size:,} transitions: {wanted}"


def test_a_dial_without_scores_is_refused_and_sizes_are_short():
    with pytest.raises(UserError, match="at least one score"):
        size_figure({"bc": {}}, 10)
    with pytest.raises(UserError, match="`bc` must be finite"):
        size_figure({"bc": {10: [float("nan")]}}, 10)
    assert [short(n) for n in (500, 5_000, 300_000, 1_000_000, 1_500)] == [
        "500", "5k", "300k", "1M", "1,500",
    ]  # fmt: skip


@pytest.mark.parametrize("runs", [1, 3])
def test_mean_and_iqm_stand_beside_every_set(runs):
    scores = {name: RNG.normal(30, 20, (runs, 4)) for name in ("bc", "tsrl")}
    figure = aggregates_figure(scores, list("HWCR"), "Passport.")
    for values, rings in zip(scores.values(), traces(figure, "a set"), strict=True):
        np.testing.assert_allclose(rings.x, values.mean(axis=0))
        assert tuple(rings.customdata) == tuple("HWCR")
    aggregates = {"mean": lambda s: float(s.mean()), "IQM": interquartile_mean}
    for label, aggregate in aggregates.items():
        for values, mark in zip(scores.values(), traces(figure, label), strict=True):
            middle = aggregate(values)
            assert mark.x[0] == pytest.approx(middle)
            low, high = bootstrap_interval(values, aggregate) if runs > 1 else (middle, middle)
            assert mark.error_x.array[0] == pytest.approx(high - middle)
            assert mark.error_x.arrayminus[0] == pytest.approx(middle - low)
    assert tuple(figure.layout.yaxis.ticktext) == ("bc", "tsrl")
    assert "Passport." in notes(figure)


def test_sets_that_do_not_fit_are_refused():
    with pytest.raises(UserError, match="at least one agent"):
        aggregates_figure({}, [])
    with pytest.raises(UserError, match=r"`bc` must hold scores \(runs, 3\)"):
        aggregates_figure({"bc": np.ones((2, 4))}, list("HWC"))


@pytest.mark.parametrize("marked", [0.0, 100.0])
def test_the_marked_threshold_is_told_in_the_title(marked):
    scores = {"bc": np.array([[10.0, 40.0], [20.0, 50.0]]), "tsrl": np.array([[110.0, -5.0]])}
    figure = profile_figure(scores, marked)
    assert figure.layout.shapes[-1].x0 == marked
    shares = {n: performance_profile(v, np.array([marked]))[0] for n, v in scores.items()}
    told = ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
    assert figure.layout.title.text == f"Runs with a score above {marked:g}: {told}"
    assert not profile_figure(scores).layout.shapes
