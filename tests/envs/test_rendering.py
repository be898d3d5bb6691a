"""Pictures of the robots; those that need a renderer are skipped where none works."""

from __future__ import annotations

import importlib.util
import itertools
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from toolkit.envs import (
    ROBOTS,
    Renderer,
    canvas,
    film_strip,
    render_episode,
    write_animation,
    write_film_strip,
)
from toolkit.errors import UserError

pytest.importorskip("mujoco")
pytest.importorskip("gymnasium")
image = pytest.importorskip("PIL.Image")

STANDING = {"hopper": 1.25, "walker2d": 1.25, "halfcheetah": 0.0}  # qpos[1] of each robot


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    """A renderer writes its choice into the environment; take it back."""
    monkeypatch.setenv("MUJOCO_GL", os.environ.get("MUJOCO_GL", ""))


@pytest.fixture
def renderer_works():
    try:
        return canvas.choose_backend()
    except UserError as error:
        pytest.skip(str(error))


@pytest.fixture
def no_renderer(monkeypatch):
    tried = []
    monkeypatch.setattr(canvas, "can_render", lambda backend: tried.append(backend))
    return tried


def standing(name, steps=1):
    sizes = {"hopper": 6, "walker2d": 9, "halfcheetah": 9}
    qpos = np.zeros((steps, sizes[name]))
    qpos[:, 0], qpos[:, 1] = np.linspace(0, 0.3, steps), STANDING[name]
    qpos[:, 5] = -np.linspace(0, 0.6, steps)
    return qpos


def robot_pixels(frame):
    """Where the picture is colourful: background and floor are nearly grey."""
    return np.ptp(frame.astype(int), axis=-1) > 60


