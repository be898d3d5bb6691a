"""A run that is killed twenty times ends with the bits of one that never was."""

from __future__ import annotations

import multiprocessing
import random
import time
from pathlib import Path

import pytest

from tests.training.killing import train_in_child
from toolkit.training.records import read_rows

NUM_KILLS = 20
NUM_UPDATES = 40_000


@pytest.fixture(scope="module")
def children():
    """Starts processes that already have the libraries, but no device and no state."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.training.killing"])
    return context


def start(children, folder: Path, cache: Path):
    child = children.Process(target=train_in_child, args=(str(folder), str(cache), NUM_UPDATES))
    child.start()
    return child


def newest_update(folder: Path) -> int:
    rows = read_rows(folder / "metrics.jsonl")
    return rows[-1]["update"] if rows else 0


def kill_at_random(children, folder: Path, cache: Path, chance: random.Random) -> int:
    """Kill a child while it starts or, three times out of four, while it trains and saves.

    Returns the update that it had reached.
    """
    before, child = newest_update(folder), start(children, folder, cache)
    if chance.random() < 0.25:
        time.sleep(chance.uniform(0, 1))
    else:
        while child.is_alive() and newest_update(folder) <= before:
            time.sleep(0.005)
        time.sleep(chance.uniform(0, 0.1))
    child.kill()
    child.join()
    assert child.exitcode == -9, f"the child ended with {child.exitcode} before it was killed"
    return newest_update(folder)


def test_twenty_kills_do_not_change_a_bit(children, tmp_path):
    whole, broken, cache = tmp_path / "whole", tmp_path / "broken", tmp_path / "cache"
    reference = start(children, whole, cache)
    reference.join()
    assert reference.exitcode == 0

    chance = random.Random(0)
    reached = [kill_at_random(children, broken, cache, chance) for _ in range(NUM_KILLS)]
    assert len(set(reached)) > NUM_KILLS // 2, f"hardly any kill struck training: {reached}"
    final = start(children, broken, cache)
    final.join()
    assert final.exitcode == 0

    assert arrays(whole) == arrays(broken)
    rows = [read_rows(folder / "metrics.jsonl") for folder in (whole, broken)]
    assert [losses(row) for row in rows[0]] == [losses(row) for row in rows[1]]


def arrays(folder: Path) -> bytes:
    """The checkpoint without its two header lines."""
    return (folder / "checkpoint" / "state.ckpt").read_bytes().split(b"\n", 2)[2]


def losses(row: dict) -> dict:
    return {name: row[name] for name in row if name == "update" or name.startswith("loss")}
