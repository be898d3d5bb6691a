"""The film of a prediction without a browser: its traits, its pictures, and one line for it all."""

from __future__ import annotations

import io
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import plotly.graph_objects as go
import pytest

from toolkit.data import Dataset, Normaliser, Window, WindowSampler, load
from toolkit.dynamics import Heads
from toolkit.envs.divergence import Divergence, first_divergence
from toolkit.errors import UserError
from toolkit.evaluation import TrainedDynamics
from toolkit.figures import Film
from toolkit.spectral import KoopmanDynamics, Spectrum
from toolkit.widgets import (
    FramePlayer,
    compare_frames,
    film_prediction,
    film_states,
    watch,
    watch_prediction,
)  # fmt: skip
from toolkit.widgets.frames import calm_speed

pytest.importorskip("mujoco")
pytest.importorskip("gymnasium")
image = pytest.importorskip("PIL.Image")

STEPS, HORIZON, SMALL = 12, 10, (60, 80)


def film(**options: Any) -> Film:
    """True pictures get lighter step by step, predicted ones darker."""
    ramp = np.linspace(20, 230, STEPS).astype(np.uint8)[:, None, None, None]
    true = np.broadcast_to(ramp, (STEPS, 24, 32, 3)).copy()
    distance = options.pop("distance", 0.01 * np.arange(STEPS))
    return Film(true, true[::-1].copy(), Divergence(distance, dt=0.1), **options)


def lightness(jpeg: bytes) -> float:
    return float(np.asarray(image.open(io.BytesIO(jpeg))).mean())


@pytest.fixture
def player() -> FramePlayer:
    return compare_frames(film(travelled=np.stack([np.arange(12.0), np.zeros(12)])))


def test_every_frame_is_sent_in_its_place(player: FramePlayer):
    ramp = np.linspace(20, 230, STEPS).astype(int)
    np.testing.assert_allclose([*map(lightness, player.true_frames)], ramp, atol=2)
    np.testing.assert_allclose([*map(lightness, player.predicted_frames)], ramp[::-1], atol=2)
    assert player.shape == [24, 32]
    assert player.labels == ["true", "predicted"]


def test_the_traits_say_what_the_film_holds(player: FramePlayer):
    np.testing.assert_allclose(player.distance, 0.01 * np.arange(STEPS))
    assert (player.divergence, player.threshold, player.dt) == (6, 0.05, 0.1)
    assert player.travelled == [list(range(12)), [0] * 12]
    assert (player.step, player.playing, player.note) == (0, False, "")
    state = player.get_state()
    assert {"step", "playing", "distance", "true_frames", "divergence"} <= set(state)


def test_gaps_and_impossible_states_are_told():
    distance = np.where(np.arange(STEPS) < 9, 0.01, np.nan)
    clipped = np.arange(STEPS) == 4
    told = Divergence(distance, dt=0.1, clipped=clipped)
    made = film(note="Drawn by hand.")
    player = FramePlayer(Film(made.true_frames, made.predicted_frames, told, note=made.note))
    assert player.distance == [0.01] * 9 + [None] * 3
    assert (player.divergence, player.clipped, player.travelled) == (9, [4], [])
    assert player.note.startswith("From step 4, 0.400 s the prediction holds states that no such")
    assert player.note.endswith("Drawn by hand.")
    assert FramePlayer(film(distance=np.zeros(STEPS))).divergence is None


def test_python_and_browser_move_the_same_step(player: FramePlayer):
    seen = []
    player.observe(lambda change: seen.append((change["name"], change["new"])), ["step", "playing"])
    player.set_state({"step": 5, "playing": True})  # what arrives from the browser
    player.step, player.playing = 11, False
    assert sorted(seen[:2]) == [("playing", True), ("step", 5)]
    assert seen[2:] == [("step", 11), ("playing", False)]
    with pytest.raises(UserError, match=r"`step` must lie in 0\.\.11, got 12"):
        player.step = 12
    with pytest.raises(UserError, match=r"`speed` must be one of \[1\.0, .*, got 3"):
        player.speed = 3.0


