"""The doctor's look at episodes: missing flags, pairs that cross episodes, copied episodes."""

from __future__ import annotations

import numpy as np

from toolkit.data.arrays import RawArrays
from toolkit.data.doctor_values import hash_rows
from toolkit.data.report import Finding, finding
from toolkit.data.structure import Structure, flag

_MARK = (
    "write `timeouts` with a true value at each; `load` infers these ends, other readers do not."
)

_SAME_LENGTH = 3  # terminals of the same, largest length that are no coincidence any more
_SHORTEST_LIMIT = 20  # steps; shorter episodes may well end together


def episode_findings(raw: RawArrays, structure: Structure) -> list[Finding]:
    """Everything about where episodes end and which rows belong together."""
    return [
        *_timeouts_missing(raw, structure),
        *_breaks(raw, structure),
        *_successors(raw, structure),
        *_length(raw, structure),
        *_early_timeouts(raw, structure),
        *_terminals_at_limit(structure),
        *_both_flags(raw),
        *_repeated_episodes(raw, structure),
    ]


def _timeouts_missing(raw: RawArrays, structure: Structure) -> list[Finding]:
    if raw.timeouts is not None:
        return []
    inferred = structure.timeout.copy()
    inferred[-1] = False
    known = "compared successors" if raw.next_observations is not None else "counted steps"
    return [finding(
        "error", "timeouts-missing",
        f"The file has no `timeouts`; {inferred.sum():,} unmarked cut-offs were inferred from "
        f"{known}.",
        "without the flag every reader has to guess where an episode was cut off, and code that "
        "looks only at terminals joins episodes that do not belong together.",
        _MARK, inferred,
    )]  # fmt: skip


def _breaks(raw: RawArrays, structure: Structure) -> list[Finding]:
    """Rows that are followed by something other than their successor, without a flag."""
    if raw.next_observations is None:
        return []
    marked = structure.terminal | flag(raw.timeouts, len(structure.terminal))
    marked[-1] = True
    broken = ~structure.follows & ~marked
    if not broken.any():
        return []
    if broken.mean() > 0.5:
        return [finding(
            "error", "rows-shuffled",
            f"In {broken.mean():.0%} of rows the successor is not the row after it.",
            "rows are out of order, so every episode has about one row and no window fits.",
            "write the rows in the order in which they were recorded.", broken,
        )]  # fmt: skip
    return [finding(
        "error", "timeouts-unmarked",
        f"{broken.sum():,} rows are followed by a row that is not their successor, and carry "
        "neither `terminals` nor `timeouts`.",
        "code that takes consecutive rows for consecutive states pairs one episode's end with "
        "another's start there (D4RL#86, D4RL#162).",
        _MARK, broken,
    )]  # fmt: skip


def _successors(raw: RawArrays, structure: Structure) -> list[Finding]:
    """Rows whose stored successor is another episode's first state."""
    found = []
    at_terminal = structure.to_reset & structure.terminal
    elsewhere = structure.to_reset & ~structure.terminal
    if at_terminal.any():
        share = at_terminal.sum() / structure.terminal.sum()
        found.append(finding(
            "warning", "terminal-successor",
            f"{at_terminal.sum():,} terminal rows ({share:.0%} of them) are paired across "
            "episodes: their stored successor is another episode's first state.",
            "harmless for values, because nothing is bootstrapped there, but a dynamics model "
            "learns that a fall puts the robot back on its feet.",
            "`load` marks these rows `valid_next = False` and dynamics models skip them; keep the "
            "true last state when you record.", at_terminal,
        ))  # fmt: skip
    if elsewhere.any():
        found.append(finding(
            "error", "successor-crosses-episodes",
            f"{elsewhere.sum():,} rows that are not terminal are paired across episodes: their "
            "stored successor is another episode's first state.",
            "values are bootstrapped from an unrelated state, and a dynamics model learns a jump "
            "that never happened.",
            "`load` cuts the episode there and skips the pair; write the true successor or drop "
            "the row, as D4RL's `qlearning_dataset` does.", elsewhere,
        ))  # fmt: skip
    return found