def colours(num_frames, height=24, width=32):
    """Frames that all differ, without a renderer."""
    ramp = np.linspace(0, 255, num_frames).astype(np.uint8)
    frames = np.zeros((num_frames, height, width, 3), np.uint8)
    frames[..., 0] = ramp[:, None, None]
    frames[:, : height // 2, :, 1] = 200
    return frames


@pytest.mark.usefixtures("renderer_works")
@pytest.mark.parametrize("name", ROBOTS)
def test_a_robot_is_seen_whole_large_and_on_a_light_floor(name):
    with Renderer(ROBOTS[name], size=(120, 160)) as renderer:
        frame = renderer.frame(standing(name)[0])
    assert frame.shape == (120, 160, 3) and frame.dtype == np.uint8
    rows, columns = np.nonzero(robot_pixels(frame))
    assert rows.min() > 5 and rows.max() < 118
    assert columns.min() > 5 and columns.max() < 155
    assert max(np.ptp(rows) / 120, np.ptp(columns) / 160) > 0.5
    assert frame[:10].min() > 230  # background
    assert 150 < frame[-10:, :10].mean() < 235  # floor


@pytest.mark.usefixtures("renderer_works")
def test_the_camera_goes_forward_with_the_torso_and_a_hop_is_seen():
    near, far, high = np.repeat(standing("hopper"), 3, axis=0)
    far[0], high[1] = 400.0, 1.45
    with Renderer(ROBOTS["hopper"], size=(120, 160)) as renderer:
        seen = [
            np.argwhere(robot_pixels(renderer.frame(q))).mean(axis=0) for q in (near, far, high)
        ]
        np.testing.assert_array_equal(renderer.frame(near), renderer.frame(near, np.ones(6)))
    np.testing.assert_allclose(seen[0], seen[1], atol=0.6)
    assert seen[2][0] < seen[0][0] - 8


@pytest.mark.usefixtures("renderer_works")
def test_the_floor_repeats_after_two_tiles_of_half_a_metre():
    frames = []
    with Renderer(ROBOTS["hopper"], size=(60, 80)) as renderer:
        for x in (0.0, 0.5, 1.0):
            qpos = standing("hopper")[0]
            qpos[0] = x
            frames.append(renderer.frame(qpos)[35:].astype(int))
    assert np.abs(frames[2] - frames[0]).mean() < 1 < np.abs(frames[1] - frames[0]).mean()


@pytest.mark.usefixtures("renderer_works")
def test_two_renderers_do_not_disturb_each_other():
    qpos = standing("hopper")[0]
    with Renderer(ROBOTS["hopper"], size=(60, 80)) as one:
        alone = one.frame(qpos)
        with Renderer(ROBOTS["walker2d"], size=(50, 30)) as two:
            assert two.frame(standing("walker2d")[0]).shape == (50, 30, 3)
            np.testing.assert_array_equal(one.frame(qpos), alone)
        np.testing.assert_array_equal(one.frame(qpos), alone)
    one.close()
    with pytest.raises(UserError, match="The renderer of Hopper-v4 is closed"):
        one.frame(qpos)


@pytest.mark.usefixtures("renderer_works")
def test_an_episode_becomes_a_strip_and_an_animation(tmp_path):
    qpos = standing("hopper", 19)
    frames = render_episode(ROBOTS["hopper"], qpos, 0 * qpos, every=3, size=(60, 80))
    assert frames.shape == (7, 60, 80, 3)
    assert all((a != b).any() for a, b in itertools.pairwise(frames))
    strip = image.open(write_film_strip(tmp_path / "strip.png", frames, count=3))
    assert strip.size == (3 * 80 + 2 * 2, 60)
    np.testing.assert_array_equal(np.asarray(strip)[:, 82:162], frames[3])
    with image.open(write_animation(tmp_path / "hop.gif", frames, fps=20)) as animation:
        assert animation.n_frames == 7


@pytest.mark.usefixtures("renderer_works")
def test_wrong_states_and_sizes_are_named():
    robot, qpos = ROBOTS["hopper"], standing("hopper")
    with Renderer(robot, size=(20, 30)) as renderer:
        with pytest.raises(UserError, match=r"`qpos` of Hopper-v4 has shape \(6,\), got \(9,\)"):
            renderer.frame(np.zeros(9))
        with pytest.raises(UserError, match="`qvel` of Hopper-v4 is not finite"):
            renderer.frame(qpos[0], np.full(6, np.nan))
    with pytest.raises(UserError, match=r"from 1 to 4096 pixels, got \(0, 30\)"):
        Renderer(robot, size=(0, 30))
    with pytest.raises(UserError, match=r"got shape \(6,\) and 1"):
        render_episode(robot, qpos[0])
    with pytest.raises(UserError, match="`every` at least 1"):
        render_episode(robot, qpos, every=0)
    with pytest.raises(UserError, match="`qvel` has 2 rows where `qpos` has 1"):
        render_episode(robot, qpos, np.zeros((2, 6)))


def test_without_a_renderer_a_sentence_says_what_to_install(no_renderer, monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "")
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(UserError, match=r"^MuJoCo cannot draw here \(tried egl and osmesa\); ins"):
        Renderer(ROBOTS["hopper"])
    assert no_renderer == ["egl", "osmesa"]
    with pytest.raises(UserError, match=r"libegl1 .*MUJOCO_GL=egl.* libosmesa6 \(MUJOCO_GL=osmesa"):
        render_episode(ROBOTS["hopper"], standing("hopper"))


def test_a_chosen_backend_is_the_only_one_tried(no_renderer, monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "GLX")
    with pytest.raises(UserError, match="cannot draw here with MUJOCO_GL=glx; unset it or install"):
        Renderer(ROBOTS["hopper"])
    assert no_renderer == ["glfw"]


def test_the_second_backend_is_taken_where_the_first_fails(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("MUJOCO_GL", "on")
    monkeypatch.setattr(canvas, "can_render", lambda backend: backend == "osmesa")
    assert canvas.choose_backend() == "osmesa"


@pytest.mark.parametrize(
    ("probe", "works"),
    [("import os; os.abort()", False), ("raise SystemExit(1)", False), ("pass", True)],
)
def test_a_probe_that_crashes_is_a_no(monkeypatch, probe, works):
    monkeypatch.setattr(canvas, "_PROBE", probe)
    canvas.can_render.cache_clear()
    assert canvas.can_render("egl") is works
    monkeypatch.setattr(canvas, "_PROBE", "pass")
    assert canvas.can_render("egl") is works  # asked once per process
    canvas.can_render.cache_clear()


@pytest.mark.parametrize(("total", "count", "shown"), [(9, 3, [0, 4, 8]), (2, 6, [0, 1])])
def test_a_strip_shows_equally_spaced_frames_with_their_labels(total, count, shown):
    frames = colours(total)
    strip = film_strip(frames, count=count)
    assert strip.size == (len(shown) * 34 - 2, 24)
    pixels = np.asarray(strip)
    for place, index in enumerate(shown):
        np.testing.assert_array_equal(pixels[:, place * 34 : place * 34 + 32], frames[index])
    assert (pixels[:, 32:34] == 255).all()
    labelled = np.asarray(film_strip(frames, [f"t = {i} s" for i in range(total)], count=count))
    assert labelled.shape == (24 + 22, strip.size[0], 3)
    np.testing.assert_array_equal(labelled[:24], pixels)
    assert (labelled[24:] < 100).any()  # ink


@pytest.mark.parametrize(("fps", "milliseconds"), [(25, 40), (30, 30), (50, 20), (0.5, 2000)])
def test_a_gif_has_every_frame_for_its_time(tmp_path, fps, milliseconds):
    file = write_animation(tmp_path / "colours.gif", colours(12), fps)
    with image.open(file) as animation:
        assert (animation.n_frames, animation.size) == (12, (32, 24))
        assert animation.info["duration"] == milliseconds
        assert animation.info["loop"] == 0
        animation.seek(11)
        last = np.asarray(animation.convert("RGB")).astype(int)
    assert np.abs(last - colours(12)[-1]).max() <= 12
    assert [p.name for p in tmp_path.iterdir()] == ["colours.gif"]


def test_mp4_is_written_or_says_what_is_missing(tmp_path):
    file = tmp_path / "colours.MP4"
    if importlib.util.find_spec("imageio_ffmpeg") is None:
        with pytest.raises(UserError, match=r"imageio-ffmpeg; or write \.gif instead\.$"):
            write_animation(file, colours(12), 25)
    else:
        assert write_animation(file, colours(12, 25, 33), 25).stat().st_size > 500


@pytest.mark.parametrize("place", ["missing/{}", "blocker/{}"])
def test_a_broken_folder_leaves_nothing(tmp_path, place):
    (tmp_path / "blocker").write_text("a file")
    with pytest.raises(UserError, match=r"hop\.gif: the file could not be written"):
        write_animation(tmp_path / place.format("hop.gif"), colours(3), 25)
    with pytest.raises(UserError, match=r"hop\.png: the file could not be written"):
        write_film_strip(tmp_path / place.format("hop.png"), colours(3))
    assert [p.name for p in tmp_path.iterdir()] == ["blocker"]


def test_a_full_disk_keeps_what_was_there(tmp_path, monkeypatch):
    def half(self, content):
        with open(self, "wb") as file:
            file.write(bytes(content)[:20])
        raise OSError(28, "No space left on device")

    (tmp_path / "hop.gif").write_text("precious")
    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(UserError, match=r"written \(No space left on device\)\.$"):
        write_animation(tmp_path / "hop.gif", colours(3), 25)
    assert [p.name for p in tmp_path.iterdir()] == ["hop.gif"]
    assert (tmp_path / "hop.gif").read_text() == "precious"


def test_wrong_requests_are_sentences(tmp_path):
    frames = colours(3)
    for wrong, message in [
        (lambda: write_animation(tmp_path / "a.avi", frames, 25), r"written as \.gif or \.mp4"),
        (lambda: write_film_strip(tmp_path / "a.jpg", frames), r"is written as \.png"),
        (lambda: write_animation(tmp_path / "a.gif", frames, 0), "`fps` must lie between 0"),
        (lambda: write_animation(tmp_path / "a.gif", frames, 125), "at most 50 frames a second"),
        (lambda: film_strip(frames, ["one"]), "3 frames need as many labels, got 1"),
        (lambda: film_strip(frames, count=0), "`count` must be at least 1, got 0"),
        (lambda: film_strip(frames[0]), r"got \(24, 32, 3\) of uint8"),
        (lambda: film_strip(frames / 255), "of type uint8, got .* of float64"),
        (lambda: film_strip(frames[:0]), r"got \(0, 24, 32, 3\)"),
    ]:
        with pytest.raises(UserError, match=message):
            wrong()
    assert list(tmp_path.iterdir()) == []


def test_without_pillow_a_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(UserError, match=r"Pillow cannot be imported .*pip install pillow\.$"):
        film_strip(colours(2))
