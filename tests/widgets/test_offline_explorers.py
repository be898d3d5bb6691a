"""Explorers of committed scores: at both ends of every control, and without any scores."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import pytest

from toolkit.studies.score_table import PAPER, paper_block
from toolkit.widgets import Choice, explore_aggregates, explore_profiles, explore_sizes

SETS = ["H", "W"]
BLOCKS = {
    "two seeds": ({"bc": np.array([[1.0, 2.0], [3.0, 40.0]]), "tsrl": np.full((2, 2), 50.0)}, SETS),
    "one agent": ({"bc": np.array([[9.0, 8.0]])}, SETS),
}


def row(size, agent, seed, score):
    return {
        "dataset": {"label": f"part-{size}", "name": "toolkit/whole"}, "candidate": agent,
        "seed": seed, "size": size,
        "num_updates": 10, "normalized_score": score, "returns": [1.0], "rule": "last update",
        "env": {"id": "Hopper-v4", "mujoco": "3.17"}, "device": "cpu: cpu",
        "versions": {"jax": "0.10.1"}, "commit": "0123456789",
    }  # fmt: skip


ROWS = [row(size, "bc", seed, size / 1000 + seed) for size in (5_000, 10_000, 300_000)
        for seed in (0, 1)]  # fmt: skip


def title(explorer):
    return explorer.figure.widget.layout.title.text


def test_the_dial_moves_to_both_ends():
    explorer = explore_sizes(ROWS, "More.")
    dial = explorer.controls["size"]
    assert [label for label, _ in dial.options] == ["5k", "10k", "300k"]
    assert title(explorer) == "At 10,000 transitions: bc 10.5"
    for size in (5_000, 300_000):
        dial.value = size
        assert title(explorer) == f"At {size:,} transitions: bc {size / 1000 + 0.5:.1f}"
        assert explorer.error == ""
    text = " ".join(note.text for note in explorer.figure.widget.layout.annotations)
    assert "Data: toolkit/whole." in text and "Hopper-v4" in text and "More." in text


def test_without_ten_thousand_the_dial_begins_at_its_first_size():
    explorer = explore_sizes([row(7_000, "bc", 0, 3.0)])
    assert title(explorer) == "At 7,000 transitions: bc 3.0"


def test_every_comparison_can_be_chosen():
    explorer = explore_aggregates(BLOCKS, {"one agent": "From here."})
    assert len([t for t in explorer.figure.widget.data if t.name == "mean"]) == 2
    explorer.controls["scores"].value = "one agent"
    assert len([t for t in explorer.figure.widget.data if t.name == "mean"]) == 1
    assert explorer.error == ""


@pytest.mark.parametrize(("threshold", "share"), [(0, "100%"), (110, "0%")])
def test_the_threshold_goes_to_both_ends(threshold, share):
    explorer = explore_profiles(BLOCKS)
    for scores, agents in (("two seeds", ("bc", "tsrl")), ("one agent", ("bc",))):
        explorer.controls["scores"].value = scores
        explorer.controls["threshold"].value = threshold
        told = ", ".join(f"{agent} {share}" for agent in agents)
        assert title(explorer) == f"Runs with a score above {threshold}: {told}"
        assert explorer.error == ""


def test_without_scores_a_sentence_stands_there():
    for shown in (explore_sizes([]), explore_aggregates({}, {}), explore_profiles({})):
        assert isinstance(shown, go.Figure)
        assert "came with this toolkit" in shown.layout.title.text


def test_the_papers_scores_are_a_comparison_too():
    scores, sets = paper_block()
    assert list(scores) == ["bc", "td3-bc", "tsrl"] and sets == list(PAPER)
    assert scores["tsrl"].shape == (1, 12)
    assert scores["tsrl"].mean() == pytest.approx(49.1, abs=0.06)
    assert explore_aggregates({"paper": paper_block()}, {}).error == ""


def test_a_dial_of_one_option_is_a_list():
    assert Choice([1], dial=True).ends() == (1,)
