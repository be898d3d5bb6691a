"""What the repository promises about itself: set-up, packaging, size, a light import."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("this is not a git checkout")
    names = listed.stdout.decode().split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def readme_command(name: str) -> str:
    text = (ROOT / "README.md").read_text()
    block = re.search(rf"<!-- {name} -->\n```bash\n(.*?)\n```\n<!-- /{name} -->", text, re.DOTALL)
    assert block, f"the README has no command `{name}`"
    return block[1]


@pytest.mark.parametrize("name", ["lab", "test", "docs"])
def test_readme_commands_are_one_line_and_install_known_extras(name):
    command = readme_command(name)
    assert "\n" not in command
    extras = set(re.search(r"\[(.+?)\]", command)[1].split(","))
    assert extras <= set(PROJECT["optional-dependencies"])
    assert "-c constraints.txt" in command


def test_ci_and_the_workflow_run_the_readmes_test_command():
    script = (ROOT / ".ci/run").read_text()
    assert "/<!-- test -->/,/<!-- \\/test -->/p" in script
    assert "bash .ci/run" in (ROOT / ".github/workflows/tests.yml").read_text()


def test_the_conda_environment_is_in_step_with_the_project():
    text = (ROOT / "environment.yml").read_text()
    assert f"name: {PROJECT['name']}\n" in text
    assert f"- python{PROJECT['requires-python']}\n" in text
    extras = set(re.search(r"-e \.\[(.+?)\]", text)[1].split(","))
    assert {"notebooks"} <= extras <= set(PROJECT["optional-dependencies"])
    assert "-c constraints.txt" in text


def test_constraints_pin_every_direct_dependency_by_version_alone():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    assert all(re.fullmatch(r"[\w.+!-]+", version) for version in pins.values())
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    requirements = [requirement for group in groups for requirement in group]
    names = {re.match(r"[\w.-]+", requirement)[0].lower() for requirement in requirements}
    assert names <= set(pins)


def test_files_are_small_and_generated_ones_are_absent():
    files = tracked()
    assert sum(path.stat().st_size for path in files) < 10e6
    # the samples that make every default run offline on real physics are the only large files
    samples = ROOT / "toolkit" / "data" / "samples"
    rest = [path for path in files if path.parent != samples]
    assert [path.name for path in rest if path.stat().st_size > 1e6] == []
    assert not [path for path in rest if path.suffix in {".pyc", ".hdf5", ".npy"}]
    assert sum(path.stat().st_size for path in samples.iterdir()) < 4 * 2**20


def test_importing_the_toolkit_loads_nothing_heavy():
    program = (
        "import sys, toolkit; "
        "print([m for m in ('jax', 'plotly', 'h5py', 'IPython', 'optax') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize(
    "room", ["agents", "data", "envs", "spectral", "dynamics", "symmetry", "training", "evaluation"]
)
def test_rooms_need_neither_mujoco_nor_widgets(room):
    program = (
        "import sys, importlib\n"
        "for name in ('mujoco', 'gymnasium', 'ipywidgets', 'anywidget', 'minari', 'plotly'):\n"
        "    sys.modules[name] = None\n"
        f"importlib.import_module('toolkit.{room}')\n"
        "from toolkit.data import load\n"
        "print(load('toolkit/pendulum').num_transitions)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert int(done.stdout) > 1000, done.stderr


def test_equations_are_cited_where_they_are_computed():
    cited = {
        "toolkit/spectral/propagation.py": ["Eq. 6", "Eq. 9"],
        "toolkit/spectral/spectrum.py": ["Eq. 8", "App. G"],
        "toolkit/spectral/koopman.py": ["Eq. 2"],
        "toolkit/dynamics/losses.py": ["Eq. 7"],
    }
    for name, equations in cited.items():
        text = (ROOT / name).read_text()
        assert "2306.11941" in text
        assert [equation for equation in equations if equation not in text] == []