def test_short_films_start_in_slow_motion():
    assert [calm_speed(seconds) for seconds in (0.1, 0.8, 1.0, 5.0)] == [0.0625, 0.125, 0.25, 1.0]


def test_a_film_has_its_still(player: FramePlayer):
    assert len(player.figure(count=4).layout.images) == 8


def test_a_hundred_steps_stay_below_two_megabytes():
    obs = walk(101)
    made = film_states(obs, obs[::-1], "hopper", sticks=True)
    assert made.true_frames.shape == (101, 240, 320, 3)
    rng = np.random.default_rng(0)
    # as much structure as a rendered floor has, and more
    grain = np.repeat(np.repeat(rng.integers(-9, 9, (60, 80, 1)), 4, 0), 4, 1)
    for frames in (made.true_frames, made.predicted_frames):
        frames[:] = np.clip(frames + grain, 0, 255)
    player = FramePlayer(made)
    size = sum(map(len, player.true_frames + player.predicted_frames))
    assert 0.5e6 < size < 2e6
    assert len(player.true_frames) == len(player.predicted_frames) == 101


def test_pictures_that_are_too_large_are_refused():
    noise = np.random.default_rng(0).integers(0, 255, (20, 400, 500, 3)).astype(np.uint8)
    with pytest.raises(UserError, match=r"40 frames of 400 x 500 .* and 1\.9 MB is the limit"):
        FramePlayer(Film(noise, noise, Divergence(np.zeros(20))))


def test_without_widget_packages_the_still_is_shown(monkeypatch: Any, capsys: Any):
    monkeypatch.setattr(watch, "has_widgets", lambda: False)
    assert isinstance(compare_frames(film()), go.Figure)
    assert "pip install 'koopman-toolkit[notebooks]'" in capsys.readouterr().out


def walk(steps: int) -> np.ndarray:
    """Observations of the bundled hopper, `(steps, 11)`."""
    return np.asarray(load("toolkit/hopper-medium").observations[:steps], float)


def test_where_nothing_renders_plain_limbs_are_drawn(monkeypatch: Any):
    monkeypatch.setenv("MUJOCO_GL", "disable")
    obs = walk(3)
    made = film_states(obs, obs, "hopper", size=SMALL)
    assert made.note.startswith("Drawn as plain limbs, since nothing renders here: MuJoCo cannot")
    assert "libegl1" in made.note
    asked = film_states(obs, obs, "hopper", size=SMALL, sticks=True)
    np.testing.assert_array_equal(made.true_frames, asked.true_frames)
    assert asked.note == ""
    assert "Drawn as plain limbs" in compare_frames(made).note


def test_where_something_renders_it_does(monkeypatch: Any):
    rendering = pytest.importorskip("toolkit.envs.rendering")
    canvas = pytest.importorskip("toolkit.envs.canvas")
    try:
        monkeypatch.setenv("MUJOCO_GL", canvas.choose_backend())
    except UserError as error:
        pytest.skip(str(error))
    obs = walk(2)
    made = film_states(obs, obs, "hopper", size=SMALL)
    assert made.note == ""
    np.testing.assert_array_equal(made.true_frames, made.predicted_frames)
    expected = rendering.render_episode(
        watch.robot_of("hopper"), watch.poses_of("hopper", obs).qpos, size=SMALL
    )
    np.testing.assert_array_equal(made.true_frames, expected)


def test_a_prediction_of_nonsense_is_drawn_all_the_same():
    true, predicted = walk(6), walk(6)
    predicted[3], predicted[4], predicted[5] = 1e38, np.nan, -np.inf
    made = film_states(true, predicted, "hopper", size=SMALL, sticks=True)
    assert made.divergence.step == 3
    np.testing.assert_array_equal(made.predicted_frames[:3], made.true_frames[:3])
    np.testing.assert_array_equal(made.predicted_frames[4], made.predicted_frames[5])
    assert np.isfinite(made.travelled).all()
    player = compare_frames(made)
    assert player.distance[4:] == [None, None]
    assert isinstance(player.figure(), go.Figure)
    with pytest.raises(UserError, match="`true_obs` must be finite, got 2 of 6"):
        film_states(predicted, true, "hopper", sticks=True)


