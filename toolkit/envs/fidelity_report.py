"""What the check of a dataset against today's simulator found, and when that is close enough."""

from __future__ import annotations

import textwrap
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

# What "close enough" asks. Seven 10k-row sets of D4RL v2, stepped by mujoco 3.17, have median
# errors of 0.6 to 3.1 % in the next state and 0.05 to 0.4 % in the reward, and no terminal flag
# that disagrees. With each action one row late they have 49 to 158 % and 3 to 22 %.
MAX_STATE_ERROR = 0.05  # median; standard deviations of the observations
MAX_REWARD_ERROR = 0.05  # median; standard deviations of the rewards
MAX_TERMINAL_SHARE = 0.01  # of the rows
MAX_FALL_SHARE = 0.1  # of the rows that either calls terminal, because falls are rare; 1 row passes

_QUANTILES = {"50 %": 0.5, "90 %": 0.9, "99 %": 0.99, "max": 1.0}
Quantiles = dict[str, float]


@dataclass(frozen=True)
class Comparison:
    """One environment version against the data.

    `next_state`: quantiles over `paired_rows` of the largest coordinate of
    |simulated − stored| / that coordinate's standard deviation. `reward`: quantiles over `rows` of
    |simulated − stored|; `reward_std` is the stored rewards' standard deviation. `falls` counts the
    rows that data or simulator call terminal, `terminal_disagreements` those that only one does.
    """

    env_id: str
    mujoco: str
    rows: int
    paired_rows: int
    next_state: Quantiles
    reward: Quantiles
    reward_std: float
    terminal_disagreements: int
    falls: int

    @property
    def differences(self) -> tuple[str, ...]:
        """What exceeds its limit, in words; empty where the simulator is close enough."""
        state, reward = self.next_state["50 %"], self.reward["50 %"] / self.reward_std
        wrong, found = self.terminal_disagreements, []
        if state >= MAX_STATE_ERROR:
            found.append(f"the median next-state error is {state:.2g} standard deviations")
        if reward >= MAX_REWARD_ERROR:
            found.append(f"the median reward error is {reward:.2g} standard deviations")
        if wrong >= MAX_TERMINAL_SHARE * self.rows or wrong > max(1, MAX_FALL_SHARE * self.falls):
            found.append(f"the terminal flag differs on {wrong:,} rows with {self.falls:,} falls")
        return tuple(found)

    @property
    def close(self) -> bool:
        """Whether policies learned from this data may be scored in this environment."""
        return not self.differences

    def verdict(self) -> str:
        """One sentence."""
        if self.close:
            return f"close enough to score policies from this data in {self.env_id}."
        return f"{self.env_id} differs from this data: {'; '.join(self.differences)}."

    def lines(self) -> list[str]:
        """The comparison as text, a small table and the verdict."""
        wrong = f"{self.terminal_disagreements:,} of {self.rows:,} rows (falls: {self.falls:,})"
        head = f"{self.env_id} (mujoco {self.mujoco})"
        return [
            f"{head:<34}" + "".join(f"{name:>10}" for name in _QUANTILES),
            "  next-state error, std" + _cells(self.next_state, 11),
            "  reward error, absolute" + _cells(self.reward, 10),
            f"  terminal flag disagrees on {wrong}",
            f"  {self.verdict()}",
        ]


@dataclass(frozen=True)
class Fidelity:
    """What `simulate_check` found, per environment version.

    `rows` in the file, of which `sampled` were looked at; `left_out` says how many of those could
    not be used and why; `stored_states` were set from `infos/qpos` and `infos/qvel` and
    `rebuilt_states` from observations, with x = 0. In `no_successor` of them nothing true is
    stored to compare the next state with; reward and terminal are compared all the same.
    """

    file: str
    robot: str
    rows: int
    sampled: int
    stored_states: int
    rebuilt_states: int
    no_successor: int
    left_out: dict[str, int]
    comparisons: tuple[Comparison, ...]

    def find(self, env_id: str) -> Comparison | None:
        """The comparison with this environment, if it was made."""
        return next((c for c in self.comparisons if c.env_id == env_id), None)

    def to_json(self) -> dict[str, Any]:
        """Plain values for `json.dump`, with a format number."""
        told = [asdict(c) | {"close": c.close, "verdict": c.verdict()} for c in self.comparisons]
        return {"format": 1, **asdict(self), "rule": _rule(), "comparisons": told}

    def __str__(self) -> str:
        facts = [
            ("rows looked at", self.sampled, f"of {self.rows:,}"),
            ("states as stored", self.stored_states, "from infos/qpos and infos/qvel"),
            ("states rebuilt", self.rebuilt_states, "from observations, with x = 0"),
            ("no true successor", self.no_successor, "where reward and terminal are compared"),
            *(("left out", count, why) for why, count in self.left_out.items()),
        ]
        parts = [f"{self.file}: stored states and actions in today's simulator"]
        parts += [f"  {label:<26} {count:,} {what}" for label, count, what in facts if count]
        for comparison in self.comparisons:
            parts += ["", *comparison.lines()]
        rule = textwrap.wrap(f"Rule: {_rule()}", 88, subsequent_indent="  ")
        return "\n".join([*parts, "", *rule])


def quantiles(values: np.ndarray) -> Quantiles:
    """The quantiles that a comparison tells of some errors."""
    return {name: float(np.quantile(values, q)) for name, q in _QUANTILES.items()}


def _cells(quantiles: Quantiles, indent: int) -> str:
    return " " * indent + "".join(f"{value:>10.2g}" for value in quantiles.values())


def _rule() -> str:
    return (
        f"close enough means a median next-state error (of the largest coordinate) below "
        f"{MAX_STATE_ERROR:.0%} of a standard deviation, a median reward error below "
        f"{MAX_REWARD_ERROR:.0%} of the rewards' standard deviation, and terminal flags that "
        f"disagree on under {MAX_TERMINAL_SHARE:.0%} of rows and on one row or {MAX_FALL_SHARE:.0%}"
        " of the falls at most."
    )
