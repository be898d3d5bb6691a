"""Coverage, qualities, sub-sampling and endings: each at both ends of its controls."""

from __future__ import annotations

import numpy as np
import pytest

from tests.helpers import unchecked
from toolkit.data import Dataset, load
from toolkit.errors import UserError
from toolkit.figures import (
    coverage_figure,
    endings_figure,
    evidence_figure,
    log_prob_figure,
    qualities_figure,
    stages_figure,
    subsample_figure,
)
from toolkit.figures.coverage import coverage_gap
from toolkit.figures.endings import LAGS, action_lags, last_steps
from toolkit.figures.qualities import LOOKS, MAX_MARKS, episodes_of, looks

RNG = np.random.default_rng(0)
SETS = {
    "narrow": RNG.normal(0, 0.2, (500, 3)),
    "wide": RNG.uniform(-1, 1, (2000, 3)),
    "away": RNG.normal(3, 0.1, (200, 3)),
}


def titles(fig) -> list[str]:
    return [note.text for note in fig.layout.annotations]


def percent(title: str) -> int:
    return int(title.split(": ")[1].rstrip("%"))


def episodes(num: int = 6, length: int = 30, *, seed: int = 0) -> Dataset:
    """Every second episode falls; the state follows the action of its own row."""
    rng = np.random.default_rng(seed)
    rows = num * length
    obs, action = rng.normal(size=(rows, 4)), rng.uniform(-1, 1, (rows, 2))
    after = 0.5 * obs + np.concatenate([action, -action], axis=1)
    last = np.arange(rows) % length == length - 1
    odd = (np.arange(rows) // length) % 2 == 1
    return Dataset.from_arrays(
        obs, action, rng.normal(size=rows), after, terminal=last & odd, timeout=last & ~odd
    )


@pytest.mark.parametrize("num_rows", [1, 100, 100_000])
@pytest.mark.parametrize("dims", [(0, 1), (2, 2)])
@pytest.mark.parametrize("shown", [None, ("wide",), ("wide", "away")])
def test_a_panel_per_set_counts_its_rows(num_rows: int, dims: tuple[int, int], shown):
    fig = coverage_figure(SETS, dims, num_rows, shown)
    names = list(shown or SETS)
    assert len(fig.data) == len(names)
    assert [title.split(":")[0] for title in titles(fig)] == names
    for name, cells in zip(names, fig.data, strict=True):
        codes, count = np.asarray(cells.z), np.asarray(cells.customdata)
        assert np.isfinite(codes).all()  # a browser's JSON has no NaN
        drawn = min(num_rows, len(SETS[name]))
        assert 0.98 * drawn - 2 <= count.sum() <= drawn  # some lie beyond the axes
        np.testing.assert_array_equal(codes >= 0, count > 0)
        np.testing.assert_allclose(10 ** codes[count > 0], count[count > 0])


def test_more_rows_only_add_cells():
    shares = [
        percent(titles(coverage_figure(SETS, (0, 1), n, ("wide",)))[0]) for n in (1, 50, 2000)
    ]
    assert shares == sorted(shares)
    assert shares[0] < 2
    assert percent(titles(coverage_figure({"wide": SETS["wide"]}, (0, 1), 10**6))[0]) == 100


def test_one_constant_coordinate_is_drawn():
    flat = np.column_stack([np.zeros(50), np.linspace(0, 1, 50)])
    assert len(coverage_figure({"flat": flat}, (0, 1), 10).data) == 1


def test_coverage_arguments_are_checked():
    with pytest.raises(UserError, match=r"coordinates in 0..2, got \[0, 3\]"):
        coverage_figure(SETS, (0, 3))
    with pytest.raises(UserError, match="`shown` must name some of .* got \\['none'\\]"):
        coverage_figure(SETS, shown=["none"])
    with pytest.raises(UserError, match="`num_rows` must be at least 1, got 0"):
        coverage_figure(SETS, num_rows=0)
    with pytest.raises(UserError, match="`names` must hold 3 names, got 1"):
        coverage_figure(SETS, names=["x"])


def test_the_gap_is_the_mean_distance_to_the_nearest_row():
    rows, kept = RNG.normal(size=(40, 3)), RNG.normal(size=(7, 3))
    distance = np.sqrt(((rows[:, None] - kept[None]) ** 2).mean(2)).min(1).mean()
    assert coverage_gap(rows, kept) == pytest.approx(distance, rel=1e-9)
    assert coverage_gap(kept, rows) != pytest.approx(distance, rel=1e-2)
    assert coverage_gap(rows, rows) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("sizes", [[10], [10, 100, 1000, 10_000]])
def test_what_is_left_by_size(sizes: list[int]):
    curves = {way: np.linspace(1, 0, len(sizes)) for way in ("rows", "episodes")}
    fig = subsample_figure(sizes, curves, curves, 20)
    assert len(fig.data) == 4
    assert [trace.name for trace in fig.data if trace.showlegend] == ["rows", "episodes"]
    assert sizes[-1] in fig.layout.xaxis.tickvals
    with pytest.raises(UserError, match=f"`rows` must hold {len(sizes)} values"):
        subsample_figure(sizes, {"rows": [1, 2, 3]}, {"rows": [1, 2, 3]}, 20)
    with pytest.raises(UserError, match=r"ways \['rows', 'episodes'\], got \['rows'\]"):
        subsample_figure(sizes, curves, {"rows": curves["rows"]}, 20)


@pytest.mark.parametrize("num", [1, 90])
def test_a_mark_per_episode_and_its_median(num: int):
    data = episodes(num, 5)
    fig = qualities_figure({"medium": data, "my own": data})
    assert len(fig.data) == 2 * 5
    marks, middle = fig.data[0], fig.data[1]
    returns, lengths = episodes_of(data)
    assert len(marks.x) == min(num, MAX_MARKS)
    assert set(marks.x) <= set(returns)
    assert middle.x[0] == pytest.approx(np.median(returns))
    assert (lengths == 5).all()
    assert fig.data[4].line.dash == LOOKS["medium"][1]
    assert sum(fig.data[4].y) == pytest.approx(1)


def test_no_set_is_refused():
    with pytest.raises(UserError, match="at least one dataset"):
        qualities_figure({})


def test_qualities_are_told_apart_twice():
    for part in range(3):
        assert len({look[part] for look in LOOKS.values()}) == len(LOOKS)
    assert looks("unknown", 1) != looks("unknown", 2)


@pytest.mark.parametrize("points", [1, 50])
def test_stages_stand_on_their_curve(points: int):
    curve = [[100.0 * i, float(i)] for i in range(points)]
    fig = stages_figure(curve, {"0000k": (0.0, 0.0), "expert": tuple(curve[-1])}, "hopper")
    line, numbered, named = fig.data
    assert len(line.x) == points
    assert list(numbered.text) == ["0000k"]
    assert list(named.text) == ["expert"]
    assert named.y[0] == curve[-1][1]


def test_log_densities_of_every_size_are_counted():
    values = {"medium": np.array([-500.0, -30.0, 0.0, 4.0]), "expert": np.zeros(3)}
    fig = log_prob_figure(values, -2.0)
    assert [sum(trace.y) for trace in fig.data] == pytest.approx([1, 1])
    assert fig.data[0].y[0] == pytest.approx(0.5)  # the edge holds what lies beyond it
    with pytest.raises(UserError, match="`expert` must be finite"):
        log_prob_figure({"expert": np.array([np.nan])}, -2.0)


@pytest.mark.parametrize("num_steps", [1, 10, 1000])
def test_paths_end_behind_the_last_row(num_steps: int):
    data = episodes(4, 30)
    fell, cut = last_steps(data, num_steps)
    assert [len(fell), len(cut)] == [2, 2]
    assert {len(path) for path in (*fell, *cut)} == {min(num_steps, 30) + 1}
    np.testing.assert_array_equal(cut[0][-1], data.next_observations[29])
    np.testing.assert_array_equal(fell[0][-1], data.next_observations[59])
    fig = endings_figure(fell, cut)
    ends = {trace.name: trace for trace in fig.data if trace.mode == "markers"}
    assert [len(ends[f"marked as {kind}"].x) for kind in ("terminal", "timeout")] == [2, 2]


def test_endings_of_one_kind_alone():
    fell, _ = last_steps(episodes(4, 30), 5)
    assert len(endings_figure(fell, []).data) == 2 + 2
    assert len(endings_figure([], []).data) == 2
    with pytest.raises(UserError, match="`num_steps` must be at least 1"):
        last_steps(episodes(), 0)


def test_the_lag_that_explains_most_is_where_the_action_stands():
    sound = episodes(20, 30)
    assert LAGS[int(np.argmax(action_lags(sound)))] == 0
    for shift in (-2, 1, 3):
        rolled = np.roll(np.asarray(sound.actions), shift, axis=0)
        moved = Dataset.from_arrays(
            np.asarray(sound.observations), rolled, np.asarray(sound.rewards),
            np.asarray(sound.next_observations), terminal=np.asarray(sound.terminal),
            timeout=np.asarray(sound.timeout),
        )  # fmt: skip
        assert LAGS[int(np.argmax(action_lags(moved)))] == shift
    with pytest.raises(UserError, match="episodes of more than 6 rows"):
        action_lags(episodes(40, 5))


def test_evidence_of_real_and_of_silent_files():
    data = load("toolkit/hopper-medium-replay")
    fig = evidence_figure(data, "File X")
    by_name = {trace.name: trace for trace in fig.data}
    ends = [len(by_name[f"marked as {kind}"].x) for kind in ("terminal", "timeout")]
    assert sum(ends) == data.num_episodes
    assert sum(by_name["rewards"].y) == data.num_transitions
    assert sum(by_name["terminal"].y) + sum(by_name["timeout"].y) == data.num_episodes
    assert np.argmax(by_name["explained"].y) == LAGS.index(0)
    silent = Dataset.from_arrays(
        np.asarray(data.observations), np.asarray(data.actions), np.zeros(data.num_transitions),
        np.asarray(data.next_observations), terminal=np.asarray(data.terminal),
    )  # fmt: skip
    only = next(t for t in evidence_figure(silent).data if t.name == "rewards")
    assert list(only.y) == [data.num_transitions]


def test_a_wrong_type_of_row_is_named():
    with unchecked(), pytest.raises(UserError, match="`flat` must be a .time, dims. array"):
        coverage_figure({"flat": np.zeros(5)}, (0, 1), names=["a", "b"])
