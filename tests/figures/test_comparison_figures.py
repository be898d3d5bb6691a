"""Rollouts, errors, learning curves, data sets and the ablation."""

from __future__ import annotations

import numpy as np
import pytest

from toolkit.data import Dataset
from toolkit.errors import UserError
from toolkit.figures import (
    ablation_figure,
    dataset_figure,
    error_by_horizon_figure,
    rollout_figure,
    training_figure,
)  # fmt: skip
from toolkit.figures.ablation import PAPER_STATE_ERROR, SCHEMES
from toolkit.figures.theme import METHODS, colour, fill, line

TRUTH = np.stack([np.linspace(0, 1, 11), np.full(11, 2.0)], axis=1)


@pytest.mark.parametrize("dims", [[0], [1, 0], [0, 1] * 4])
def test_one_panel_per_coordinate(dims: list[int]):
    fig = rollout_figure(TRUTH, {"koopman": TRUTH + 0.1, "gru": TRUTH - 0.1}, dims, dt=0.5)
    assert len(fig.data) == 3 * len(dims)
    assert [t.name for t in fig.data if t.showlegend] == ["truth", "koopman", "gru"]
    np.testing.assert_allclose(fig.data[1].y, TRUTH[:, dims[0]] + 0.1)
    assert fig.data[0].x[-1] == pytest.approx(5.0)


def test_an_exploding_prediction_does_not_flatten_the_truth():
    wild = TRUTH * 1e9
    wild[5] = np.nan
    fig = rollout_figure(TRUTH, {"mlp": wild}, [0])
    low, high = fig.layout.yaxis.range
    assert -1 < low < 0
    assert 1 < high < 2
    assert np.isnan(fig.data[1].y[5])


def test_rollout_arguments_are_checked():
    with pytest.raises(UserError, match=r"`gru` must have the truth's shape \(11, 2\)"):
        rollout_figure(TRUTH, {"gru": TRUTH[:-1]}, [0])
    with pytest.raises(UserError, match=r"`dims` must name coordinates in 0..1, got \[2\]"):
        rollout_figure(TRUTH, {}, [2])
    with pytest.raises(UserError, match="`names` must hold 1 names, got 2"):
        rollout_figure(TRUTH, {}, [0], names=["a", "b"])


@pytest.mark.parametrize("horizon", [1, 100])
def test_error_curves_have_bands_and_floors(horizon: int):
    mean = np.linspace(0.1, 1, horizon)
    curves = {"koopman": (mean, mean / 2, mean * 2)}
    fig = error_by_horizon_figure(curves, {"persistence": mean * 3})
    assert [t.name for t in fig.data] == ["persistence", "koopman band", "koopman"]
    assert fig.layout.yaxis.type == "log"
    np.testing.assert_allclose(fig.data[1].y[:horizon], mean * 2)
    np.testing.assert_allclose(fig.data[2].x, np.arange(1, horizon + 1))


def test_an_error_of_zero_survives_the_logarithm():
    zero = np.zeros(3)
    fig = error_by_horizon_figure({"koopman": (zero, zero, zero)})
    assert (np.asarray(fig.data[1].y) > 0).all()


def test_error_arguments_are_checked():
    one = np.ones(3)
    with pytest.raises(UserError, match="`koopman band` must hold 3 values, got 2"):
        error_by_horizon_figure({"koopman": (one, one[:2], one)})
    with pytest.raises(UserError, match="`gru` must not be negative, got -1"):
        error_by_horizon_figure({"gru": (-one, one, one)})
    with pytest.raises(UserError, match="at least one method"):
        error_by_horizon_figure({})


def test_learning_curves_follow_the_rows():
    rows = [{"update": 10.0, "loss": 1.0}, {"update": 20.0, "loss": 0.1, "score": 3.0}]
    fig = training_figure(rows)
    assert [(t.name, list(t.x), list(t.y)) for t in fig.data] == [
        ("loss", [10, 20], [1.0, 0.1]),
        ("score", [20], [3.0]),
    ]
    assert fig.layout.yaxis.type == "log"
    assert fig.data[1].mode == "markers"  # a line of one point shows nothing


def test_learning_curves_without_rows_or_with_losses_below_zero():
    assert len(training_figure([]).data) == 0
    fig = training_figure([{"update": 0.0, "loss": -1.0}, {"update": 1.0, "loss": float("nan")}])
    assert fig.layout.yaxis.type == "linear"
    assert np.isnan(fig.data[0].y[1])


