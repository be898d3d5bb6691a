"""One table of everything that `toolkit train` can train. Listing it imports nothing."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from toolkit.errors import UserError

Kind = Literal["dynamics", "agent", "online"]


@dataclass(frozen=True)
class Entry:
    """A model or an agent: where its learner class lives, and what it is in one line.

    `dynamics` and `agent` learn from a dataset, `online` agents from an environment.
    """

    path: str  # "package.module:Class"
    summary: str
    kind: Kind

    def load(self) -> type[Any]:
        """The learner class; its fields are the hyperparameters."""
        module, _, name = self.path.partition(":")
        return getattr(importlib.import_module(module), name)


MODELS: dict[str, Entry] = {
    "koopman": Entry(
        "toolkit.spectral:Koopman",
        "latent dynamics with a diagonal complex spectrum (arXiv:2306.11941)",
        "dynamics",
    ),
    "mlp": Entry("toolkit.dynamics.mlp:MLPModel", "latent MLP dynamics, a baseline", "dynamics"),
    "gru": Entry("toolkit.dynamics.gru:GRU", "gated recurrent unit, a baseline", "dynamics"),
    "transformer": Entry(
        "toolkit.dynamics.transformer:Transformer", "causal Transformer, a baseline", "dynamics"
    ),
    "state-space": Entry(
        "toolkit.dynamics.state_space:StateSpace",
        "diagonal state-space layers (S4D style), a baseline",
        "dynamics",
    ),
    "sac": Entry(
        "toolkit.agents.sac:SAC",
        "soft actor-critic, learning online in an environment (arXiv:1812.05905)",
        "online",
    ),
}


def find_model(name: str) -> Entry:
    """The entry of a model.

    Raises:
        UserError: the name is unknown; the message has the closest one.
    """
    if name not in MODELS:
        raise UserError(f"{name!r} is not a model; {suggest(name, MODELS)}.")
    return MODELS[name]


def suggest(word: str, known: Iterable[str]) -> str:
    """What may have been meant by an unknown word, in words."""
    names = list(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]!r}"
    return f"there is {', '.join(names)}"
