"""The doctor's look at identity: is the file what its name promises?"""

from __future__ import annotations

import numpy as np

from toolkit.data.arrays import RawArrays
from toolkit.data.catalogue import name_of_sha256
from toolkit.data.report import Finding, finding
from toolkit.data.structure import Structure
from toolkit.data.tasks import Task

# Row-weighted median return that a set of this quality has. The bands meet halfway
# between the published mean returns of neighbouring qualities, so only a wrong file leaves them.
_BANDS = {
    "hopper": {"random": (-100, 300), "medium": (600, 2400), "expert": (2400, 4500)},
    "walker2d": {"random": (-100, 300), "medium": (1000, 4250), "expert": (4250, 6500)},
    "halfcheetah": {"random": (-1500, 500), "medium": (2500, 7500), "expert": (7500, 15000)},
}
_REFETCH = "delete the file, fetch it again, and compare its SHA-256 with a second source."


def identity_findings(raw: RawArrays, structure: Structure, returns: np.ndarray) -> list[Finding]:
    """The file's contents against its SHA-256, its name's dimensions, size, and returns."""
    found = _known_file(raw)
    task = raw.task
    if task is None:
        return found
    wrong_dims = _dimensions(raw, task)
    if wrong_dims:
        return [*found, *wrong_dims]
    found += [*_size(raw, task), *_terminals(raw, task, structure)]
    if task.version is not None and task.family in _BANDS and np.isfinite(returns).all():
        found += _quality(task, structure, returns)
    return found


def _known_file(raw: RawArrays) -> list[Finding]:
    known = name_of_sha256(raw.sha256) if raw.sha256 else None
    if known is None:
        return []
    return [finding(
        "note", "known-file", f"The SHA-256 is that of the published {known}.",
        "the bytes are the ones that others used.", "nothing.",
    )]  # fmt: skip


def _dimensions(raw: RawArrays, task: Task) -> list[Finding]:
    want = (task.facts.obs_dim, task.facts.action_dim)
    got = (raw.observations.shape[1], raw.actions.shape[1])
    if want == got:
        return []
    return [finding(
        "error", "wrong-environment",
        f"{task.name} has {want[0]} observation and {want[1]} action dimensions, the file has "
        f"{got[0]} and {got[1]}.",
        "the file belongs to another environment, or an extra coordinate was written.", _REFETCH,
    )]  # fmt: skip


def _size(raw: RawArrays, task: Task) -> list[Finding]:
    """The number of rows against the published set's."""
    rows, full = len(raw.observations), task.num_rows
    if full is None or abs(rows - full) <= 0.01 * full:
        return []
    if rows < 0.5 * full:
        return [finding(
            "note", "part-of-set",
            f"The published {task.name} has about {full:,} rows, this file {rows:,}.",
            "scores from a part of a set may not stand in a table beside scores from the whole.",
            "name the part (and how it was drawn) wherever you report a number.",
        )]  # fmt: skip
    return [finding(
        "error", "wrong-size",
        f"The published {task.name} has about {full:,} rows, this file {rows:,}.",
        "parts are missing or other sets were mixed in (hopper-medium-expert once held expert and "
        "replay data, D4RL#19).", _REFETCH,
    )]  # fmt: skip


def _terminals(raw: RawArrays, task: Task, structure: Structure) -> list[Finding]:
    """HalfCheetah never falls; Hopper and Walker2d do, unless every episode is full."""
    count = int(structure.terminal.sum())
    if task.family == "halfcheetah" and count:
        return [finding(
            "error", "terminals-unexpected",
            f"{count:,} rows are terminal, but halfcheetah has no terminal state.",
            "cut-offs were written as terminals, so values are not bootstrapped where they should.",
            "move these flags from `terminals` to `timeouts`.", structure.terminal,
        )]  # fmt: skip
    length = np.diff(structure.bounds(), axis=1)[:, 0]
    short = (length < 0.9 * task.max_episode_steps).mean()
    if task.facts.falls and count == 0 and len(length) > 5 and short > 0.5:
        return [finding(
            "error", "terminals-missing",
            f"No row is terminal, although {short:.0%} of episodes stop early.",
            "falls were written as cut-offs, so an agent learns that falling costs nothing.",
            "write `terminals` from the environment's own flag.",
        )]  # fmt: skip
    return []


def _quality(task: Task, structure: Structure, returns: np.ndarray) -> list[Finding]:
    """Returns of whole episodes, weighted by rows, against what the name promises."""
    length = np.diff(structure.bounds(), axis=1)[:, 0]
    ended = structure.terminal[structure.bounds()[:, 1] - 1]
    whole = ended | (length >= 0.9 * task.max_episode_steps)
    if whole.sum() < 2:
        return []
    returns, length = returns[whole], length[whole]
    bands = _BANDS[task.family]
    if task.quality == "medium-expert":
        return _two_modes(task, returns, length, bands)
    if task.quality not in bands or task.version == 0:  # v0 was recorded otherwise
        return []
    low, high = bands[task.quality]
    median = _weighted_median(returns, length)
    if low <= median <= high:
        return []
    like = [q for q, (a, b) in bands.items() if a <= median <= b]
    looks = f", which is like {like[0]} data" if like else ""
    return [finding(
        "error", "quality-mismatch",
        f"The typical return is {median:,.0f}{looks}; {task.name} has {low:,} to {high:,}.",
        "the file is probably another set under this name (hopper-medium and hopper-expert were "
        "once swapped, D4RL#76), and every score from it would be filed under the wrong name.",
        _REFETCH,
    )]  # fmt: skip


def _two_modes(
    task: Task, returns: np.ndarray, length: np.ndarray, bands: dict[str, tuple[int, int]]
) -> list[Finding]:
    """Medium-expert data is half expert by rows, and the rest is like medium data."""
    expert = returns >= bands["expert"][0]
    share = length[expert].sum() / length.sum()
    low, high = bands["medium"]
    rest = _weighted_median(returns[~expert], length[~expert]) if not expert.all() else np.inf
    if 0.25 <= share <= 0.75 and low <= rest <= high:
        return []
    told = "none" if expert.all() else f"a typical return of {rest:,.0f}"
    return [finding(
        "error", "mixture-mismatch",
        f"{share:.0%} of rows come from expert-like episodes and the rest has {told}; {task.name} "
        f"should be half expert and half medium ({low:,} to {high:,}).",
        "the parts were mixed wrongly (hopper-medium-expert once held replay data in place of "
        "medium data, D4RL#19), which makes imitation look better than it is.", _REFETCH,
    )]  # fmt: skip


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])