def dataset(rows: int, obs: int = 4) -> Dataset:
    rng = np.random.default_rng(0)
    return Dataset.from_arrays(
        rng.normal(size=(rows, obs)), rng.uniform(-1, 1, (rows, 2)), rng.normal(size=rows),
        terminal=np.arange(rows) % 40 == 39, timeout=np.arange(rows) % 25 == 24,
    )  # fmt: skip


@pytest.mark.parametrize("rows", [1, 200])
def test_a_dataset_at_a_glance(rows: int):
    data = dataset(rows)
    fig = dataset_figure(data)
    assert sum(sum(t.y) for t in fig.data if t.type == "bar") == data.num_episodes
    for t in fig.data:
        if t.name.startswith("action"):
            assert sum(t.y) == pytest.approx(1)
    shown = next(t for t in fig.data if t.name == "reward")
    assert len(shown.y) == data.episode_bounds()[:3][-1, 1]


def test_the_observations_of_a_dataset_go_by_their_names():
    data = dataset(200)
    fig = dataset_figure(data, dims=[3, 0], names=["height", "angle"])
    height, angle = fig.data[:2]
    assert (height.name, angle.name) == ("height", "angle")
    shown = np.asarray(data.observations)[: len(height.y)]
    assert np.corrcoef(height.y, shown[:, 3])[0, 1] == pytest.approx(1)
    assert np.corrcoef(angle.y, shown[:, 0])[0, 1] == pytest.approx(1)
    assert np.std(height.y) == pytest.approx(1, rel=1e-4)
    with pytest.raises(UserError, match="`names` must hold 2 names, got 1"):
        dataset_figure(data, dims=[3, 0], names=["height"])


def test_dataset_arguments_are_checked():
    with pytest.raises(UserError, match=r"coordinates in 0..3, got \[4\]"):
        dataset_figure(dataset(10), dims=[4])
    with pytest.raises(UserError, match="`num_episodes` must be at least 1, got 0"):
        dataset_figure(dataset(10), num_episodes=0)


def rows_of(dataset: str, **errors: float) -> list[dict]:
    names = dict(zip(("ci", "cr", "bi", "br"), SCHEMES, strict=True))
    return [{"dataset": dataset, "scheme": names[k], "error": e} for k, e in errors.items()]


def test_the_ablation_is_relative_and_beside_the_papers():
    fig = ablation_figure(rows_of("hopper-expert-v2", ci=0.2, cr=0.3))
    ours, _seeds, paper = fig.data
    np.testing.assert_allclose(ours.y, [1, 1.5])
    expected = [mean / 0.007 for mean, _ in PAPER_STATE_ERROR["hopper-expert-v2"]]
    np.testing.assert_allclose(paper.y, expected)
    assert len(ablation_figure(rows_of("my-own", ci=0.2)).data) == 2


def test_ablation_arguments_are_checked():
    with pytest.raises(UserError, match="the reference; got none"):
        ablation_figure(rows_of("my-own", cr=0.3))
    with pytest.raises(UserError, match="`error` must be positive, got 0"):
        ablation_figure(rows_of("my-own", ci=0.0))
    with pytest.raises(UserError, match=r"one data set, got \['a', 'b'\]"):
        ablation_figure(rows_of("a", ci=1.0) + rows_of("b", ci=1.0))


def test_methods_keep_their_colour():
    assert line("koopman")["color"] == METHODS["koopman"][0] == colour("Koopman")
    assert fill("koopman") == "rgba(0, 114, 178, 0.15)"
    families = [("truth", "koopman", "gru", "transformer", "mlp", "bilinear"),
                ("tsrl", "kfc", "cql", "bc", "td3-bc", "iql", "td3", "sac", "mopo",
                 "tsrl, no-p", "spectral tsrl", "td3-bc, spectral", "td3-bc, noise"),
                ("tdmpc", "tdmpc, horizon 20", "koopman-tdmpc", "koopman-tdmpc, horizon 5",
                 "koopman-tdmpc, modes for latent", "tdmpc, horizon 20, losses of 5",
                 "koopman-tdmpc, losses of 5", "koopman-tdmpc, plans of 20",
                 "koopman-tdmpc, paper's spectrum", "koopman-tdmpc, as in the paper", "sac"),
                ("koopman-spr", "spr", "sac-pixels"),
                ("spectral", "commutator", "eigenspace", "polynomial", "noise", "random",
                 "spectral, random", "common noise")]  # fmt: skip
    for family in families:
        assert len({METHODS[name][0] for name in family}) == len(family)


def test_no_text_holds_latex():
    fig = rollout_figure(TRUTH, {"koopman": TRUTH}, [0])
    assert "$" not in fig.to_json()
