"""Run directories: made, opened, continued, and never mistaken for one another."""

from __future__ import annotations

import dataclasses
import json

import jax
import numpy as np
import pytest

from toolkit.data import Normaliser, load
from toolkit.errors import UserError
from toolkit.training import Run, TrainingDiverged, fit, save_checkpoint, start_or_continue
from toolkit.training.online_run import OnlineRun
from toolkit.training.records import append_row, cut_rows, read_rows


@pytest.fixture
def finished(tiny, tmp_path):
    experiment = tiny(seeds=(0, 1))
    run, state = start_or_continue(tmp_path / "run", experiment, resume=False)
    state = fit(run, experiment, state)
    return run, experiment, state


def test_a_finished_run_has_its_state_and_one_row_per_chunk(finished):
    run, experiment, state = finished
    again = Run.open(run.folder)
    assert again.config == experiment.config
    jax.tree.map(np.testing.assert_array_equal, again.state(), state)
    rows = read_rows(run.folder / "metrics.jsonl")
    assert [row["update"] for row in rows] == [10, 20, 30, 40]
    assert all(len(row["loss/total"]) == 2 for row in rows)
    assert [row["seconds"] for row in rows] == sorted(row["seconds"] for row in rows)


def test_metrics_are_the_mean_over_seeds_or_one_seed(finished):
    run, *_ = finished
    stored = read_rows(run.folder / "metrics.jsonl")[-1]["loss/total"]
    assert run.metrics()[-1]["loss/total"] == pytest.approx(np.mean(stored))
    assert run.metrics(1)[-1]["loss/total"] == stored[1]


def test_the_normaliser_was_fitted_on_the_training_part_alone(finished):
    run, experiment, _ = finished
    everything = run.dataset()
    bounds = everything.episode_bounds()
    order = np.random.default_rng(0).permutation(len(bounds))
    train = np.sort(order[round(0.2 * len(bounds)) :])
    rows = np.concatenate([np.arange(*bounds[episode]) for episode in train])
    expected = Normaliser.fit(np.asarray(everything.observations)[rows])
    np.testing.assert_array_equal(run.normaliser().mean, expected.mean)
    np.testing.assert_array_equal(run.normaliser().std, expected.std)
    assert run.test_data().num_episodes == 20
    assert experiment.train.num_episodes == 80


def test_config_has_what_a_passport_needs(finished):
    run, *_ = finished
    stored = json.loads((run.folder / "config.json").read_text())
    assert len(stored["data"]["sha256"]) == 64
    assert stored["data"]["num_transitions"] == 20_000
    assert {"jax", "numpy", "python", "toolkit", "matmul_precision"} <= set(stored["versions"])
    assert stored["device"].startswith(jax.devices()[0].platform)
    assert stored["test_fraction"] == 0.2


def test_a_folder_with_a_run_is_not_overwritten(finished):
    run, experiment, _ = finished
    with pytest.raises(UserError, match="already holds a run; `--resume` continues it"):
        start_or_continue(run.folder, experiment, resume=False)
    with pytest.raises(UserError, match="already holds a run"):
        Run.create(run.folder, experiment.config)


def test_resume_refuses_other_settings_by_name(finished, tiny):
    run, *_ = finished
    with pytest.raises(UserError, match=r"`learning_rate` is 0\.5 here but 0\.01 there"):
        start_or_continue(run.folder, tiny(seeds=(0, 1), learning_rate=0.5), resume=True)


def test_resume_without_a_run_starts_at_the_beginning(tiny, tmp_path):
    _, state = start_or_continue(tmp_path / "run", tiny(), resume=True)
    assert int(state.update_count[0]) == 0


def test_a_checkpoint_of_another_model_is_refused(finished, tiny, tmp_path):
    run, *_ = finished
    wider = tiny(seeds=(0, 1), width=2)
    other, state = start_or_continue(tmp_path / "other", wider, resume=False)
    fit(other, wider, state)
    checkpoint = "checkpoint/state.ckpt"
    (run.folder / checkpoint).write_bytes((other.folder / checkpoint).read_bytes())
    with pytest.raises(UserError, match=r"does not fit this model: it holds `weight` of shape"):
        Run.open(run.folder).state()


class StopError(Exception):
    """Stands for Ctrl-C, which would stop the tests too."""


def stop_at(update: int):
    def on_chunk(row):
        if row["update"] == update:
            raise StopError

    return on_chunk


