"""Films, energies and reversal tests as figures."""

from __future__ import annotations

import numpy as np
import pytest

from tests.helpers import unchecked
from toolkit.errors import UserError
from toolkit.figures.reversal import (
    energy_figure,
    pendulum_film_figure,
    return_figure,
    reversal_figure,
)

ANGLES = np.linspace(0.0, np.pi, 12)


def test_a_film_shows_each_pendulum_where_it_is_and_was():
    figure = pendulum_film_figure({"A": ANGLES, "B": ANGLES[::-1]}, 0.05)
    assert len(figure.frames) == 12 and len(figure.data) == 4
    for step in (0, 5, 11):
        data = figure.frames[step].data
        for rod, angle in ((data[1], ANGLES[step]), (data[3], ANGLES[::-1][step])):
            np.testing.assert_allclose([rod.x[1], rod.y[1]], [np.sin(angle), -np.cos(angle)],
                                       atol=1e-3)  # fmt: skip
    assert len(figure.frames[11].data[0].x) == 9  # the tail ends
    assert figure.layout.updatemenus[0].buttons[0].args[1]["frame"]["duration"] == 50
    assert [s.label for s in figure.layout.sliders[0].steps][:2] == ["0.00", "0.05"]


def test_films_that_do_not_fit_are_refused():
    for draw in (pendulum_film_figure, energy_figure):
        with pytest.raises(UserError, match=r"one length, got the lengths \[12, 5\]"):
            draw({"A": ANGLES, "B": ANGLES[:5]}, 0.1)
        with pytest.raises(UserError, match=r"got the lengths \[\]"):
            draw({}, 0.1)
        with pytest.raises(UserError, match="`dt` must be positive"):
            draw({"A": ANGLES}, 0.0)


def test_energies_are_drawn_over_seconds():
    figure = energy_figure({"A": ANGLES, "B": 2 * ANGLES}, 0.1)
    np.testing.assert_allclose(figure.data[1].x, 0.1 * np.arange(12))
    np.testing.assert_allclose(figure.data[1].y, 2 * ANGLES)
    assert figure.data[0].line.dash != figure.data[1].line.dash


def test_reversal_tests_stand_over_equally_spaced_dampings():
    figure = reversal_figure(np.array([0.0, 0.1, 1.0]), {"classical": np.array([0.0, 0.1, 1.0])})
    assert list(figure.data[0].x) == ["0", "0.1", "1"]
    np.testing.assert_array_equal(figure.data[0].y, [1e-8, 0.1, 1.0])  # 0 has no logarithm
    with pytest.raises(UserError, match="`classical` must hold 3 values, got 2"):
        reversal_figure(np.array([0.0, 0.1, 1.0]), {"classical": np.array([0.0, 0.1])})


def test_a_return_says_by_how_much_it_misses():
    there = np.array([[0.5, 1.0], [0.6, 0.8], [0.7, 0.5]])
    figure = return_figure(there, there[::-1])
    assert figure.layout.title.text == "There and back: back at its start"
    missed = there[::-1] + np.array([[0.0, 0.0], [0.0, 0.0], [0.3, 0.4]])
    figure = return_figure(there, missed)
    assert figure.layout.title.text == "There and back: misses its start by 0.5"
    np.testing.assert_allclose(figure.data[1].y, missed[:, 1])
    assert (figure.data[3].x[0], figure.data[3].y[0]) == (0.8, 1.4)
    with unchecked(), pytest.raises(UserError, match="`back` must have the shape"):
        return_figure(there, there[:2])