@pytest.fixture(scope="module")
def hopper() -> Dataset:
    return load("toolkit/hopper-medium")


@pytest.fixture(scope="module")
def trained(hopper: Dataset) -> TrainedDynamics:
    """An untrained model, which is as good as any here."""

    @eqx.filter_jit  # one program instead of many small ones
    def model(key: jax.Array) -> KoopmanDynamics:
        keys = jax.random.split(key, 3)
        heads = Heads(11, 8, hidden=8, key=keys[0])
        return KoopmanDynamics(heads, Spectrum(4, key=keys[1]), 11, 3, key=keys[2])

    normaliser = Normaliser.fit(np.asarray(hopper.observations[:500]))
    return TrainedDynamics(model(jax.random.key(0)), normaliser)


def test_one_line_predicts_and_draws(trained: TrainedDynamics, hopper: Dataset):
    player = watch_prediction(
        trained, hopper, start=40, horizon=HORIZON, size=SMALL, sticks=True, labels=("real", "mine")
    )
    assert isinstance(player, FramePlayer)
    assert len(player.distance) == HORIZON + 1
    predict = eqx.filter_jit(trained.predict)
    predicted = predict(hopper.observations[40], hopper.actions[40 : 40 + HORIZON]).obs
    expected = first_divergence(hopper.observations[40 : 41 + HORIZON], predicted, "hopper")
    np.testing.assert_allclose(player.film.divergence.distance, expected.distance, atol=1e-6)
    assert player.divergence == expected.step
    assert (player.dt, player.labels) == (0.008, ["real", "mine"])


def test_a_dataset_and_its_window_give_the_same_film(trained: TrainedDynamics, hopper: Dataset):
    sampler = WindowSampler(hopper, HORIZON)
    window = sampler.gather(jnp.array([3, 40], jnp.int32))
    drawn = {"horizon": HORIZON, "size": SMALL, "sticks": True}
    one = film_prediction(trained, hopper, start=40, **drawn)
    two = film_prediction(trained, window, "hopper", start=1, **drawn)
    np.testing.assert_array_equal(one.predicted_frames, two.predicted_frames)
    np.testing.assert_array_equal(one.true_frames, two.true_frames)
    np.testing.assert_array_equal(one.divergence.distance, two.divergence.distance)
    np.testing.assert_array_equal(one.travelled, two.travelled)
    first = film_prediction(trained, hopper, **drawn)
    assert (first.true_frames != one.true_frames).any()
    named = film_prediction(trained, hopper, "Hopper-v5", start=0, **drawn)
    np.testing.assert_array_equal(first.true_frames, named.true_frames)


def test_wrong_starts_and_models_are_named(trained: TrainedDynamics, hopper: Dataset):
    end = int(hopper.episode_bounds()[0, 1])
    window = WindowSampler(hopper, HORIZON).gather(jnp.array([0], jnp.int32))

    def refused(words: str, data: Dataset | Window = hopper, *args: str, **options: Any) -> None:
        with pytest.raises(UserError, match=words):
            film_prediction(trained, data, *args, **({"horizon": HORIZON} | options))

    refused(f"Row {end - 3} is followed by [23] transitions .* `horizon`, 10", start=end - 3)
    refused(r"`start` must be a row in 0\.\.9999, got -1", start=-1)
    refused("`horizon` must be at least 1, got 0", horizon=0)
    refused("the longest unbroken run", horizon=5000)
    refused("`robot` must be one of hopper, .* got ''", window)
    refused(r"`start` must lie in 0\.\.0, got 1", window, "hopper", start=1)
    refused("`horizon` must be at most the window's 10, got 11", window, "hopper", horizon=11)
    refused(r"`true_obs` of walker2d must be \(time, 17\)", window, "walker2d")
    other = load("toolkit/walker2d-medium")
    refused("trained on observations of 11 numbers, but the data have 17", other)
