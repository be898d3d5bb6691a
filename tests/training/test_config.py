"""Settings of a run: what is refused, what makes two runs different, and the way back from JSON."""

from __future__ import annotations

import dataclasses
import json
import math
import shlex

import pytest

from tests.training.tiny import Tiny
from toolkit.agents.sac import SAC
from toolkit.errors import UserError
from toolkit.spectral import Koopman
from toolkit.training.config import RunConfig, check_numbers, parse_seeds


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"num_updates": 0}, "`num_updates` must be at least 1, got 0"),
        ({"batch_size": -4}, "`batch_size` must be at least 1, got -4"),
        ({"learning_rate": -0.1}, "`learning_rate` must not be negative, got -0.1"),
        ({"learning_rate": math.nan}, "`learning_rate` must be a finite number below 2³¹, got nan"),
        ({"width": 2**40}, "`width` must be a finite number below 2³¹"),
        ({"break_at": -1}, "`break_at` must not be negative, got -1"),
    ],
)
def test_numbers_that_cannot_be_meant_are_refused(values, sentence):
    with pytest.raises(UserError, match=sentence):
        check_numbers(Tiny(**values))


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"discount": 1.5}, "`discount` must be at most 1, got 1.5"),
        ({"target_rate": 3.0}, "`target_rate` must be at most 1, got 3.0"),
        ({"initial_temperature": 0.0}, "`initial_temperature` must be greater than 0, got 0.0"),
    ],
)
def test_rates_and_temperatures_of_agents(values, sentence):
    with pytest.raises(UserError, match=sentence):
        check_numbers(SAC(**values))
    check_numbers(SAC(discount=1.0, target_rate=1.0, initial_temperature=1e-3))


def test_defaults_and_zeros_that_can_be_meant_pass():
    check_numbers(Tiny(learning_rate=0.0, break_at=0))
    check_numbers(Koopman(reencode_every=0))


def test_seeds_are_read():
    assert parse_seeds("0") == (0,)
    assert parse_seeds("3, 1,2") == (3, 1, 2)


@pytest.mark.parametrize("text", ["", "0,", "a", "-1", "1,1", "0 1", "1.5", str(2**32)])
def test_malformed_seeds_are_refused(text):
    with pytest.raises(UserError, match="`seeds` must be different whole numbers"):
        parse_seeds(text)


def test_json_and_back(tiny):
    config = tiny(seeds=(0, 3), width=2).config
    again = RunConfig.from_json(json.loads(json.dumps(config.to_json())))
    assert again == config
    assert again.learner() == Tiny(width=2)


def test_a_hyperparameter_of_another_version_is_refused(tiny):
    config = dataclasses.replace(tiny().config, hyperparameters={"height": 1})
    with pytest.raises(UserError, match="tiny has no hyperparameter height"):
        config.learner()


def test_equal_settings_do_not_differ_wherever_the_data_lie(tiny):
    config = tiny().config
    moved = dataclasses.replace(config.data, location="/elsewhere/data.hdf5", name="copy")
    assert config.difference(dataclasses.replace(config, data=moved)) is None


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"seeds": (0, 1)}, "`seeds` is '0' here but '0,1' there"),
        ({"model": "koopman"}, "`model` is 'tiny' here but 'koopman' there"),
        ({"chunk_updates": 7}, "`chunk_updates` is 10 here but 7 there"),
        ({"env": {"id": "Hopper-v5"}}, "`env` is None here but 'Hopper-v5' there"),
    ],
)
def test_a_difference_is_named_with_both_values(tiny, changed, sentence):
    config = tiny().config
    assert config.difference(dataclasses.replace(config, **changed)) == sentence


def test_other_hyperparameters_and_other_data_are_named(tiny):
    config = tiny().config
    wider = dataclasses.replace(config, hyperparameters=config.hyperparameters | {"width": 3})
    assert config.difference(wider) == "`width` is 1 here but 3 there"
    other = dataclasses.replace(config.data, sha256="f" * 64)
    difference = config.difference(dataclasses.replace(config, data=other))
    assert difference is not None
    assert difference.startswith("`data` is toolkit/pendulum (20000 rows, SHA-256 ")
    assert difference.endswith("(20000 rows, SHA-256 ffffffffffff) there")


def test_the_command_that_continues_a_run_has_every_choice(tiny, tmp_path):
    command = tiny(seeds=(0, 3), width=2).config.command(tmp_path / "a b")
    words = shlex.split(command)
    assert words[:3] == ["toolkit", "train", "tiny"]
    pairs = dict(zip(words[3:-1:2], words[4::2], strict=False))
    assert pairs == {
        "--data": "toolkit/pendulum",
        "--out": str(tmp_path / "a b"),
        "--seeds": "0,3",
        "--chunk-updates": "10",
        "--width": "2",
    }
    assert words[-1] == "--resume"