def test_an_interrupted_run_continues_to_the_same_bits(finished, tmp_path):
    run, experiment, state = finished
    broken, start = start_or_continue(tmp_path / "broken", experiment, resume=False)
    with pytest.raises(StopError):
        fit(broken, experiment, start, on_chunk=stop_at(20), checkpoint_seconds=1e9)
    assert broken.header()["update"] == 20
    append_row(
        broken.folder / "metrics.jsonl", {"update": 30, "seconds": 9.0, "loss/total": [0, 0]}
    )
    with (broken.folder / "metrics.jsonl").open("a") as file:
        file.write('{"update": 40, "lo')  # the process died here
    again, start = start_or_continue(broken.folder, experiment, resume=True)
    jax.tree.map(np.testing.assert_array_equal, fit(again, experiment, start), state)
    rows = [read_rows(folder / "metrics.jsonl") for folder in (run.folder, broken.folder)]
    assert [row["loss/total"] for row in rows[0]] == [row["loss/total"] for row in rows[1]]


def test_checkpoints_are_no_closer_than_asked(finished, tmp_path, monkeypatch):
    _, experiment, _ = finished
    saved = []
    monkeypatch.setattr(Run, "save", lambda _, state, __: saved.append(int(state.update_count[0])))
    for seconds, expected in [(0.0, [10, 20, 30, 40]), (1e9, [40])]:
        saved.clear()
        run, state = start_or_continue(tmp_path / str(seconds), experiment, resume=False)
        fit(run, experiment, state, checkpoint_seconds=seconds)
        assert saved == expected


def test_a_nan_keeps_the_last_finite_checkpoint(tiny, tmp_path):
    experiment = tiny(break_at=24)
    run, state = start_or_continue(tmp_path / "run", experiment, resume=False)
    with pytest.raises(TrainingDiverged):
        fit(run, experiment, state, checkpoint_seconds=1e9)
    assert run.header()["update"] == 20
    assert np.isfinite(run.state().bias).all()


def test_a_checkpoint_that_another_model_wrote_is_refused_though_it_fits(finished):
    run, experiment, state = finished
    header = {"model": "other", "update": 40, "normaliser": experiment.normaliser.to_json()}
    save_checkpoint(run.folder / "checkpoint" / "state.ckpt", state, header)
    with pytest.raises(UserError, match="belongs to the model 'other', but this run trains 'tiny'"):
        run.state()


@pytest.mark.parametrize("kind", [Run, OnlineRun])
def test_a_folder_that_holds_no_run_is_refused(tmp_path, kind):
    with pytest.raises(
        UserError, match=r"expected the folder of a run, but it has no config\.json"
    ):
        kind.open(tmp_path)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "does not hold JSON"),
        ("[1]", "does not hold a JSON object"),
        ('{"format": 99}', "run format 99, this version reads 1"),
        ('{"format": 1}', "lacks a setting"),
    ],
)
@pytest.mark.parametrize("kind", [Run, OnlineRun])
def test_a_damaged_config_is_refused(tmp_path, kind, content, sentence):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(UserError, match=sentence):
        kind.open(tmp_path)


def test_changed_data_are_refused(finished, monkeypatch):
    run, *_ = finished
    other = load("toolkit/duffing")
    monkeypatch.setattr("toolkit.training.run.load", lambda _: other)
    assert run.dataset() is other  # simulated data may differ between machines by rounding
    record = dataclasses.replace(run.config.data, location="a-file.hdf5")
    moved = Run(run.folder, dataclasses.replace(run.config, data=record))
    with pytest.raises(UserError, match=r"a-file\.hdf5 has changed since .* was trained on it"):
        moved.dataset()


def test_a_bundled_sample_is_a_file_that_must_not_have_changed(finished, monkeypatch):
    run, *_ = finished
    record = dataclasses.replace(run.config.data, location="toolkit/hopper-medium")
    sampled = Run(run.folder, dataclasses.replace(run.config, data=record))
    other = load("toolkit/duffing")
    monkeypatch.setattr("toolkit.training.run.load", lambda _: other)
    with pytest.raises(UserError, match=r"^toolkit/hopper-medium has changed since .* trained on"):
        sampled.dataset()


def test_rows_beyond_an_update_are_cut(tmp_path):
    path = tmp_path / "metrics.jsonl"
    for update in (10, 20, 30):
        append_row(path, {"update": update})
    path.write_bytes(path.read_bytes() + b'{"update": 4')
    assert cut_rows(path, 20) == [{"update": 10}, {"update": 20}]
    assert path.read_bytes() == b'{"update": 10}\n{"update": 20}\n'


def test_a_damaged_row_is_refused(tmp_path):
    (tmp_path / "metrics.jsonl").write_bytes(b"\0\0\0\n")
    with pytest.raises(UserError, match="a line that is not JSON"):
        read_rows(tmp_path / "metrics.jsonl")
