"""The command `toolkit`: a cheap table of commands first, then `tyro` for the chosen one.

Nothing heavy is imported before a command is chosen, so that `toolkit --help` answers at once.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from toolkit.allocator import keep_freed_memory
from toolkit.errors import UserError
from toolkit.registry import MODELS, suggest

_HELP = ("-h", "--help")
_ABOUT = "Koopman spectra, T-symmetry and symmetries of dynamics."
_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Command:
    """One command: `load` imports the dataclass whose fields are its arguments."""

    summary: str
    load: Callable[[], Any]


@dataclass(frozen=True)
class Group:
    """Commands under a common first word."""

    summary: str
    noun: str  # what the second word is
    members: Callable[[], Mapping[str, Command]]


def _load(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(f"toolkit.{module}"), name)


def _load_train(model: str) -> Any:
    return _load("commands.train:train_command")(model)


def _command(summary: str, path: str) -> Command:
    return Command(summary, partial(_load, path))


def _models() -> dict[str, Command]:
    return {
        name: Command(entry.summary, partial(_load_train, name)) for name, entry in MODELS.items()
    }


_DATA = {
    "list": _command("show every dataset name that is known", "data.commands:List"),
    "fetch": _command("download a published dataset and verify it", "data.commands:Fetch"),
    "check": _command("examine a dataset file and say what is wrong", "data.commands:Check"),
    "make": _command("make a dataset of a robot or a built-in system", "data.commands:Make"),
    "subsample": _command("draw whole episodes into a new file", "data.commands:Subsample"),
}
_BENCH = {
    "propagation": _command(
        "the latent recurrence in all its forms, against one pass over the array",
        "commands.bench:Propagation",
    ),
    "dynamics": _command("a training update of every dynamics model", "commands.bench:Dynamics"),
    "agents": _command(
        "agents' updates, against their matrix products alone", "commands.bench_agents:Agents"
    ),
    "tdm": _command(
        "a TDM's update, against its matrix products alone", "commands.bench_agents:Tdm"
    ),
    "symmetry": _command(
        "symmetry shifts, against the eigendecomposition of each sample", "commands.bench:Symmetry"
    ),
    "planning": _command(
        "TD-MPC's decisions and updates with both dynamics", "commands.bench_agents:Planning"
    ),
    "explorers": _command(
        "the notebooks' explorers: how long a control makes one wait", "commands.bench:Explorers"
    ),
    "pixels": _command(
        "updates of the agents that learn from pixels", "commands.bench_agents:Pixels"
    ),
    "newcomer": _command(
        "from a clone to the first figure, and what is installed", "commands.newcomer:Newcomer"
    ),
}
_STUDIES = {
    "initialisation": _command(
        "how the spectrum starts: the ablation of arXiv:2306.11941 App. G",
        "studies.initialisation:Initialisation",
    ),
    "prediction": _command(
        "every dynamics model on every dataset: Table 1 of arXiv:2306.11941",
        "studies.prediction:Prediction",
    ),
    "ablation": _command(
        "the Koopman dynamics model with one choice changed at a time",
        "studies.ablation:Ablation",
    ),
    "gradients": _command(
        "gradients through a hundred steps of every model: Theorem 3.1 of arXiv:2306.11941",
        "studies.gradients:Gradients",
    ),
    "small-data": _command(
        "offline agents on about 10,000 transitions: Table 1 of arXiv:2306.04220",
        "studies.small_data:SmallData",
    ),
    "symmetry": _command(
        "shifted transitions in the simulator: are they transitions?",
        "studies.symmetry:Symmetry",
    ),
    "data-size": _command(
        "offline agents on growing parts of one dataset",
        "studies.data_size:DataSize",
    ),
    "control": _command(
        "agents that learn online, their curves: Figs. 5 and 6 of arXiv:2306.11941",
        "studies.control:Control",
    ),
    "behaviours": _command(
        "the policies in the package: store stages of a training run",
        "studies.behaviours:Behaviours",
    ),
}
COMMANDS: dict[str, Command | Group] = {
    "lab": _command("open JupyterLab on the notebooks", "commands.lab:Lab"),
    "dashboard": _command(
        "every explorer of a trained model in one page", "commands.dashboard:DashboardCommand"
    ),
    "docs": _command("build the documentation site and check it", "commands.docs:Docs"),
    "doctor": _command("what is here, what is missing, how to get it", "commands.doctor:Doctor"),
    "data": Group("datasets: list, fetch, check, make, subsample", "command", lambda: _DATA),
    "train": Group("train a model on a dataset, or an agent online", "model", _models),
    "evaluate": _command("evaluate a run, or a stored policy", "commands.evaluate:Evaluate"),
    "compare": _command("compare runs, with intervals", "commands.compare:Compare"),
    "study": Group("train many models, leave one table", "study", lambda: _STUDIES),
    "bench": Group("measure speed against a reference", "benchmark", lambda: _BENCH),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0, 1 (it found or met a problem) or 2 (wrong input).

    Wrong input ends with one sentence on the error stream; an interruption with 130.
    """
    # JAX would take three quarters of a GPU's memory when it starts; a user's own choice stands.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    keep_freed_memory()
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        return _dispatch(words)
    except UserError as error:
        return _fail(str(error))
    except MemoryError:
        return _fail("the machine ran out of memory; choose smaller sizes.")
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read our output has seen enough, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def _fail(sentence: str) -> int:
    print(f"toolkit: {sentence}", file=sys.stderr)
    return 2


