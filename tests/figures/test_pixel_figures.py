"""Figures of pixels: pictures pixel by pixel, bars of probes, panels of curves, one encoder."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from toolkit.errors import UserError
from toolkit.figures.pixels import (
    curves_figure,
    encoder_figure,
    mosaic,
    pictures_figure,
    probes_figure,
)

RNG = np.random.default_rng(0)
FRAMES = RNG.integers(0, 255, (5, 6, 8, 3)).astype(np.uint8)
X = np.arange(4)
CURVES = {"loss": (X, np.array([np.nan, 1.0, 0.1, 0.01])), "spread": (X, X + 1.0), "rank": (X, X)}


def strips(figure):
    """The pictures of a figure at their own size."""
    png = [base64.b64decode(i.source.split(",")[1]) for i in figure.layout.images]
    shown = [np.asarray(Image.open(io.BytesIO(data)).convert("RGB")) for data in png]
    return [large[:: len(large) // 6, :: len(large) // 6] for large in shown]


def test_a_mosaic_holds_each_picture_once_on_white():
    sheet = mosaic(FRAMES, 3)
    assert sheet.shape == (2 * 6 + 2, 3 * 8 + 4, 3)
    np.testing.assert_array_equal(sheet[8:, 10:18], FRAMES[4])
    assert (sheet[6:8] == 255).all() and (sheet[8:, 20:] == 255).all()


def test_pictures_stand_in_rows_above_their_captions():
    figure = pictures_figure(FRAMES, list("abcde"), columns=3, title="five", row_titles=["one"])
    first, second = strips(figure)
    np.testing.assert_array_equal(first[:, 10:18], FRAMES[1])
    np.testing.assert_array_equal(second[:, :8], FRAMES[3])
    texts = [a.text for a in figure.layout.annotations]
    assert texts == [*"abc", "one", *"de"]
    assert figure.layout.annotations[1].x == 10 + 4
    with pytest.raises(UserError, match="`captions` must hold 5 texts, got 4"):
        pictures_figure(FRAMES, list("abcd"))
    with pytest.raises(UserError, match="uint8"):
        pictures_figure(FRAMES / 255.0, list("abcde"))


def test_probes_are_bars_from_0_to_1():
    figure = probes_figure({"one": {"x": 0.5, "y": -0.2}, "koopman": {"y": 1.0, "x": 0.0}})
    np.testing.assert_allclose(figure.data[0].y, [0.5, 0.0])
    np.testing.assert_allclose(figure.data[0].customdata, [0.5, -0.2])
    np.testing.assert_allclose(figure.data[1].y, [0.0, 1.0])
    with pytest.raises(UserError, match="at least one"):
        probes_figure({})
    with pytest.raises(UserError, match="`two` must hold x, got z"):
        probes_figure({"one": {"x": 0.5}, "two": {"z": 0.5}})


def test_a_name_has_one_colour_in_all_panels_and_one_place_in_the_legend():
    figure = curves_figure(
        {"a": CURVES, "b": {"rank": (X, X * 2.0)}}, logarithmic=["b"], unit_range=["a"]
    )
    ranks = [trace for trace in figure.data if trace.name == "rank"]
    assert ranks[0].line.color == ranks[1].line.color
    assert [trace.showlegend for trace in figure.data] == [True, True, True, False]
    np.testing.assert_allclose(figure.data[0].y, [1, 0.1, 0.01])  # NaN is left out
    assert figure.layout.yaxis2.type == "log" and figure.layout.yaxis.range == (-0.04, 1.04)
    with pytest.raises(UserError, match="at least one"):
        curves_figure({})
    with pytest.raises(UserError, match="`x` must hold 4 values, got 3"):
        curves_figure({"a": {"x": (X, X[:3])}})


def test_an_encoder_has_curves_spectrum_probes_and_pictures():
    figure = encoder_figure(
        CURVES, np.array([1.0, 0.1, 0.0]), {"x": 0.5, "y": -1.0}, FRAMES, list("abcde")
    )
    kinds = [trace.type for trace in figure.data]
    assert kinds == ["scatter"] * 3 + ["bar", "bar", "scatter"]
    np.testing.assert_allclose(figure.data[3].y, [1.0, 0.1, 1e-6])
    np.testing.assert_allclose(figure.data[4].y, [0.5, 0.0])
    np.testing.assert_array_equal(strips(figure)[0][:, 40:48], FRAMES[4])
    with pytest.raises(UserError, match="must hold three, got 1"):
        encoder_figure({"loss": CURVES["loss"]}, X, {}, FRAMES, list("abcde"))
