"""A run of an online agent on the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array

from toolkit.agents.host_replay import AbstractHostReplay
from toolkit.agents.interface import AbstractPolicy
from toolkit.envs.interface import AbstractEnvs, Snapshot
from toolkit.errors import UserError
from toolkit.training.checkpoint import load_checkpoint, read_header, save_checkpoint
from toolkit.training.online import OnlineState
from toolkit.training.online_config import OnlineConfig
from toolkit.training.records import Row, append_row, cut_rows, read_rows
from toolkit.training.run import FORMAT, provenance, read_config, write_json


class OnlineRun:
    """A folder with `config.json`, `metrics.jsonl`, `checkpoint/`, `policies/`, `result.json`."""

    def __init__(self, folder: Path, config: OnlineConfig):
        self.folder, self.config = folder, config

    @classmethod
    def open(cls, folder: str | Path) -> OnlineRun:
        """An existing run.

        Raises:
            UserError: the folder holds no run of an online agent, or one of another format.
        """
        folder = Path(folder)
        return cls(folder, read_config(folder, OnlineConfig.from_json))

    @classmethod
    def create(cls, folder: str | Path, config: OnlineConfig) -> OnlineRun:
        """A run with this configuration, which takes the place of an older one.

        Raises:
            UserError: the folder cannot be written.
        """
        folder = Path(folder)
        write_json(folder / "config.json", {"format": FORMAT} | config.to_json() | provenance())
        return cls(folder, config)

    @staticmethod
    def exists(folder: str | Path) -> bool:
        """Whether a folder holds a run, finished or not."""
        return (Path(folder) / "config.json").exists()

    @property
    def has_checkpoint(self) -> bool:
        """Whether there is a state to go on from."""
        return self._checkpoint.exists()

    @property
    def has_agent(self) -> bool:
        """Whether an agent was saved yet, which is all that scoring needs."""
        return self._agent.exists()

    def header(self) -> dict[str, Any]:
        """The header of the saved agent: `update`, `env_steps`, `model`, versions and more.

        Raises:
            UserError: nothing was saved yet, or the file is damaged.
        """
        return read_header(self._saved_agent())

    def policy(self) -> AbstractPolicy:
        """The last saved policy, as it is scored: without exploration.

        Raises:
            UserError: nothing was saved yet, or the checkpoint is damaged or of another agent.
        """
        agent = self.config.agent()
        template = agent.init(self.config.spec, key=jr.key(0))
        return agent.policy(load_checkpoint(self._saved_agent(), template)[0], explore=False)

    def restore(self, template: OnlineState, envs: AbstractEnvs) -> OnlineState:
        """The state to go on from; `envs` is set back to where it was.

        Raises:
            UserError: the checkpoint is damaged or does not fit.
        """
        at_start = envs.snapshot()
        sizes = read_header(self._checkpoint).get("replay", {})
        experience = {name: np.empty(shape, kind) for name, (shape, kind) in sizes.items()}
        wanted = (template, _as_bytes(at_start), experience)
        (state, stored, experience), _ = load_checkpoint(self._checkpoint, wanted)
        envs.restore(_from_bytes(stored, at_start))
        if isinstance(state.replay, AbstractHostReplay):
            state.replay.restore(experience)
        return state

    def save(self, state: OnlineState, envs: AbstractEnvs) -> None:
        """Write all that going on needs (as large as the replay), and the agent by itself.

        Where the environments' state cannot be saved, nobody can go on: the agent alone.
        """
        header = {
            "model": self.config.model,
            "update": int(state.agent.update_count),
            "env_steps": int(state.env_steps),
            "hyperparameters": self.config.hyperparameters,
        } | provenance()
        if envs.restorable:
            on_host = isinstance(state.replay, AbstractHostReplay)
            experience = state.replay.snapshot() if on_host else {}
            sizes = {name: [list(x.shape), str(x.dtype)] for name, x in experience.items()}
            everything = (state, _as_bytes(envs.snapshot()), experience)
            save_checkpoint(self._checkpoint, everything, header | {"replay": sizes})
        save_checkpoint(self._agent, state.agent, header)

    def keep_policy(self, policy: AbstractPolicy, row: Row) -> None:
        """Store a policy under `policies/`, with its score."""
        path = self.folder / "policies" / f"{row['env_steps']:010d}.ckpt"
        save_checkpoint(path, policy, row | {"model": self.config.model})

    def policies(self) -> list[tuple[AbstractPolicy, Row]]:
        """The kept policies with their scores, in the order of training."""
        agent = self.config.agent()
        template = agent.policy(agent.init(self.config.spec, key=jr.key(0)), explore=False)
        paths = sorted((self.folder / "policies").glob("*.ckpt"))
        return [load_checkpoint(path, template) for path in paths]

    def rows(self) -> list[Row]:
        """One row per evaluation: its returns, and the means of the metrics since the last."""
        return read_rows(self._metrics)

    def append(self, row: Row) -> None:
        """Add a row."""
        append_row(self._metrics, row)

    def rewind(self, env_steps: int) -> list[Row]:
        """Drop the rows beyond an environment step; what is left."""
        return cut_rows(self._metrics, env_steps, key="env_steps")

    @property
    def _checkpoint(self) -> Path:
        return self.folder / "checkpoint" / "state.ckpt"

    @property
    def _agent(self) -> Path:
        return self.folder / "checkpoint" / "agent.ckpt"

    def _saved_agent(self) -> Path:
        if not self.has_agent:
            raise UserError(f"{self.folder} has no checkpoint yet.")
        return self._agent

    @property
    def _metrics(self) -> Path:
        return self.folder / "metrics.jsonl"


def _as_bytes(snapshot: Snapshot) -> dict[str, Array]:
    """A snapshot as bytes, because JAX would round its 64-bit numbers."""
    return {name: jnp.asarray(np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8))
            for name, values in snapshot.items()}  # fmt: skip


def _from_bytes(stored: dict[str, Array], like: Snapshot) -> Snapshot:
    return {
        name: np.frombuffer(np.asarray(stored[name]).tobytes(), values.dtype).reshape(values.shape)
        for name, values in like.items()
    }
