"""Performance profiles: what is drawn for each agent, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from toolkit.errors import UserError
from toolkit.evaluation.intervals import performance_profile
from toolkit.figures import profile_figure

SCORES = {
    "bc": np.array([[10.0, 40.0], [20.0, 50.0]]),
    "tsrl": np.array([[-5.0, 120.0]]),
}


def test_a_curve_for_each_agent_and_a_band_where_there_are_several_runs():
    fig = profile_figure(SCORES)
    curves = {trace.name: trace for trace in fig.data if trace.name}
    assert list(curves) == ["bc", "tsrl"]
    bands = [trace for trace in fig.data if trace.fill == "toself"]
    assert [band.legendgroup for band in bands] == ["bc"]
    for name, curve in curves.items():
        np.testing.assert_allclose(curve.y, performance_profile(SCORES[name], np.array(curve.x)))
        assert curve.y[0] == 1.0 or name == "tsrl"  # nothing lies above the lowest score itself
    band, x = bands[0], np.array(curves["bc"].x)
    assert (np.array(band.y[: len(x)]) >= curves["bc"].y).all()
    assert (np.array(band.y[len(x) :])[::-1] <= curves["bc"].y).all()
    assert tuple(fig.layout.xaxis.range) == (-5.0, 120.0)


@pytest.mark.parametrize(
    ("scores", "sentence"),
    [
        ({}, "at least one agent"),
        ({"bc": np.array([[1.0, np.nan]])}, "`bc` must hold finite scores"),
        ({"bc": np.ones(3)}, "`bc` must hold finite scores"),
    ],
)
def test_what_cannot_be_drawn_is_refused(scores, sentence):
    with pytest.raises(UserError, match=sentence):
        profile_figure(scores)
