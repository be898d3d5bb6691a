"""The dataset doctor: what is wrong with a file, what follows from it, and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from toolkit.data.arrays import RawArrays
from toolkit.data.coverage import coverage_facts
from toolkit.data.doctor_episodes import episode_findings
from toolkit.data.doctor_identity import identity_findings
from toolkit.data.doctor_values import layout_findings, value_findings
from toolkit.data.reading import read_arrays
from toolkit.data.report import Report, spread
from toolkit.data.structure import Structure, infer_structure


def check(path: str | Path) -> Report:
    """Examine one file without changing it.

    Raises:
        UserError: the file cannot be read at all (see `read_arrays`).
    """
    return check_arrays(read_arrays(path), str(path))


def check_arrays(raw: RawArrays, file: str = "arrays") -> Report:
    """Examine raw arrays, wherever they came from."""
    findings = layout_findings(raw)
    facts: dict[str, Any] = {"rows": len(raw.observations) if raw.observations.ndim else 0}
    if not any(item.severity == "error" for item in findings):
        structure = infer_structure(raw)
        returns = episode_returns(raw, structure)
        facts |= _facts(raw, structure, returns)
        findings += value_findings(raw)
        findings += episode_findings(raw, structure)
        findings += identity_findings(raw, structure, returns)
    return Report(file, raw.name, raw.layout, raw.sha256, facts, tuple(findings))


def episode_returns(raw: RawArrays, structure: Structure) -> np.ndarray:
    """Sum of rewards per inferred episode: `(episodes,)`."""
    rewards = raw.rewards.reshape(-1).astype(np.float64)
    with np.errstate(invalid="ignore"):  # an infinite reward is a finding of its own
        return np.add.reduceat(rewards, structure.bounds()[:, 0])


def _facts(raw: RawArrays, structure: Structure, returns: np.ndarray) -> dict[str, Any]:
    facts = {
        "episodes": len(returns),
        "observation dimensions": int(raw.observations.shape[1]),
        "action dimensions": int(raw.actions.shape[1]),
        "terminals": int(structure.terminal.sum()),
        "timeouts, marked or not": int(structure.timeout.sum()),
        "rows to fit dynamics with": int(structure.valid_next.sum()),
        "episode length": spread(np.diff(structure.bounds(), axis=1)[:, 0]),
    }
    if np.isfinite(returns).all():
        facts["episode return"] = spread(returns)
    return facts | coverage_facts(raw)
