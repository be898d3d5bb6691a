"""Times beside a reference: ratios, panels, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from toolkit.errors import UserError
from toolkit.figures import speed_figure

LENGTHS = (10, 100)
TIMES = {"koopman": [0.1, 0.4], "gru": [0.1, 0.8], "mlp": [0.2, 0.6]}


def test_ratios_to_the_reference_by_length_and_work():
    fig = speed_figure({"prediction": (LENGTHS, TIMES), "update": ((10,), {"koopman": [3.0]})})
    drawn = {(trace.name, trace.xaxis): (list(trace.x), list(trace.y)) for trace in fig.data}
    assert drawn["koopman", "x"] == ([10, 100], [1.0, 1.0])
    np.testing.assert_allclose(drawn["gru", "x"][1], [1.0, 2.0])
    np.testing.assert_allclose(drawn["mlp", "x"][1], [2.0, 1.5])
    assert drawn["koopman", "x2"] == ([10], [1.0])
    assert [trace.name for trace in fig.data if trace.showlegend] == ["koopman", "gru", "mlp"]
    assert list(fig.layout.xaxis.ticktext) == ["10", "100"]
    for axis in (fig.layout.yaxis, fig.layout.yaxis2):
        assert axis.range[0] < np.log10(0.7) and axis.range[1] > np.log10(2.0)
    other = speed_figure({"prediction": (LENGTHS, TIMES)}, reference="gru")
    np.testing.assert_allclose(other.data[0].y, [1.0, 0.5])
    assert other.layout.yaxis.title.text == "time / time of gru"


@pytest.mark.parametrize(
    ("panels", "words"),
    [
        ({}, "at least one kind of work"),
        ({"update": (LENGTHS, {"gru": [1.0, 2.0]})}, "`update` must hold 'koopman', got gru"),
        ({"update": (LENGTHS, {"koopman": [1.0]})}, "`koopman` must hold 2 times, got 1"),
        ({"update": (LENGTHS, {"koopman": [1.0, 0.0]})}, "`koopman` must be positive"),
        ({"update": (LENGTHS, {"koopman": [1.0, np.nan]})}, "`koopman` must be finite"),
    ],
)
def test_what_cannot_be_compared_is_refused(panels, words):
    with pytest.raises(UserError, match=words):
        speed_figure(panels)
