"""The still of a film: which states it shows, what it says, and how large it is."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from toolkit.envs.divergence import Divergence
from toolkit.errors import UserError
from toolkit.figures import Film, frames_figure
from toolkit.figures.frames import shown_steps
from toolkit.figures.images import jpegs

image = pytest.importorskip("PIL.Image")

ORANGE, GREY = np.array([213, 94, 0]), (200, 200, 200)
STEPS = 21


def frames(red: int, blue: int, size: tuple[int, int] = (60, 80)) -> np.ndarray:
    """Pictures with a coloured block in the middle that gets darker step by step."""
    made = np.full((STEPS, *size, 3), 240, np.uint8)
    shade = np.linspace(1.0, 0.5, STEPS)[:, None, None, None]
    middle = slice(size[0] // 4, -size[0] // 4), slice(size[1] // 4, -size[1] // 4)
    made[:, middle[0], middle[1]] = np.round(shade * np.array([red, 0, blue]))
    return made


def film(distance: Any = None, **options: Any) -> Film:
    distance = 0.01 * np.arange(STEPS) if distance is None else np.asarray(distance, float)
    told = Divergence(distance, dt=0.1, clipped=options.pop("clipped", np.zeros(STEPS, bool)))
    return Film(frames(0, 255), frames(255, 0), told, **options)


def pictures(fig: go.Figure) -> list[np.ndarray]:
    """The pixels of a figure's pictures, row by row."""
    texts = [item.source.removeprefix("data:image/jpeg;base64,") for item in fig.layout.images]
    return [
        np.asarray(image.open(io.BytesIO(base64.b64decode(text)))).astype(int) for text in texts
    ]


def words(fig: go.Figure) -> list[str]:
    return [note.text for note in fig.layout.annotations]


def test_true_frames_stand_above_predicted_ones_at_the_same_steps():
    fig = frames_figure(film())
    shown = [0, 6, 8, 12, 16, 20]  # 4 moved to the first distance above 0.05
    pixels = pictures(fig)
    assert len(pixels) == 12
    assert [item.yref for item in fig.layout.images] == 6 * ["y"] + 6 * ["y2"]
    assert [item.x for item in fig.layout.images] == 2 * list(range(6))
    for place, step in enumerate(shown):
        for row, (red, blue) in enumerate([(0, 255), (255, 0)]):
            found = pixels[6 * row + place]
            middle = found[found.shape[0] // 2, found.shape[1] // 2]
            expected = np.array([red, 0, blue]) * (1 - 0.5 * step / 20)
            np.testing.assert_allclose(middle, expected, atol=8)
    times = [note.text for note in fig.layout.annotations if note.yref == "y" and note.yshift]
    assert times == ["0 s", "<b>0.6 s</b>", "0.8 s", "1.2 s", "1.6 s", "2 s"]


def test_the_divergence_is_marked_in_pictures_curve_and_title():
    fig = frames_figure(film())
    assert fig.layout.title.text == "The predicted robot visibly leaves the true one after 0.6 s"
    assert "<b>first visible divergence: step 6, 0.600 s</b>" in words(fig)
    assert "<b>0.06 m</b>" in words(fig)
    edges = [np.abs(pixels[:2] - ORANGE).mean() < 40 for pixels in pictures(fig)]
    assert edges == [False] * 7 + [True] * 5
    uprights = [shape.x0 for shape in fig.layout.shapes if shape.x0 == shape.x1]
    assert uprights == pytest.approx([0.6])
    curve = next(trace for trace in fig.data if trace.name == "distance")
    np.testing.assert_allclose(curve.x, 0.1 * np.arange(STEPS))
    np.testing.assert_allclose(curve.y, 0.01 * np.arange(STEPS))


def test_a_prediction_that_stays_is_said_to():
    fig = frames_figure(film(np.full(STEPS, 0.03)))
    assert fig.layout.title.text == (
        "The predicted robot stays within 0.05 m of the true one for 2 s"
    )
    assert not any("divergence" in text for text in words(fig))
    assert all(np.abs(pixels[:2] - ORANGE).mean() > 40 for pixels in pictures(fig))


def test_what_could_not_be_drawn_is_shaded_and_said():
    distance = np.full(STEPS, 0.1)
    distance[18:] = np.nan
    clipped = np.arange(STEPS) == 10
    fig = frames_figure(film(distance, clipped=clipped, note="Drawn as plain limbs."))
    text = " ".join(words(fig)).replace("<br>", " ")
    assert "From step 10, 1.000 s the prediction holds states that no such robot can take" in text
    assert "from step 18, 1.800 s it holds states that are not finite" in text
    assert "Drawn as plain limbs." in text and "no number" in text
    shaded = [(s.x0, s.x1) for s in fig.layout.shapes if s.type == "rect"]
    np.testing.assert_allclose(shaded, [(0.95, 1.05), (1.75, 2.05)])
    assert fig.layout.title.text.endswith("leaves the true one at once")


def test_empty_sides_are_cut_off_and_the_robot_is_not():
    fig = frames_figure(film())
    assert {pixels.shape for pixels in pictures(fig)} == {(60, 48, 3)}
    grey = np.full((STEPS, 60, 80, 3), 200, np.uint8)
    plain = Film(grey, grey, Divergence(np.zeros(STEPS)))
    assert pictures(frames_figure(plain))[0].shape == (60, 80, 3)


def test_a_still_of_large_frames_stays_small():
    rng = np.random.default_rng(0)
    noisy = [frames(*colours, size=(240, 320)) for colours in ((0, 255), (255, 0))]
    for half in noisy:
        half[:] = np.clip(half + rng.normal(0, 12, half.shape[1:]), 0, 255)
    fig = frames_figure(Film(*noisy, Divergence(0.01 * np.arange(STEPS))))
    assert sum(len(item.source) for item in fig.layout.images) < 150_000
    assert len(fig.to_json()) < 250_000


def test_jpegs_get_coarser_until_they_fit():
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (3, 48, 64, 3)).astype(np.uint8)
    fine, coarse = jpegs(noise, 100_000), jpegs(noise, 5_000)
    assert sum(map(len, coarse)) <= 5_000 < sum(map(len, fine))
    with pytest.raises(UserError, match="3 frames of 48 x 64 pixels take .* MB is the limit"):
        jpegs(noise, 1_000)


