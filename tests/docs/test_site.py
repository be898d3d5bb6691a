"""The site builds from the source tree, and its check finds what it must."""

import subprocess
import sys
from pathlib import Path

import pytest

from toolkit.cli import COMMANDS, Command, main
from toolkit.docs.building import build
from toolkit.docs.checking import check_site
from toolkit.docs.extension import to_mathml
from toolkit.errors import UserError

ROOT = Path(__file__).parents[2]
GOOD = '<h1 id="top">A</h1><a href="#top">a</a><a href="https://x.org/nowhere">x</a>'


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole site, its notebooks not run."""
    out = tmp_path_factory.mktemp("site") / "html"
    words = ["docs", "--execute", "no", "--jobs", "2", "--out", str(out)]
    done = subprocess.run(  # without the tests' type checks, as users build it
        [sys.executable, "-m", "toolkit", *words], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{out / 'index.html'}: no problems\n"
    assert done.stderr == ""
    return out


def test_every_page_is_there(site: Path):
    pages = {path.relative_to(site).as_posix() for path in site.rglob("*.html")}
    notebooks = {f"notebooks/{path.stem}.html" for path in (ROOT / "notebooks").glob("*.ipynb")}
    rooms = {
        f"api/toolkit.{path.parent.name}.html" for path in (ROOT / "toolkit").glob("*/__init__.py")
        if path.parent.name not in ("commands", "docs")
    }  # fmt: skip
    by_hand = {"index.html", "agents.html", "measured.html", "equations.html", "cli.html",
               "CHANGELOG.html", "CONTRIBUTING.html", "search.html"}  # fmt: skip
    assert len(notebooks) >= 10
    assert notebooks | rooms | by_hand <= pages


def test_it_needs_no_network(site: Path):
    for path in site.rglob("*.html"):
        text = path.read_text()
        assert 'src="http' not in text, path
        assert '<link rel="stylesheet" type="text/css" href="http' not in text, path
    assert (site / "_static" / "plotly.min.js").stat().st_size > 1e6
    assert len(list(site.rglob("plotly*.js"))) == 1


def test_the_reference_leads_to_the_map_and_back_and_to_the_source(site: Path):
    page = (site / "api" / "toolkit.tsymmetry.html").read_text()
    name = "toolkit.tsymmetry.losses.symmetry_violation"
    assert f'id="{name}"' in page
    assert 'href="../equations.html#eq-2306-04220-7"' in page
    assert '_modules/toolkit/tsymmetry/losses.html#symmetry_violation"' in page.replace(
        "toolkit.tsymmetry.losses.", ""
    )
    table = (site / "equations.html").read_text()
    assert 'id="eq-2306-04220-7"' in table
    assert f'href="api/toolkit.tsymmetry.html#{name}"' in table


def test_a_room_lists_what_can_be_imported_from_it(site: Path):
    page = (site / "api" / "toolkit.spectral.html").read_text()
    assert 'href="#toolkit.spectral.koopman.KoopmanDynamics"' in page


def test_every_command_is_on_the_page_of_commands(site: Path):
    text = (site / "cli.html").read_text()
    for name, item in COMMANDS.items():
        members = [""] if isinstance(item, Command) else [f" {m}" for m in item.members()]
        for member in members:
            assert f"usage: toolkit {name}{member} " in text


def test_other_files_are_never_replaced(tmp_path: Path):
    (tmp_path / "thesis.txt").write_text("years")
    for place in (tmp_path, tmp_path / "thesis.txt"):
        with pytest.raises(UserError, match="must be a folder for the site alone"):
            build(ROOT, place, "no")
    assert (tmp_path / "thesis.txt").read_text() == "years"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ('<a href="other.html">x</a>', "other.html leads nowhere"),
        ('<a href="#gone">x</a>', "#gone has no such place"),
        ('<a href="b.html#gone">x</a>', "b.html#gone has no such place"),
        ('<a href="../outside.html">x</a>', "../outside.html leads nowhere"),
        ('<img src="none.png">', "none.png leads nowhere"),
        ('<img src="">', "a picture without a file"),
        ('<img src="data:image/png;base64,">', "an empty picture"),
        ('<script src="none.js"></script>', "none.js leads nowhere"),
        ('<div class="highlight output error"><pre>x</pre></div>', "an error is shown"),
        ('<aside class="system-message">x</aside>', "an error is shown"),
        ("<pre>Traceback (most recent call last)</pre>",
         "it says 'Traceback (most recent call last)'"),
        ("<p>{py:obj}`x`</p>", "it says '{py:obj}`'"),
    ],
)  # fmt: skip
def test_the_check_finds(tmp_path: Path, body: str, problem: str):
    (tmp_path / "outside.html").write_text(GOOD)
    site = tmp_path / "site"
    site.mkdir()
    (site / "b.html").write_text(GOOD)
    (site / "a.html").write_text(GOOD)
    assert check_site(site) == []
    (site / "a.html").write_text(GOOD + body)
    assert check_site(site) == [f"a.html: {problem}"]


def test_a_script_and_our_own_listings_may_speak_of_errors(tmp_path: Path):
    (tmp_path / "_modules").mkdir()
    words = "Traceback (most recent call last)"
    (tmp_path / "_modules" / "a.html").write_text(f"<pre>{words}</pre>")
    (tmp_path / "b.html").write_text(f"<script>'{words}'</script>")
    assert check_site(tmp_path) == []


def test_a_folder_without_pages_is_no_site(tmp_path: Path):
    assert check_site(tmp_path) == [f"{tmp_path}: there is no page"]


def test_formulas_are_drawn_without_a_script():
    assert "<mi>λ</mi>" in to_mathml(r"\lambda_j")
    assert to_mathml(r"a, \dots, b") == to_mathml(r"a, \ldots, b")


@pytest.mark.parametrize("accent", ["hat", "tilde", "bar", "dot"])
def test_an_index_stands_beside_an_accented_letter(accent: str):
    text = "".join(to_mathml(rf"\{accent}{{y}}_{{t}} + \sum_k^n 1").split())
    assert "<msub><moveraccent=" in text and "</mover><mi>t</mi></msub>" in text
    assert text.count("<munderover>") == 1  # the sum's
    assert "&lt;" in to_mathml(rf"\{accent}{{y}} < f(x),\ 1")


@pytest.mark.parametrize(
    ("words", "message"),
    [(["--jobs", "0"], "`jobs` must be at least 1, got 0"),
     (["--execute", "some"], "execute")],
)  # fmt: skip
def test_wrong_input_ends_with_a_sentence(words: list[str], message: str, capsys):
    assert main(["docs", *words]) == 2
    assert message in capsys.readouterr().err


def test_the_command_says_what_is_missing_and_counts_problems(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setattr("toolkit.docs.building.build", lambda *a, **b: ["a.html: x leads nowhere"])
    assert main(["docs", "--out", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert "a.html: x leads nowhere" in said.err
    assert "1 problem" in said.out
    monkeypatch.setitem(sys.modules, "sphinx", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["docs"]) == 2
    assert "pip install -e '.[docs,notebooks,mujoco]'" in capsys.readouterr().err
