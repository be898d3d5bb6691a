"""`toolkit study ablation`: one choice of the Koopman model at a time, at an equal budget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from toolkit.studies.comparison import WHOLE_WINDOWS, Candidate, Comparison, cell
from toolkit.studies.table import Row


def _koopman(label: str, **options: Any) -> Candidate:
    return Candidate(label, "koopman", options, plenty=WHOLE_WINDOWS)


def _paper_like(label: str, **options: Any) -> Candidate:
    """With what the schemes of App. G share: the whole band, and no spread of lifetimes."""
    return _koopman(label, **({"band": 1.0, "real_part": "constant"} | options))


#: The choices of each question. The first candidate of each is the default.
GROUPS: dict[str, tuple[Candidate, ...]] = {
    "initialisation": (  # App. G, and ours
        _koopman("default"),
        *(
            _paper_like(f"{real}, {imag}", real_part=real, imag_part=imag)
            for real in ("constant", "bounded")
            for imag in ("increasing", "random")
        ),
        _paper_like("constant, hippo", imag_part="hippo"),
        _koopman("constant, narrow band", real_part="constant"),
    ),
    "latent": (  # App. H, in real coordinates
        _koopman("default"),
        *(_koopman(f"latent {2 * modes}", modes=modes) for modes in (32, 64, 192, 256)),
    ),
    "decoder": (  # hidden layers, and for the GRU too
        _koopman("default"),
        *(_koopman(f"decoder of {n}", decoder_layers=n) for n in (1, 2, 3)),
        _koopman("decoder of 1, latent 512", decoder_layers=1, modes=256),
        Candidate("GRU", "gru"),
        Candidate("GRU, decoder of 4", "gru", {"decoder_layers": 4, "units": 160}),
    ),
    "consistency": (  # the weight of L_cons in Eq. 7
        _koopman("default"),
        *(_koopman(f"consistency {w:g}", consistency_weight=w) for w in (0.0, 1e-2, 1e-1, 1.0)),
    ),
    "step": (  # §3.1, and where the frequencies begin
        _koopman("default"),
        _koopman("step per mode", step_size="mode"),
        _koopman("step fixed", step_size="fixed"),
        *(_koopman(f"band {band:g}", band=band) for band in (0.05, 0.5, 1.0)),
        _koopman("gain of the hold", unit_gain=False),
    ),
    "form": (  # equal results to rounding, unequal numbers of updates in a given time
        _koopman("default"),
        *(_koopman(form, form=form) for form in ("associative", "fft", "toeplitz")),
    ),
    "pieces": (  # re-encoding, for the GRU too; and how many steps are decoded
        _koopman("default"),
        _koopman("whole windows", reencode_every=0, decoded_steps=10),
        *(_koopman(f"pieces of {k}", reencode_every=k, decoded_steps=12) for k in (10, 25, 50)),
        *(_koopman(f"decoded {n}", decoded_steps=n) for n in (5, 25, 100)),
        Candidate("GRU", "gru"),
        Candidate("GRU, pieces of 10", "gru", {"reencode_every": 10}),
        Candidate("GRU, decoded 10", "gru", {"decoded_steps": 10}),
    ),
    "mlp": (  # what happens to it beyond the paper's 10 steps
        Candidate("MLP, 10 steps", "mlp"),
        *(Candidate(f"MLP, {k} steps", "mlp", {"horizon": k}) for k in (25, 50, 100)),
    ),
}


@dataclass(frozen=True, kw_only=True)
class Ablation(Comparison):
    """Change one choice of the Koopman dynamics model at a time and compare errors over 100 steps.

    A study that was stopped goes on where it stopped.
    """

    groups: tuple[str, ...] = tuple(GROUPS)
    """Which questions."""
    max_windows: int = 10_000
    """Test windows of 100 steps, at most."""

    def run(self) -> int:
        """Fill the table, row by row, and print it."""
        self.check("groups", self.groups, tuple(GROUPS))
        chosen = {c.name: c for group in self.groups for c in GROUPS[group]}
        return self.complete(list(chosen.values()), summary)


def summary(rows: list[Row]) -> list[str]:
    """Error, updates and parameters of every candidate, question by question, set by set."""
    lines = []
    for label in dict.fromkeys(row["dataset"]["label"] for row in rows):
        lines += ["", f"{label}: normalised state error, 100 steps"]
        found = {row["candidate"]: row for row in rows if row["dataset"]["label"] == label}
        for group, candidates in GROUPS.items():
            known = [c.name for c in candidates if c.name in found]
            if not known:
                continue
            lines.append(f"  {group}")
            for name in known:
                row = found[name]
                lines.append(
                    f"    {name:22s} {cell(rows, label, name):>16s}"
                    f" {row['num_updates']:8,d} updates {row['parameters']:9,d} parameters"
                )
    return lines
