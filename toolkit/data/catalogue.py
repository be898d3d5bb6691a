"""Every dataset name that `load` and `fetch` know: where it comes from and how to recognise it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from toolkit.data.tasks import QUALITIES, parse_task

D4RL_URL = "http://rail.eecs.berkeley.edu/datasets/offline_rl"
TSRL_URL = (
    "https://raw.githubusercontent.com/pcheng2/TSRL/"
    "d3b1fb6d9447ce7a2fbc9dda55c46807b3f313b5/utils/small_samples"
)

SAMPLE_ROWS = 10_000
"""Rows of each dataset that comes with the package."""

# task, published reduction ratio, rows, SHA-256 of the file
_PUBLISHED_10K = [
    ("halfcheetah-expert-v2", 100, 8991,
     "fc482690a402b858321f2af015b34a2e3a3d69fa5c484ab4d8bff045a98e5a40"),
    ("halfcheetah-medium-expert-v2", 200, 8991,
     "ae12ea61616fd8f8f65b4e45884d8017ada42ad7d6326c21e41cb319b9d5e1dc"),
    ("halfcheetah-medium-replay-v2", 20, 9990,
     "c6c8043b944f0c08e61377eb54f0f29e708a6bb577e293a73bd39294cd7c8e17"),
    ("halfcheetah-medium-v2", 100, 8991,
     "83aad89241af3f055a8f430bbb8d76eeca8b3b09401e6ec4366bccc30cda2eb0"),
    ("hopper-expert-v2", 100, 9803,
     "184dbcb5b5d1f41e68c2d2102f5dff64737327f4241b783106ecc2d3129aa59d"),
    ("hopper-medium-expert-v2", 200, 11186,
     "15ad2f2fc26ff53ada0303e19543bdfb15302a3360349f9b268b8d0f484b3c9e"),
    ("hopper-medium-replay-v2", 40, 8491,
     "38bab9d1b448392f070219703dd065c0892d6ae031aa85a0fe7024b11d01a5bb"),
    ("hopper-medium-v2", 100, 9013,
     "963dceca5ca4f0ab220f00feaba75896efed18a893ed8313f3d3d02a33ee9281"),
    ("walker2d-expert-v2", 100, 9990,
     "6e9aad148d3aa412c3d75e76dd416e1ca82e5844721d158a5ccfc8ff62e3a7a8"),
    ("walker2d-medium-expert-v2", 200, 9073,
     "b4fefa69aec100bf1f38a17214f1a416d63ed342a98e96be025fd33a5cb10914"),
    ("walker2d-medium-replay-v2", 30, 10394,
     "f431e1bc6e6fe91ef63274b3ad00d77283d8454c9a127850be55ba7c9de33b87"),
    ("walker2d-medium-v2", 100, 8761,
     "18db020f207db22405f5d03c5dabbbd09a77cb2d5dce40485eb8128e101fca89"),
    ("antmaze-umaze-v0", 100, 5383,
     "f13a4a105ed59fc0e63abd8ae00808b78c3440ee16b89e6818647091b2a07ede"),
    ("antmaze-umaze-diverse-v0", 100, 9088,
     "9d13d0c5db9a9f5556f8ed993126eeec113e67ff0b085ccd2e72a81adfad675f"),
]  # fmt: skip
_V2_FAMILIES = ("hopper", "walker2d", "halfcheetah", "ant")
_SYSTEMS = ("pendulum", "van-der-pol", "duffing", "cart-pole")
_ROBOTS = ("hopper", "walker2d", "halfcheetah")
_SAMPLES = Path(__file__).parent / "samples"


@dataclass(frozen=True)
class Entry:
    """One known name. `kind` is `simulated`, `bundled`, `made`, `d4rl` or `tsrl`.

    `bundled` samples come with the package and can be made at any size, like `made` ones.
    """

    name: str
    kind: str
    rows: int | None
    sha256: str | None = None
    base_url: str = ""
    remote_path: str = ""

    @property
    def size(self) -> str:
        """The number of rows in words, with ~ where it is only good to 1 %."""
        if self.rows is None:
            return "?"
        task = parse_task(self.name)
        known = self.sha256 is not None or self.kind == "bundled"
        exact = known or (task is not None and task.has_exact_rows)
        return f"{'' if exact else '~'}{self.rows:,}"

    @property
    def file_name(self) -> str:
        """The file's own name, which it keeps in the cache."""
        return self.remote_path.rsplit("/", 1)[-1]


def entries() -> list[Entry]:
    """Every known name, the toolkit's own first."""
    systems = [Entry(f"toolkit/{name}", "simulated", 20_000) for name in _SYSTEMS]
    return [*systems, *_robots(), *map(_published, _PUBLISHED_10K), *_d4rl_v2()]


def _robots() -> list[Entry]:
    names = [f"toolkit/{robot}-{quality}" for robot in _ROBOTS for quality in QUALITIES]
    return [
        Entry(name, "bundled", SAMPLE_ROWS) if sample_path(name).exists()
        else Entry(name, "made", None)
        for name in names
    ]  # fmt: skip


def sample_path(name: str) -> Path:
    """Where the bundled sample of a name lies, if there is one."""
    return _SAMPLES / f"{name.removeprefix('toolkit/')}.hdf5"


def _published(row: tuple[str, int, int, str]) -> Entry:
    task, ratio, rows, sha256 = row
    return Entry(f"{task}-10k", "tsrl", rows, sha256, TSRL_URL, f"{task}-ratio-{ratio}.npy")


def _d4rl_v2() -> list[Entry]:
    tasks = [f"{family}-{quality}-v2" for family in _V2_FAMILIES for quality in QUALITIES]
    return [_full_set(name) for name in tasks]


def _full_set(name: str) -> Entry:
    task = parse_task(name)
    assert task is not None
    remote = f"gym_mujoco_v2/{task.family}_{task.quality.replace('-', '_')}-v2.hdf5"
    return Entry(name, "d4rl", task.num_rows, None, D4RL_URL, remote)


def find_entry(name: str) -> Entry | None:
    """The entry of a name; a published file's own stem (`…-ratio-100`) is a second name."""
    for entry in entries():
        if name == entry.name or (entry.remote_path and name == Path(entry.file_name).stem):
            return entry
    return None


def known_sha256(file_name: str) -> str | None:
    """The SHA-256 that a file of this name must have, where its publisher's is known."""
    return next((e.sha256 for e in entries() if e.sha256 and e.file_name == file_name), None)


def name_of_sha256(sha256: str) -> str | None:
    """The known name of a file with this SHA-256, whatever the file is called."""
    return next((e.name for e in entries() if e.sha256 == sha256), None)


def cache_folder() -> Path:
    """Where downloads are kept: `TOOLKIT_DATA_DIR`, else the platform's cache folder."""
    chosen = os.environ.get("TOOLKIT_DATA_DIR")
    if chosen:
        return Path(chosen)
    import pooch

    return Path(pooch.os_cache("koopman-toolkit")) / "data"


def cached_path(entry: Entry, folder: Path | None = None) -> Path:
    """Where the file of an entry lies, or would lie, on this machine."""
    return (folder or cache_folder()) / entry.file_name
