"""The replay of pictures: which frames a window has, what it takes, and that it can be saved."""

from __future__ import annotations

import jax.random as jr
import numpy as np
import pytest

from toolkit.agents.pixel_replay import PixelReplay
from toolkit.envs.interface import Steps
from toolkit.errors import UserError

COPIES, SIZE, LENGTH, STACK, HORIZON = 2, 3, 5, 3, 4
TERMINAL_EPISODE = 2  # every third episode ends in a terminal


def frame(copy, episode, step):
    """A frame that says where it is from."""
    return np.broadcast_to(np.array([copy, episode, step], np.uint8), (SIZE, SIZE, 3))


def round_of(begin, count):
    """Steps of episodes of five transitions; the second copy is two steps ahead."""
    collected = []
    for time in range(begin, begin + count):
        episode, step = np.divmod(time + np.array([0, 2]), LENGTH)
        last = step == LENGTH - 1
        terminal = last & (episode % 3 == TERMINAL_EPISODE)
        frames, after = (
            np.stack([frame(c, episode[c], step[c] + ahead) for c in range(COPIES)])
            for ahead in (0, 1)
        )
        action = (10.0 * episode + step)[:, None].astype(np.float32)
        reward = (100.0 * np.arange(COPIES) + action[:, 0]).astype(np.float32)
        collected.append(Steps(frames, action, reward, after, terminal, last & ~terminal))
    return collected


def filled(steps, capacity=200):
    replay = PixelReplay(capacity, COPIES, 1, stack=STACK)
    for begin in range(0, steps, 7):
        replay.add(round_of(begin, min(7, steps - begin)))
    return replay


def windows(replay, number=400, key=0):
    batch = replay.sample(number, HORIZON, key=jr.key(key))
    return {name: np.asarray(getattr(batch, name)) for name in batch.__dataclass_fields__}


@pytest.mark.parametrize(("steps", "capacity"), [(23, 200), (61, 40)])
def test_every_window_is_what_happened(steps, capacity):
    """Before and after the ring is full: frames, actions, ends, and nothing of other episodes."""
    found = windows(filled(steps, capacity))
    where = found["frames"][:, :, 0, 0].astype(int)  # (batch, frames, 3): copy, episode, step
    copy, episode, step = np.moveaxis(where[:, STACK - 1], 1, 0)
    assert (where[..., 0] == copy[:, None]).all() and (where[..., 1] == episode[:, None]).all()
    newest = steps - 1 + np.where(copy == 1, 2, 0)  # the time whose frame was stored last
    begin = LENGTH * episode + step
    stored_to = np.where(newest // LENGTH == episode, newest % LENGTH, LENGTH)
    stored_to = np.where((newest % LENGTH == LENGTH - 1) & (newest // LENGTH == episode),
                         LENGTH, stored_to)  # fmt: skip
    assert (begin < newest + 1).all() and (step < LENGTH).all()
    for place in range(STACK + HORIZON):
        at = step + place - (STACK - 1)
        begins = np.where((copy == 1) & (episode == 0), 2, 0)  # where the first episode began
        np.testing.assert_array_equal(where[:, place, 2], np.clip(at, begins, stored_to))
    for ahead in range(HORIZON):
        valid = step + ahead < stored_to
        np.testing.assert_array_equal(found["valid"][ahead], valid)
        expected = 10.0 * episode + step + ahead
        np.testing.assert_array_equal(found["action"][ahead, valid, 0], expected[valid])
    np.testing.assert_array_equal(found["reward"], 100.0 * copy + 10.0 * episode + step)
    ends = (step == LENGTH - 1) & (episode % 3 == TERMINAL_EPISODE)
    np.testing.assert_array_equal(found["terminal"], ends)
    assert ends.any() and (~found["valid"]).any() and (step == 0).any()


def test_every_complete_transition_is_drawn_alike():
    found = windows(filled(12), number=4000)
    where = found["frames"][:, STACK - 1, 0, 0].astype(int)
    starts, counts = np.unique(where, axis=0, return_counts=True)
    # of twelve steps of a copy, the last has no successor yet unless its episode ended with it
    assert len(starts) == 11 + 11 and counts.min() > 0.6 * 4000 / 22


@pytest.mark.parametrize("steps", [61, 63, 64])
def test_in_a_full_ring_stacks_are_whole(steps):
    """The oldest rows start no window if frames of their stack are overwritten."""
    replay = filled(steps, 40)
    assert replay.num_frames == 40
    found = windows(replay, number=2000)["frames"][:, :, 0, 0].astype(int)
    starts = {(e, s) for c, e, s in found[:, STACK - 1].tolist() if c == 0}
    rows = [(e, s) for e in range(13) for s in range(LENGTH + 1) if LENGTH * e + s <= steps - 1
            or (s == LENGTH and LENGTH * e + s <= steps)][-20:]  # fmt: skip
    whole = {(e, s) for at, (e, s) in enumerate(rows) if s < LENGTH and min(s, STACK - 1) <= at}
    assert starts == whole - {rows[-1]}


def test_the_same_key_draws_the_same_batch():
    replay = filled(30)
    first, second, other = (windows(replay, key=key) for key in (1, 1, 2))
    np.testing.assert_array_equal(first["frames"], second["frames"])
    assert (first["reward"] != other["reward"]).any()


def test_what_is_restored_goes_on_alike():
    whole, half = filled(61, 40), filled(33, 40)
    again = PixelReplay(40, COPIES, 1, stack=STACK)
    again.restore(half.snapshot())
    again.add(round_of(33, 28))
    for name, values in whole.snapshot().items():
        np.testing.assert_array_equal(values, again.snapshot()[name])
    np.testing.assert_array_equal(windows(whole)["frames"], windows(again)["frames"])


def test_frames_are_stored_once():
    """Twenty-three steps and the last frames of the episodes that ended."""
    replay = filled(23)
    assert replay.num_frames == (23 + 4) + (23 + 5)
    blobs = [frame for frame in replay.snapshot()["sizes"] if frame]
    assert len(blobs) == replay.num_frames


def test_a_hundred_thousand_frames_of_the_hardest_task_take_less_than_a_gigabyte():
    pytest.importorskip("dm_control", reason="dm_control is not installed (the extra `dmc`)")
    from toolkit.envs import canvas, make_envs

    try:
        canvas.choose_backend()
    except UserError as error:
        pytest.skip(str(error))
    envs, frames = make_envs("dmc/walker-walk", 1, seed=0, image_size=84), 12
    replay = PixelReplay(100_000, 1, envs.spec.action_dim, stack=3)
    arrays = replay.nbytes
    rng = np.random.default_rng(0)
    replay.add([envs.step(rng.uniform(-1, 1, (1, 6))) for _ in range(frames)])
    per_frame = (replay.nbytes - arrays) / frames
    assert 2000 < per_frame < 84 * 84 * 3 / 2
    assert arrays + 100_000 * per_frame < 1e9


@pytest.mark.parametrize("capacity", [7, 0])
def test_too_small_a_replay_is_refused(capacity):
    with pytest.raises(UserError, match=f"must hold a stack of 3 frames and one more.*{capacity}"):
        PixelReplay(capacity, COPIES, 1, stack=STACK)


def test_nothing_to_draw_is_a_sentence():
    with pytest.raises(UserError, match="no frame with its successor yet; more `random_steps`"):
        filled(1).sample(3, HORIZON, key=jr.key(0))
