"""Learning curves: panels, means, one entry of the legend for each agent, refusals."""

from __future__ import annotations

import numpy as np
import pytest

from tests.helpers import unchecked
from toolkit.errors import UserError
from toolkit.figures import learning_curves_figure

STEPS = np.array([100, 200, 300])
TWO = np.array([[0.0, 10.0, 30.0], [0.0, 20.0, 50.0]])


def test_each_agent_has_its_mean_its_seeds_and_one_entry_in_the_legend():
    tasks = {"a": {"x": (STEPS, TWO), "y": (STEPS, TWO[:1])}, "b": {"x": (STEPS, TWO)}}
    figure = learning_curves_figure(tasks)
    means = [trace for trace in figure.data if trace.mode == "lines+markers"]
    assert [trace.name for trace in means] == ["x", "y", "x"]
    assert [trace.showlegend for trace in means] == [True, True, False]
    np.testing.assert_allclose(means[0].y, [0, 15, 40])
    assert len(figure.data) == 3 + 2 + 2  # seeds of x twice; a single one is its own mean
    assert means[0].line.color == means[2].line.color != means[1].line.color
    assert {annotation.text for annotation in figure.layout.annotations} >= {"a", "b"}
    assert figure.layout.yaxis.rangemode == figure.layout.yaxis2.rangemode == "tozero"


@pytest.mark.parametrize(
    ("tasks", "sentence"),
    [
        ({}, "must hold at least one"),
        ({"a": {}}, "must hold at least one"),
        ({"a": {"x": (STEPS[:2], TWO)}}, "a column for each of the 2 points, got 3"),
    ],
)
def test_what_cannot_be_drawn_is_refused(tasks, sentence):
    with unchecked(), pytest.raises(UserError, match=sentence):
        learning_curves_figure(tasks)
