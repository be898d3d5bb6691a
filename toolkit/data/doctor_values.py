"""The doctor's look at single arrays: shapes, types, finiteness, ranges, constants, duplicates."""

from __future__ import annotations

import numpy as np

from toolkit.data.arrays import RawArrays
from toolkit.data.loading import check_rows
from toolkit.data.report import Finding, finding
from toolkit.errors import UserError

SATURATED = 0.999


def layout_findings(raw: RawArrays) -> list[Finding]:
    """Shapes and types. With an error among these, nothing else can be examined.

    Raises:
        UserError: actions are no `(rows, dims)` array.
    """
    try:
        check_rows(raw)
        if raw.actions.ndim != 2 or raw.actions.shape[1] == 0:
            raise UserError(f"`actions` must be a (rows, dims) array, got {raw.actions.shape}.")
    except UserError as error:
        return [
            finding(
                "error",
                "shapes",
                str(error),
                "observations, actions and rewards cannot be put side by side; `load` refuses.",
                "fetch or export the file again; do not cut the longer arrays to fit.",
            )
        ]
    return [*_columns(raw), *_dtypes(raw), *_flags(raw)]


def _columns(raw: RawArrays) -> list[Finding]:
    wide = [
        k for k in ("rewards", "terminals", "timeouts") if getattr(raw.stored.get(k), "ndim", 1) > 1
    ]
    if not wide:
        return []
    return [
        finding(
            "note",
            "column-vectors",
            f"{_listed(wide)} are stored as (rows, 1).",
            "code that adds them to a (rows,) array makes a (rows, rows) array by broadcasting.",
            "none needed here: `load` squeezes them.",
        )
    ]


def _dtypes(raw: RawArrays) -> list[Finding]:
    keys = ("observations", "actions", "rewards", "next_observations")
    other = [k for k in keys if k in raw.stored and raw.stored[k].dtype != np.float32]
    if not other:
        return []
    types = ", ".join(f"`{k}` {raw.stored[k].dtype}" for k in other)
    return [
        finding(
            "note",
            "dtypes",
            f"Not stored as float32: {types}.",
            "`load` rounds to float32, which holds about seven digits.",
            "none needed, unless a coordinate is large with small differences (a time).",
        )
    ]


def _flags(raw: RawArrays) -> list[Finding]:
    found = []
    for key in ("terminals", "timeouts"):
        values = raw.stored.get(key)
        odd = None if values is None else ~np.isin(values.reshape(-1), (0, 1))
        if odd is not None and odd.any():
            found.append(finding(
                "error", "flags", f"`{key}` holds values other than 0 and 1.",
                "a flag that is neither true nor false cannot say where episodes end.",
                "find out what was written there; a discount, for instance, is 1 − terminal.", odd,
            ))  # fmt: skip
    return found


def value_findings(raw: RawArrays) -> list[Finding]:
    """Finiteness, ranges, constants and duplicated rows."""
    return [
        *_not_finite(raw), *_actions(raw), *_constants(raw), *_rewards(raw), *_repeated_rows(raw),
    ]  # fmt: skip


def _not_finite(raw: RawArrays) -> list[Finding]:
    found = []
    for key in ("observations", "actions", "rewards", "next_observations"):
        array = raw.stored.get(key)
        if array is None:
            continue
        with np.errstate(invalid="ignore"):
            bad = ~np.isfinite(array.reshape(len(array), -1).sum(1, dtype=np.float64))
        if bad.any():
            found.append(finding(
                "error", f"not-finite-{key}", f"`{key}` has NaN or infinity in {bad.sum():,} rows.",
                "one such row turns every parameter into NaN at the first update that draws it; "
                "`load` refuses the file.",
                "drop the episodes that hold these rows, or repair the recording.", bad,
            ))  # fmt: skip
    return found


