"""One table of everything that `toolkit train` can train. Listing it imports nothing."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from toolkit.errors import UserError

Kind = Literal["dynamics", "representation", "agent", "online"]


@dataclass(frozen=True)
class Entry:
    """A model or an agent: where its learner class lives, and what it is in one line.

    `dynamics`, `representation` and `agent` learn from a dataset, `online` agents from an
    environment. An agent may build on the representation that another run trained.
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
    "bilinear": Entry(
        "toolkit.dynamics.bilinear:Bilinear",
        "bilinear Koopman dynamics, an operator for each action (arXiv:2111.01365)",
        "dynamics",
    ),
    "tdm": Entry(
        "toolkit.tsymmetry.learner:TDMLearner",
        "T-symmetry enforced dynamics model, a representation (arXiv:2306.04220)",
        "representation",
    ),
    "autoencoder": Entry(
        "toolkit.tsymmetry.representations:AutoencoderLearner",
        "autoencoder, a baseline of the TDM",
        "representation",
    ),
    "forward-autoencoder": Entry(
        "toolkit.tsymmetry.representations:ForwardAutoencoderLearner",
        "autoencoder with forward dynamics, a baseline of the TDM",
        "representation",
    ),
    "tdm-no-ode": Entry(
        "toolkit.tsymmetry.representations:TDMNoODELearner",
        "TDM fitted to the encoder's differences, a baseline of the TDM",
        "representation",
    ),
    "simsiam": Entry(
        "toolkit.tsymmetry.representations:SimSiamLearner",
        "autoencoder that finds two views alike (arXiv:2011.10566), a baseline of the TDM",
        "representation",
    ),
    "dynamics-ensemble": Entry(
        "toolkit.agents.ensemble:EnsembleLearner",
        "probabilistic ensemble of one-step models, on which MOPO builds (arXiv:2005.13239)",
        "representation",
    ),
    "koopman-forward": Entry(
        "toolkit.symmetry.learners:KoopmanForwardLearner",
        "bilinear Koopman model, on whose symmetries KFC builds (arXiv:2111.01365)",
        "representation",
    ),
    "spectral-core": Entry(
        "toolkit.symmetry.learners:SpectralCoreLearner",
        "diagonal Koopman model: symmetries and time reversal by construction",
        "representation",
    ),
    "tsrl": Entry(
        "toolkit.agents.tsrl:TSRL",
        "offline RL in the latent of a TDM (arXiv:2306.04220)",
        "agent",
    ),
    "spectral-tsrl": Entry(
        "toolkit.agents.spectral_tsrl:SpectralTSRL",
        "TSRL with a diagonal Koopman model in place of the TDM",
        "agent",
    ),
    "bc": Entry("toolkit.agents.bc:BC", "behaviour cloning, of all or the best episodes", "agent"),
    "td3-bc": Entry(
        "toolkit.agents.td3_bc:TD3BC", "TD3 with behaviour cloning (arXiv:2106.06860)", "agent"
    ),
    "iql": Entry("toolkit.agents.iql:IQL", "implicit Q-learning (arXiv:2110.06169)", "agent"),
    "cql": Entry("toolkit.agents.cql:CQL", "conservative Q-learning (arXiv:2006.04779)", "agent"),
    "kfc": Entry(
        "toolkit.agents.symmetry:KFC",
        "CQL on transitions shifted along a symmetry of the dynamics (arXiv:2111.01365)",
        "agent",
    ),
    "kfc++": Entry(
        "toolkit.agents.symmetry:KFCPlusPlus",
        "KFC with shifts along every eigenvector (arXiv:2111.01365)",
        "agent",
    ),
    "cql-spectral": Entry(
        "toolkit.agents.symmetry:SpectralCQL",
        "CQL on shifts along the symmetries of a diagonal Koopman model",
        "agent",
    ),
    "td3-bc-symmetry": Entry(
        "toolkit.agents.symmetry:SymmetryTD3BC",
        "TD3+BC on shifts along the symmetries of a Koopman model",
        "agent",
    ),
    "mopo": Entry(
        "toolkit.agents.mopo:MOPO",
        "SAC on penalised rollouts of a model ensemble (arXiv:2005.13239)",
        "agent",
    ),
    "sac": Entry(
        "toolkit.agents.sac:SAC",
        "soft actor-critic, learning online in an environment (arXiv:1812.05905)",
        "online",
    ),
    "tdmpc": Entry(
        "toolkit.agents.tdmpc:TDMPC",
        "planning in a learned latent model, learning online (arXiv:2203.04955)",
        "online",
    ),
    "koopman-tdmpc": Entry(
        "toolkit.agents.tdmpc:KoopmanTDMPC",
        "TD-MPC with a diagonal complex spectrum for dynamics (arXiv:2306.11941)",
        "online",
    ),
    "sac-pixels": Entry(
        "toolkit.agents.pixel_sac:SACPixels",
        "soft actor-critic from pixels, learning online (arXiv:1910.01741, arXiv:2004.13649)",
        "online",
    ),
    "spr": Entry(
        "toolkit.agents.spr:SPR",
        "SAC from pixels that predicts its features with an MLP (arXiv:2007.05929)",
        "online",
    ),
    "koopman-spr": Entry(
        "toolkit.agents.spr:KoopmanSPR",
        "SAC from pixels that predicts its features with a spectrum (arXiv:2306.11941)",
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


def name_of(learner: type[Any]) -> str:
    """The name of a learner class."""
    return next(name for name, entry in MODELS.items() if entry.load() is learner)


def suggest(word: str, known: Iterable[str]) -> str:
    """What may have been meant by an unknown word, in words."""
    names = list(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]!r}"
    return f"there is {', '.join(names)}"