def _dispatch(words: list[str]) -> int:
    if words[:1] == ["--version"]:
        from toolkit import __version__

        print(__version__)
        return 0
    if not words or words[0] in _HELP:
        return _show("toolkit", "COMMAND", _ABOUT, COMMANDS)
    chosen = _choose("command", words[0], COMMANDS)
    if isinstance(chosen, Command):
        return _run(chosen, f"toolkit {words[0]}", words[1:])
    members = chosen.members()
    if len(words) < 2 or words[1] in _HELP:
        title = f"{chosen.summary[0].upper()}{chosen.summary[1:]}."
        return _show(f"toolkit {words[0]}", chosen.noun.upper(), title, members)
    command = _choose(chosen.noun, words[1], members)
    return _run(command, f"toolkit {words[0]} {words[1]}", words[2:])


def _choose(noun: str, word: str, known: Mapping[str, _Item]) -> _Item:
    if word not in known:
        raise UserError(f"{word!r} is not a {noun}; {suggest(word, known)}.")
    return known[word]


def _show(prog: str, noun: str, title: str, table: Mapping[str, Command | Group]) -> int:
    width = max(map(len, table))
    lines = [f"  {name.ljust(width)}  {item.summary}" for name, item in table.items()]
    print(f"usage: {prog} {noun} ...\n\n{title}\n\n" + "\n".join(lines))
    print(f"\n`{prog} {noun} --help` shows its arguments.")
    return 0


def _run(command: Command, prog: str, words: list[str]) -> int:
    import tyro

    kind, complaint = command.load(), io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            arguments = tyro.cli(kind, prog=prog, description=kind.__doc__, args=words)
    except SystemExit as stop:
        if not stop.code:  # help was asked for, and shown
            return 0
        sentence = plain_message(complaint.getvalue())
        raise UserError(f"{sentence}; `{prog} --help` shows all arguments.") from None
    return arguments.run()


def plain_message(framed: str) -> str:
    """The message in a frame of the argument parser, and the argument it speaks of, as one line.

    The frame has a title and parts between rules, drawn in Unicode or, for other terminals, in
    plain hyphens. The first part is the message; a later one may show the argument.
    """
    lines = [line.strip("│╰╯ ") for line in framed.splitlines()[1:]]  # without the title
    parts: list[list[str]] = [[]]
    for line in lines:
        if line and not line.strip("─-"):
            parts.append([])
        elif line:
            parts[-1].append(line)
    first, *others = [part for part in parts if part] or [["The arguments were not understood"]]
    message = " ".join(first).rstrip(".")
    usage = next((line for part in others for line in part if line.startswith("--")), None)
    if usage is None:
        return message
    return f"{message} ({'did you mean' if 'nrecognized' in message else 'expected'} {usage})"