def _actions(raw: RawArrays) -> list[Finding]:
    size = np.abs(raw.actions).max(1)
    outside, full = size > 1 + 1e-5, size >= SATURATED
    found = []
    if outside.any():
        found.append(finding(
            "warning", "action-range",
            f"Actions reach {np.nanmax(size):.4g}; {outside.mean():.1%} of rows leave [-1, 1].",
            "policies that end in tanh can never repeat these actions, and clipped critics see "
            "actions that were not taken.",
            "divide the actions by the actuator's limit before writing the file.", outside,
        ))  # fmt: skip
    elif full.mean() > 0.1:
        found.append(finding(
            "note", "action-saturation",
            f"In {full.mean():.0%} of rows an action coordinate is at its limit.",
            "tanh-normal likelihoods are unbounded there: behaviour cloning by likelihood needs "
            "its actions clipped (to ±0.999 or so).",
            "nothing, if the agent clips; a deterministic policy does not mind.", full,
        ))  # fmt: skip
    return found


def _constants(raw: RawArrays) -> list[Finding]:
    found = []
    for key, array in (("observations", raw.observations), ("actions", raw.actions)):
        still = np.flatnonzero(array.max(0) == array.min(0)) if len(array) > 1 else np.array([])
        if still.size:
            found.append(finding(
                "warning", f"constant-{key}", f"`{key}` never changes in {_dims(still)}.",
                "the coordinate carries nothing here; a policy that meets another value of it "
                "elsewhere sees a huge z-score, because the standard deviation is almost zero.",
                "drop the coordinate, or check that the sensor was recorded.",
            ))  # fmt: skip
    return found


def _rewards(raw: RawArrays) -> list[Finding]:
    rewards = raw.rewards.reshape(-1)
    idle = rewards == 0
    if idle.all():
        return [finding(
            "error", "rewards-zero", "Every reward is zero.",
            "no agent can learn anything from returns; sparse-reward sets end up like this when a "
            "reader drops the rows at which the goal is reached (OfflineRL-Kit#14).",
            "read the original file again without shifting or dropping terminal rows; for "
            "dynamics models alone the file is fine.", idle,
        )]  # fmt: skip
    if len(rewards) > 1 and rewards.max() == rewards.min():
        return [finding(
            "warning", "rewards-constant", f"Every reward is {rewards[0]:.6g}.",
            "returns then only count rows, and episode length is all that an agent can improve.",
            "check that rewards were recorded.",
        )]  # fmt: skip
    if idle.mean() > 0.99:
        return [finding(
            "note", "rewards-sparse", f"{idle.mean():.2%} of rewards are zero.",
            "most batches hold no reward at all, so the value function learns slowly.",
            "expect sparse-reward methods and settings to be needed.", ~idle,
        )]  # fmt: skip
    return []


def _repeated_rows(raw: RawArrays) -> list[Finding]:
    hashes = hash_rows(raw)
    _, first = np.unique(hashes, return_index=True)
    again = np.ones(len(hashes), bool)
    again[first] = False
    if not again.any():
        return []
    share = again.mean()
    return [finding(
        "warning" if share > 0.001 else "note", "duplicate-rows",
        f"{again.sum():,} rows ({share:.2%}) repeat an earlier observation and action exactly.",
        "copies count double in every batch, and a random split puts one copy on each side.",
        "split by episode; look for episodes that were written twice.", again,
    )]  # fmt: skip


def hash_rows(raw: RawArrays) -> np.ndarray:
    """A 64-bit hash of each row's observation and action: `(rows,)`."""
    factors = np.random.default_rng(0).integers(0, 2**64, 4096, dtype=np.uint64) | np.uint64(1)
    total = np.zeros(len(raw.observations), np.uint64)
    columns = [*raw.observations.T, *raw.actions.T]
    for column, factor in zip(columns, np.resize(factors, len(columns)), strict=True):
        bits = np.ascontiguousarray(column, np.float64).view(np.uint64)
        mixed = (bits ^ (bits >> np.uint64(31))) * factor
        total += mixed ^ (mixed >> np.uint64(29))
    return total


def _dims(indices: np.ndarray) -> str:
    listed = ", ".join(map(str, indices[:8])) + (", …" if len(indices) > 8 else "")
    return f"dimension{'s' if len(indices) > 1 else ''} {listed}"


def _listed(keys: list[str]) -> str:
    return ", ".join(f"`{key}`" for key in keys)
