"""The explorer of encoders: every setting, both ends of the slider, and the nearest pictures."""

from __future__ import annotations

import numpy as np
import pytest

from toolkit.agents.self_prediction import SelfPredictionModel
from toolkit.errors import UserError
from toolkit.figures.images import data_uri, enlarged_png
from toolkit.figures.pixels import mosaic
from toolkit.studies.encoders import EncoderHistory, Stacks
from toolkit.widgets import TargetSetting, explore_encoders
from toolkit.widgets.explorer import Explorer
from toolkit.widgets.pixels import NEIGHBOURS, EncoderView

ROWS = 12
NO_MODEL = object.__new__(SelfPredictionModel)  # which nothing here asks for
RNG = np.random.default_rng(0)
STACKS = Stacks(
    RNG.integers(0, 255, (ROWS, 8, 8, 6)).astype(np.uint8),
    {"rate": np.arange(ROWS, dtype=float), "sine": RNG.normal(size=ROWS)},
)


def history(seed, rows=ROWS):
    rng = np.random.default_rng(seed)
    points = np.arange(3)
    probes = {name: rng.uniform(size=3) for name in STACKS.truth}
    return EncoderHistory(
        points, np.array([np.nan, 1.0, 0.1]), rng.uniform(size=3), rng.uniform(1, 4, 3), probes,
        np.array([1.0, 0.5]), rng.normal(size=(rows, 2)), NO_MODEL,
    )  # fmt: skip


RUNS = {
    TargetSetting(rate, stop, steps): history(10 * steps + 3 * int(rate) + stop)
    for rate, stop in ((0.0, True), (1.0, True), (1.0, False)) for steps in (1, 5)
}  # fmt: skip


def test_it_shows_the_pictures_nearest_in_feature_space():
    view = EncoderView(RUNS, STACKS)
    figure = view(1.0, True, 5, 4)
    features = RUNS[TargetSetting(1.0, True, 5)].features
    order = np.argsort(np.linalg.norm(features - features[4], axis=1))[: NEIGHBOURS + 1]
    strip = mosaic(STACKS.last[order], NEIGHBOURS + 1)
    assert figure.layout.images[0].source == data_uri(enlarged_png(strip, 10), "png")
    captions = [a.text for a in figure.layout.annotations if "rad/s" in a.text]
    assert captions == ["<b>+4.0 rad/s</b>", *(f"+{row}.0 rad/s" for row in order[1:])]


def test_a_slow_copy_has_no_gradient_to_stop():
    view = EncoderView(RUNS, STACKS)
    one, other = view(0.0, True, 1, 0), view(0.0, False, 1, 0)
    np.testing.assert_array_equal(one.data[1].y, other.data[1].y)
    assert "nothing to stop" in other.layout.title.text
    assert "nothing to stop" not in one.layout.title.text
    assert view(1.0, True, 1, 0).data[1].y != view(1.0, False, 1, 0).data[1].y


def test_runs_must_be_complete_and_of_the_same_pictures():
    part = dict(list(RUNS.items())[:-1])
    with pytest.raises(UserError, match="`runs` must hold one for TargetSetting"):
        EncoderView(part, STACKS)
    with pytest.raises(UserError, match="`held_out` must hold the 11 stacks"):
        EncoderView(RUNS | {TargetSetting(1.0, False, 5): history(0, 11)}, STACKS)


def test_it_explores_at_both_ends_of_every_control():
    explorer = explore_encoders(RUNS, STACKS, rate=0.0)
    assert isinstance(explorer, Explorer)
    values = {"rate": (0.0, 1.0), "stop_gradient": (False, True), "steps": (1, 5),
              "query": (0, ROWS - 1)}  # fmt: skip
    for name, ends in values.items():
        for value in ends:
            explorer.controls[name].value = value
            assert explorer.error == "", explorer.error
