"""Robots side by side without a browser: a film of policies, its player and its still."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from toolkit.data import load
from toolkit.envs.poses import poses_of
from toolkit.errors import UserError
from toolkit.figures import Lineup, lineup_figure
from toolkit.figures.images import shrunk
from toolkit.figures.theme import colour
from toolkit.widgets import LineupPlayer, film_policies, watch, watch_policies

image = pytest.importorskip("PIL.Image")

NAMES, TIME = ("bc", "td3-bc", "tsrl"), 9


def lineup(**changes: Any) -> Lineup:
    """Each robot's pictures have a grey of their own, which gets lighter step by step."""
    grey = np.array([10, 90, 170])[:, None] + 8 * np.arange(TIME)
    frames = np.broadcast_to(grey[..., None, None, None], (3, TIME, 24, 32, 3)).astype(np.uint8)
    parts = {"names": NAMES, "frames": frames.copy(), "ends": (4, None, 8), "dt": 0.05,
             "travelled": np.arange(3.0)[:, None] * np.linspace(0, 1, TIME)}  # fmt: skip
    return Lineup(**(parts | changes))


def lightness(jpeg: bytes) -> float:
    return float(np.asarray(image.open(io.BytesIO(jpeg))).mean())


def test_the_player_has_every_picture_in_its_place():
    player = watch_policies(lineup())
    assert isinstance(player, LineupPlayer)
    for robot, start in enumerate((10, 90, 170)):
        found = [*map(lightness, player.frames[robot])]
        np.testing.assert_allclose(found, start + 8 * np.arange(TIME), atol=2)
    assert player.names == list(NAMES) and player.ends == [4, None, 8]
    assert player.colours == [colour(name) for name in NAMES]
    assert (player.dt, player.shape, player.step, player.playing) == (0.05, [24, 32], 0, False)
    assert player.travelled[2][-1] == 2.0
    assert {"frames", "ends", "travelled", "step"} <= set(player.get_state())
    assert isinstance(player.figure(), go.Figure)


@pytest.mark.parametrize("step", [0, TIME - 1])
def test_the_step_may_go_to_both_ends_and_no_further(step):
    player = watch_policies(lineup())
    player.step = step
    assert player.step == step
    with pytest.raises(UserError, match=r"`step` must lie in 0\.\.8, got 9"):
        player.step = TIME


def test_without_widgets_the_still_is_shown(monkeypatch, capsys):
    monkeypatch.setattr(watch, "has_widgets", lambda: False)
    assert isinstance(watch_policies(lineup()), go.Figure)
    assert "pip install" in capsys.readouterr().out


def test_the_still_leaves_out_what_comes_after_an_end():
    figure = lineup_figure(lineup(), count=5)  # steps 0, 2, 4, 6, 8
    rows = [picture.y for picture in figure.layout.images]
    assert [rows.count(y) for y in (2, 1, 0)] == [3, 5, 5]
    told = [note.text for note in figure.layout.annotations]
    assert "<b>td3-bc</b>" in told and "0.40 s" in told
    assert [text for text in told if "over after" in text] == ["over after<br>0.20 s<br>0.0 m"]
    with pytest.raises(UserError, match="`count` must be at least 2"):
        lineup_figure(lineup(), count=1)


def test_pictures_of_a_still_are_shrunk_in_proportion():
    tall = np.zeros((2, 40, 60, 3), np.uint8)
    tall[:, :, 30:] = 200
    small = shrunk(tall, 20)
    assert small.shape == (2, 20, 30, 3)
    assert small[0, 10, 5].max() < 20 and small[0, 10, 25].min() > 180
    assert shrunk(tall, 40) is tall
    with pytest.raises(UserError, match="`frames` must be pixels"):
        shrunk(tall[0], 20)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"names": ("bc", "bc", "tsrl")}, "`names` must be 3 different names"),
        ({"ends": (None,)}, "`ends` must hold 3 entries, got 1"),
        ({"travelled": np.zeros((3, 2))}, r"`travelled` must have the shape \(3, 9\)"),
        ({"dt": 0.0}, "`dt` must be positive"),
        ({"frames": np.zeros((3, 9, 24, 32), np.uint8)}, r"`frames` must be \(robots, time"),
        ({"frames": np.zeros((3, 9, 24, 32, 3))}, "frames of bc"),
    ],
)
def test_what_does_not_fit_together_is_refused(changes, sentence):
    with pytest.raises(UserError, match=sentence):
        lineup(**changes)


def test_states_become_films_that_stand_still_after_their_end():
    pytest.importorskip("mujoco")
    data = load("toolkit/hopper-medium")
    rows = np.asarray(data.observations)
    states = {"long": rows[:120], "short": rows[300:325]}
    film = film_policies(
        states, "hopper", seconds=0.4, every=5, size=(40, 50), sticks=True,
        ended={"long": True, "short": True},
    )  # fmt: skip
    assert film.frames.shape == (2, 11, 40, 50, 3)  # states 0, 5, … 50
    assert film.ends == [None, 5] and film.dt == pytest.approx(0.04)
    assert (film.frames[1, 5:] == film.frames[1, 5]).all()
    assert (film.frames[1, 4] != film.frames[1, 5]).any()
    paths = [poses_of("hopper", obs).qpos[:, 0] for obs in states.values()]
    np.testing.assert_allclose(film.travelled[0], paths[0][:51:5])
    np.testing.assert_allclose(film.travelled[1, 5:], paths[1][-1])
    cut = film_policies(states, "hopper", seconds=0.4, every=5, size=(40, 50), sticks=True,
                        ended={"short": False})  # fmt: skip
    assert cut.ends == [None, None]
    whole = film_policies(states, "hopper", every=7, size=(40, 50), sticks=True)
    assert whole.ends == [17, 4] and len(whole) == 18  # 119 and 24 steps: the ends are shown
    np.testing.assert_allclose(whole.travelled[:, -1], [path[-1] for path in paths])


@pytest.mark.parametrize("changes", [{"every": 0}, {"seconds": 0.0}, {"states": {}}])
def test_a_film_of_nothing_is_refused(changes):
    settings = {"states": {"bc": np.zeros((3, 11))}, "robot": "hopper"} | changes
    with pytest.raises(UserError, match="A film needs `states`"):
        film_policies(settings.pop("states"), settings.pop("robot"), **settings)
