"""`toolkit.explore`: explorers of a learner's own runs, models and data, and their dashboard."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("ipywidgets")
pytest.importorskip("anywidget")

import toolkit
from toolkit.cli import main
from toolkit.data import load
from toolkit.errors import UserError
from toolkit.explore import dashboard
from toolkit.training.run import Run
from toolkit.widgets import EigenPlane
from toolkit.widgets.dashboard import Dashboard
from toolkit.widgets.subject_views import InitialisationView, RolloutView
from toolkit.widgets.subjects import first_model, subject_of
from toolkit.widgets.sweep import sweep

DATA = "toolkit/cart-pole"
SMALL = [
    "--modes", "4", "--hidden", "8", "--action-hidden", "4", "--horizon", "6", "--batch-size", "4",
    "--reencode-every", "3",
    "--num-updates", "20", "--chunk-updates", "20",
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own") / "k"
    words = ["train", "koopman", "--data", DATA, "--seeds", "0,1", *SMALL, "--out", str(folder)]
    assert main(words) == 0
    return folder


@pytest.fixture(scope="module")
def trained(folder):
    return Run.open(folder).trained(1)


def test_a_plane_comes_from_a_folder_a_run_or_a_model_with_data(folder, trained):
    plane = toolkit.explore.eigenplane(folder, horizon=20, seed=1)
    assert isinstance(plane, EigenPlane)
    expected = trained.model.spectrum.multipliers
    np.testing.assert_allclose(plane.multipliers, expected, rtol=1e-6)
    for model, data in ((Run.open(folder), None), (trained, DATA), (trained, load(DATA))):
        same = toolkit.explore.eigenplane(model, data, horizon=20, seed=1)
        np.testing.assert_allclose(same.multipliers, expected, rtol=1e-6)
    plane.move(0, 0.5)
    assert not plane.error


def test_windows_are_of_held_out_data_and_differ(folder):
    subject = subject_of(folder)
    assert subject.data.num_episodes < load(DATA).num_episodes
    starts = subject.starts(20)
    assert len(starts) == len(set(starts)) == 12
    windows = subject.windows(20)
    assert windows.obs.shape[:2] == (21, 12)
    np.testing.assert_array_equal(windows.obs[0], np.asarray(subject.data.observations)[starts])


def test_a_horizon_beyond_the_data_is_cut_to_the_longest_stretch(folder):
    subject = subject_of(folder)
    longest = int(np.diff(subject.data.episode_bounds(), axis=1).max())
    assert subject.reach(100_000) == longest
    assert subject.windows(100_000).action.shape[0] == longest


def test_rollouts_of_several_models_share_the_data_of_the_first(folder, trained):
    explorer = toolkit.explore.rollout({"one": folder, "other": trained}, horizon=20)
    sweep(explorer, turns=1)
    assert not explorer.error
    figure = explorer.figure.widget
    assert {"truth", "one", "other"} <= {trace.name for trace in figure.data}
    view = RolloutView({"one": subject_of(folder)}, 20)
    window = subject_of(folder).windows(20)
    alone = subject_of(folder).trained.predict(window.obs[0, 3], window.action[:, 3]).obs
    np.testing.assert_allclose(view.predicted["one"][3], alone, rtol=1e-4, atol=1e-5)
    assert sum(map(len, view.groups.values())) == view.truth.shape[2]


def test_gradients_and_initialisation_work_at_both_ends_of_every_control(folder):
    sweep(toolkit.explore.gradients(folder, horizon=8), turns=1)
    sweep(toolkit.explore.initialisation(6), turns=1)


def test_initialisation_counts_the_modes_that_alias():
    view = InitialisationView(4, 1.0)
    assert "0 of 4 modes" in view("increasing", -0.2, 0.1, 1.0).layout.title.text
    told = view("increasing", -0.2, 1.0, 1.0).layout.title.text
    assert "0 of 4 modes" not in told  # a step of one whole turn of the slowest
    fresh = view("increasing", -0.2, 0.25, 1.0).layout.title.text  # 1/modes: the paper's
    assert "0 of 4 modes" in fresh and "largest |λ̄| 0.951" in fresh  # exp(-0.2 · 0.25)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda f, t: toolkit.explore.eigenplane(f / "none"), "none"),
        (lambda f, t: toolkit.explore.eigenplane(t), "has no data of its own"),
        (lambda f, t: toolkit.explore.eigenplane(t, "toolkit/pendulum"), "observations of 5"),
        (lambda f, t: toolkit.explore.eigenplane(f, seed=2), "`seed_index` must lie in 0..1"),
        (lambda f, t: toolkit.explore.eigenplane(f, window=12), "`window` must lie in 0..11"),
        (lambda f, t: toolkit.explore.eigenplane(3), "must be the folder of a run"),
        (lambda f, t: toolkit.explore.rollout({}), "`models` must hold at least one"),
        (lambda f, t: toolkit.explore.film(f), "`robot` must be one of"),
        (lambda f, t: toolkit.explore.augmentation(f), "which is no TDM"),
        (lambda f, t: toolkit.explore.initialisation(0), "`modes` must be at least 1"),
    ],
)
def test_what_cannot_be_explored_is_one_sentence(folder, trained, call, sentence):
    with pytest.raises(UserError, match=sentence):
        call(folder, trained)


def test_a_dashboard_builds_a_tab_when_it_is_opened_and_says_what_it_cannot_show(folder):
    page = dashboard(folder, horizon=20)
    assert isinstance(page, Dashboard)
    assert isinstance(page.shown("Spectrum"), EigenPlane)
    assert page.shown("Rollout") is None
    for at, name in enumerate(page.builders):
        page.tabs.selected_index = at
        assert page.shown(name) is not None
        assert ("robot" in page.error) == (name == "Film")
    page.tabs.selected_index = 1
    kept, spectrum = page.shown("Rollout"), page.shown("Spectrum")
    page.window.value = 5
    assert page.shown("Rollout") is kept and page.shown("Spectrum") is None
    page.tabs.selected_index = 0
    assert page.shown("Spectrum") is not spectrum
    assert page.shown("Spectrum").curves != spectrum.curves  # another window, another truth


def test_without_a_model_a_small_one_is_trained(capsys):
    model, data = first_model("toolkit/pendulum", num_updates=2)
    assert data.obs_dim == 3 and subject_of(model, data).trained is model


def test_the_filter_of_a_tdm_is_explored(tmp_path):
    words = ["train", "tdm", "--data", "toolkit/hopper-medium", "--width", "8", "--batch-size", "8",
             "--num-updates", "2", "--out", str(tmp_path / "t")]  # fmt: skip
    assert main(words) == 0
    explorer = toolkit.explore.augmentation(tmp_path / "t", rows=20)
    explorer.controls["quantile"].value = 1.0
    assert not explorer.error and set(explorer.controls) == {"quantile", "noise_share"}


def test_the_command_refuses_what_cannot_be_served(tmp_path, capsys):
    pytest.importorskip("voila")
    assert main(["dashboard", str(tmp_path / "none")]) == 2
    assert "none" in capsys.readouterr().err
    assert main(["dashboard", "--port", "0"]) == 2
    assert "`port` must lie in" in capsys.readouterr().err