def _length(raw: RawArrays, structure: Structure) -> list[Finding]:
    """Episodes longer than the named task allows."""
    task = raw.fitting_task
    if task is None:
        return []
    limit, bounds = task.max_episode_steps, structure.bounds()
    long = np.diff(bounds, axis=1)[:, 0] > limit
    if not long.any():
        return []
    starts = np.zeros(len(structure.terminal), bool)
    starts[bounds[long, 0]] = True
    return [finding(
        "error", "episode-too-long",
        f"{long.sum():,} episodes have more than the {limit} steps that {task.family} allows.",
        "several episodes run into each other without a flag, and windows cross between them.",
        _MARK, starts,
    )]  # fmt: skip


def _early_timeouts(raw: RawArrays, structure: Structure) -> list[Finding]:
    """Timeouts before the task's limit, as D4RL's replay sets have at the end of an iteration."""
    task = raw.fitting_task
    if task is None or raw.timeouts is None:
        return []
    bounds = structure.bounds()
    stored = flag(raw.timeouts, len(structure.terminal))[bounds[:, 1] - 1]
    length = np.diff(bounds, axis=1)[:, 0]
    short = stored & (length < 0.9 * task.max_episode_steps)
    if not short.any():
        return []
    rows = np.zeros(len(structure.terminal), bool)
    rows[bounds[short, 1] - 1] = True
    return [finding(
        "note", "timeouts-early",
        f"{short.sum():,} timeouts come before step {task.max_episode_steps}, the earliest "
        f"after {length[short].min()} steps.",
        "the recording was cut, not the episode (D4RL's replay sets do this whenever a thousand "
        "steps were sampled, D4RL#162); returns of these episodes are partial.",
        "do not read them as returns; for transitions and windows they do no harm.", rows,
    )]  # fmt: skip


def _terminals_at_limit(structure: Structure) -> list[Finding]:
    """Many terminals after exactly as many steps as the longest episode has."""
    bounds = structure.bounds()
    length, last = np.diff(bounds, axis=1)[:, 0], bounds[:, 1] - 1
    longest = length.max()
    suspect = structure.terminal[last] & (length == longest)
    if suspect.sum() < _SAME_LENGTH or longest < _SHORTEST_LIMIT:
        return []
    rows = np.zeros(len(structure.terminal), bool)
    rows[last[suspect]] = True
    return [finding(
        "warning", "terminals-at-limit",
        f"{suspect.sum():,} terminals come after exactly {longest:,} steps, the longest episode "
        "there is.",
        "a fall does not keep to a number of steps, so these look like time limits; stored as "
        "terminals they teach that nothing is worth anything beyond that step.",
        "store them as `timeouts`, unless the task truly ends there.", rows,
    )]  # fmt: skip


def _both_flags(raw: RawArrays) -> list[Finding]:
    rows = len(raw.observations)
    both = flag(raw.terminals, rows) & flag(raw.timeouts, rows)
    if not both.any():
        return []
    return [finding(
        "note", "both-flags", f"{both.sum():,} rows are terminal and timeout at once.",
        "the two say opposite things about bootstrapping; `load` lets the terminal win.",
        "check the recorder, if these are many.", both,
    )]  # fmt: skip


def _repeated_episodes(raw: RawArrays, structure: Structure) -> list[Finding]:
    bounds, hashes = structure.bounds(), hash_rows(raw)
    step = np.arange(len(hashes)) - np.repeat(bounds[:, 0], np.diff(bounds, axis=1)[:, 0])
    weighted = hashes * (2 * step.astype(np.uint64) + np.uint64(1))
    content = np.add.reduceat(weighted, bounds[:, 0])
    _, first = np.unique(content, return_index=True)
    again = np.ones(len(content), bool)
    again[first] = False
    if not again.any():
        return []
    rows = np.zeros(len(hashes), bool)
    rows[bounds[again, 0]] = True
    return [finding(
        "warning", "duplicate-episodes",
        f"{again.sum():,} of {len(content):,} episodes are exact copies of earlier ones.",
        "a split by episode can put a copy on each side, so that test errors look too small.",
        "remove the copies before splitting.", rows,
    )]  # fmt: skip