@pytest.mark.parametrize(
    ("total", "count", "chosen", "steps"),
    [
        (101, 6, None, [0, 20, 40, 60, 80, 100]),
        (101, 6, 37, [0, 20, 37, 60, 80, 100]),
        (101, 6, 3, [0, 3, 40, 60, 80, 100]),
        (101, 6, 0, [0, 20, 40, 60, 80, 100]),
        (101, 6, 100, [0, 20, 40, 60, 80, 100]),
        (3, 6, 1, [0, 1, 2]),
        (2, 6, None, [0, 1]),
        (9, 2, 5, [0, 5]),
    ],
)
def test_states_are_spread_and_the_divergence_is_among_them(total, count, chosen, steps):
    assert shown_steps(total, count, chosen) == steps


def test_wrong_films_are_named():
    good, told = frames(0, 255), Divergence(np.zeros(STEPS))
    with pytest.raises(UserError, match=r"`true_frames` must be pixels .* of float64"):
        Film(good.astype(float), good, told)
    with pytest.raises(UserError, match=r"`predicted_frames` must have the shape of `true_frames`"):
        Film(good, good[:-1], told)
    with pytest.raises(UserError, match="`divergence` must hold 21 distances, .* got 4"):
        Film(good, good, Divergence(np.zeros(4)))
    with pytest.raises(UserError, match="`labels` must be two different names"):
        Film(good, good, told, labels=("a", "a"))
    with pytest.raises(UserError, match=r"`travelled` must have the shape \(2, 21\), got \(21,\)"):
        Film(good, good, told, travelled=np.zeros(21))
    with pytest.raises(UserError, match="`count` must be at least 2, got 1"):
        frames_figure(film(), count=1)


def test_pictures_can_be_made_smaller():
    def size(fig: go.Figure) -> int:
        return sum(len(item.source) for item in fig.layout.images)

    sound = film()
    noisy = np.random.default_rng(0).integers(0, 256, sound.true_frames.shape).astype(np.uint8)
    whole = Film(noisy, noisy, sound.divergence)
    assert size(frames_figure(whole, max_bytes=30_000)) < 41_000 < size(frames_figure(whole))
    with pytest.raises(UserError, match="make them smaller or fewer"):
        frames_figure(whole, max_bytes=100)
