"""The newcomer's way is followed as the README says it, and each failure is told."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from toolkit.bench.newcomer import measure, readme_command
from toolkit.cli import main
from toolkit.errors import UserError

ROOT = Path(__file__).parents[2]
README = """Words.
<!-- lab -->
```bash
sh install.sh && .venv/bin/toolkit lab
```
<!-- /lab -->
"""
INSTALL = """
mkdir -p .venv/bin .venv/lib/one-1.0.dist-info
printf 12345 > .venv/lib/one-1.0.dist-info/METADATA
printf '#!/bin/sh\\necho "first figure after 2.5 s"; echo "whole notebook: 7.0 s"; echo $@ > said
' > .venv/bin/toolkit
chmod +x .venv/bin/toolkit
ln -s lib .venv/lib64
"""


def repository(folder: Path, **files: str) -> Path:
    folder.mkdir()
    for name, content in files.items():
        (folder / name.replace("_", ".")).write_text(content)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(folder)]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-qm", "all"], check=True)
    return folder


def test_it_clones_installs_and_waits_for_a_figure(tmp_path: Path):
    source = repository(tmp_path / "so urce", README_md=README, install_sh=INSTALL)
    work = tmp_path / "work"
    work.mkdir()
    found = measure(source, work)
    assert (work / "clone/said").read_text() == "lab --execute\n"
    assert (found.first_figure_seconds, found.notebook_seconds) == (2.5, 7.0)
    assert found.clone_seconds > 0 and found.install_seconds > 0
    assert found.packages == 1
    script = (work / "clone/.venv/bin/toolkit").stat().st_size
    assert found.environment_bytes == 5 + script
    seconds = found.clone_seconds + found.install_seconds + 2.5
    assert found.minutes == pytest.approx(seconds / 60)


@pytest.mark.parametrize(
    ("install", "words"),
    [
        ("echo no network; exit 3", "`sh install.sh` failed and printed last: no network"),
        (INSTALL.replace("first figure", "no figure"), "told no time of a first figure"),
    ],
)
def test_what_fails_is_told(tmp_path: Path, install: str, words: str):
    source = repository(tmp_path / "source", README_md=README, install_sh=install)
    with pytest.raises(UserError, match=words):
        measure(source, tmp_path)


def test_a_readme_without_the_command_is_told(tmp_path: Path):
    (tmp_path / "README.md").write_text("Words.")
    with pytest.raises(UserError, match="no command between"):
        readme_command(tmp_path)


def test_this_readme_has_the_command():
    install, opened = readme_command(ROOT)
    assert "pip install" in install and opened.endswith("toolkit lab")


def test_a_folder_without_history_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["bench", "newcomer", "--repository", str(tmp_path)]) == 2
    assert "must be a git repository" in capsys.readouterr().err
