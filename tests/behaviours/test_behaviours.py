"""The stored policies, the datasets made from them, and the samples in the package."""

from __future__ import annotations

import h5py
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from toolkit.agents.networks import GaussianActor
from toolkit.behaviours import load_behaviour, make_dataset, read_passport, stages
from toolkit.behaviours.making import make_names, recipe
from toolkit.behaviours.policies import FOLDER, store_behaviour, untrained
from toolkit.data import check, load, read_arrays
from toolkit.data.catalogue import entries
from toolkit.data.tasks import QUALITIES
from toolkit.envs.fidelity import simulate_check
from toolkit.envs.robots import ROBOTS
from toolkit.errors import UserError

#: SHA-256 of the untrained actors' parameters, as the runs had them.
BEGINNINGS = {
    "hopper": "5dcb4515e42deadefd9af81f3fb4d68f4d87416aea209e97429c97b25119a6cc",
    "walker2d": "617ca64ceacf2c700533b2ae52bad22444c5449e56570762093d119883c92760",
    "halfcheetah": "617ca64ceacf2c700533b2ae52bad22444c5449e56570762093d119883c92760",
}
SAMPLES = ("toolkit/hopper-medium", "toolkit/hopper-medium-replay", "toolkit/walker2d-medium")


@pytest.fixture(scope="module")
def medium(tmp_path_factory):
    path = tmp_path_factory.mktemp("made") / "medium.hdf5"
    return make_dataset("toolkit/hopper-medium", path, num_transitions=700, seed=5)


def columns(path):
    with h5py.File(path) as file:
        names: list[str] = []
        file.visititems(lambda name, item: names.append(name) if hasattr(item, "shape") else None)
        return {name: file[name][()] for name in names}


@pytest.mark.parametrize("robot", ROBOTS)
def test_every_robot_has_a_medium_and_an_expert_with_their_passports(robot):
    order = stages(robot)
    assert order[-1] == "expert" and "medium" in order
    scores = {stage: read_passport(f"{robot}-{stage}") for stage in order}
    assert scores["expert"]["normalized_score"] > 80
    third = scores["expert"]["normalized_score"] / 3
    assert abs(scores["medium"]["normalized_score"] - third) < 12
    for passport in scores.values():
        assert len(passport["returns"]) == 20
        assert passport["env"]["id"] == ROBOTS[robot].env_id and passport["env"]["mujoco"]
        steps = [step for step, _ in passport["curve"]]
        assert steps == sorted(steps) and passport["env_steps"] in steps


def test_stored_policies_are_small():
    assert all(path.stat().st_size < 400_000 for path in FOLDER.glob("*.ckpt"))


def test_storing_rounds_to_half_precision_and_nothing_else(tmp_path):
    actor = GaussianActor(11, 3, 8, 2, key=jr.key(0))
    stored = store_behaviour("hopper", "medium", actor, {"env_steps": 7}, tmp_path)
    for before, after in zip(*map(jax.tree.leaves, (actor, stored.actor)), strict=True):
        assert after.dtype == jnp.float32
        np.testing.assert_array_equal(after, np.asarray(before).astype(np.float16))
    assert stored.name == "hopper-medium" and stored.passport["env_steps"] == 7
    assert stages("hopper", tmp_path) == ["medium"]


@pytest.mark.parametrize("robot", ROBOTS)
def test_an_untrained_policy_is_its_seed(robot):
    """Its file has no numbers; what is made again are those that the run began with."""
    made = load_behaviour(f"{robot}-0000k")
    assert not made.passport["leaves"] and made.passport["update"] == 0
    assert made.sha256 == BEGINNINGS[robot]


def test_an_untrained_actor_that_comes_out_otherwise_is_refused(tmp_path):
    """As under another generator of JAX's: the passport's score would be another actor's."""
    actor = untrained(11, 3, 8, 2, seed=3)
    passport = {"env_steps": 16, "update": 0, "seed": 3}
    store_behaviour("hopper", "0000k", actor, passport, tmp_path)
    with jax.default_prng_impl("rbg"), pytest.raises(UserError, match="other numbers from it here"):
        load_behaviour("hopper-0000k", tmp_path)


def test_an_untrained_actor_of_another_seed_is_stored_whole(tmp_path):
    """So nothing is lost where the seed does not tell the actor."""
    spec = {"obs_dim": 11, "action_dim": 3, "hidden": 8, "layers": 2}
    for seed, is_told in ((3, True), (4, False)):
        passport = {"env_steps": 16, "update": 0, "seed": 3}
        actor = untrained(**spec, seed=seed)
        stored = store_behaviour("hopper", "0000k", actor, passport, tmp_path)
        assert (stored.passport["leaves"] == []) == is_told
        for before, after in zip(*map(jax.tree.leaves, (actor, stored.actor)), strict=True):
            np.testing.assert_array_equal(after, np.asarray(before).astype(np.float16))


def test_the_hash_is_that_of_the_file():
    stored = load_behaviour("hopper-medium")
    assert stored.sha256 == stored.passport["sha256"]


@pytest.mark.parametrize("name", ["hopper-fast", "ant-medium", "../hopper-medium"])
def test_an_unknown_policy_is_refused(name):
    for read in (load_behaviour, read_passport):
        with pytest.raises(UserError, match=r"is not a stored policy; there is .*hopper-medium"):
            read(name)


def test_a_passport_is_read_without_the_policy():
    assert read_passport("hopper-medium") == load_behaviour("hopper-medium").passport


def test_the_file_has_the_layout_of_d4rl(medium):
    found = columns(medium)
    assert {name: (array.shape[1:], array.dtype.str[1:]) for name, array in found.items()} == {
        "observations": ((11,), "f4"),
        "actions": ((3,), "f4"),
        "rewards": ((), "f4"),
        "next_observations": ((11,), "f4"),
        "terminals": ((), "b1"),
        "timeouts": ((), "b1"),
        "infos/qpos": ((6,), "f8"),
        "infos/qvel": ((6,), "f8"),
        "infos/action_log_probs": ((), "f4"),
    }
    assert {len(array) for array in found.values()} == {700}
    with h5py.File(medium) as file:
        about = dict(file.attrs)
    assert about["dataset"] == "toolkit/hopper-medium" and about["env_id"] == "Hopper-v4"
    assert about["seed"] == 5 and about["mujoco"]
    assert about["policy_sha256"] == load_behaviour("hopper-medium").sha256


def test_rows_follow_each_other_and_episodes_end_where_they_should(medium):
    rows = columns(medium)
    ends = rows["terminals"] | rows["timeouts"]
    inside = np.flatnonzero(~ends[:-1])
    np.testing.assert_array_equal(
        rows["next_observations"][inside], rows["observations"][inside + 1]
    )
    robot = ROBOTS["hopper"]
    starts = np.append(0, np.flatnonzero(ends)[:-1] + 1)
    assert np.abs(rows["infos/qvel"][starts]).max() <= robot.reset_noise
    assert ends[-1] and not (rows["terminals"] & rows["timeouts"]).any()


def test_log_densities_are_the_policys(medium):
    rows = columns(medium)
    inner = (np.abs(rows["actions"]) < 0.999).all(1)  # the action itself is rounded near ±1
    actor = load_behaviour("hopper-medium").actor
    log_prob = jax.jit(jax.vmap(lambda o, a: actor(o).log_prob(a)))
    found = log_prob(rows["observations"][inner], rows["actions"][inner])
    assert inner.sum() > 100
    np.testing.assert_allclose(found, rows["infos/action_log_probs"][inner], atol=0.02)


def test_the_doctor_and_the_simulator_find_nothing_wrong(medium):
    assert not check(medium).has_errors
    (comparison,) = simulate_check(medium, env_ids=("Hopper-v4",)).comparisons
    assert comparison.close
    assert comparison.next_state["max"] < 1e-5


def test_a_shorter_dataset_is_the_beginning_of_a_longer_one(medium, tmp_path):
    short = columns(
        make_dataset("toolkit/hopper-medium", tmp_path / "s.hdf5", num_transitions=123, seed=5,
                     threads=1)
    )  # fmt: skip
    for name, array in columns(medium).items():
        if name != "timeouts":
            np.testing.assert_array_equal(array[:123], short[name])
    assert short["timeouts"][-1]


def test_another_seed_is_another_dataset(medium, tmp_path):
    other = make_dataset("toolkit/hopper-medium", tmp_path / "o.hdf5", num_transitions=50, seed=6)
    assert not np.array_equal(columns(other)["observations"], columns(medium)["observations"][:50])


def test_parts_share_the_rows_and_are_cut_apart(tmp_path):
    path = make_dataset("toolkit/hopper-medium-expert", tmp_path / "me.hdf5", num_transitions=301)
    rows = columns(path)
    assert rows["timeouts"][149] or rows["terminals"][149]
    expert = load_behaviour("hopper-expert").actor
    likely = jax.jit(jax.vmap(lambda o, a: expert(o).log_prob(a)))(
        rows["observations"], rows["actions"]
    )
    assert np.median(likely[150:]) > np.median(likely[:150]) + 1


def test_random_actions_are_uniform(tmp_path):
    path = make_dataset(
        "toolkit/halfcheetah-random", tmp_path / "r.hdf5", num_transitions=400, infos=False
    )
    rows = columns(path)
    assert not any(name.startswith("infos/") for name in rows)
    counts = np.histogram(rows["actions"], bins=4, range=(-1, 1))[0]
    assert counts.min() > 0.8 * counts.mean()


def test_replay_sets_follow_the_training_up_to_their_name():
    for robot in ROBOTS:
        whole = [part.stage for part in recipe(f"toolkit/{robot}-full-replay").parts if part]
        half = [part.stage for part in recipe(f"toolkit/{robot}-medium-replay").parts if part]
        assert whole == stages(robot) and half == whole[: whole.index("medium") + 1]
        assert len(half) >= 3


def test_the_catalogue_lists_what_can_be_made():
    listed = {entry.name for entry in entries() if entry.kind in ("made", "bundled")}
    assert listed == set(make_names())
    assert len(listed) == len(ROBOTS) * len(QUALITIES)


@pytest.mark.parametrize(
    ("name", "rows", "sentence"),
    [
        ("toolkit/hopper-medum", 10, "did you mean 'toolkit/hopper-medium'"),
        ("hopper-medium-v2", 10, "is not a dataset that can be made"),
        ("toolkit/hopper-medium-expert", 1, "`num_transitions` must be at least 2"),
        ("toolkit/hopper-medium", 0, "`num_transitions` must be at least 1"),
    ],
)
def test_what_cannot_be_made_is_refused(name, rows, sentence, tmp_path):
    with pytest.raises(UserError, match=sentence):
        make_dataset(name, tmp_path / "x.hdf5", num_transitions=rows)


def test_a_missing_folder_or_a_full_disk_is_said_before_the_work(tmp_path, monkeypatch):
    with pytest.raises(UserError, match="the folder .* does not exist"):
        make_dataset("toolkit/hopper-medium", tmp_path / "no" / "x.hdf5", num_transitions=10)
    usage = type("Usage", (), {"free": 2**20})
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    with pytest.raises(UserError, match=r"up to \d+ MiB are needed, but 1 are free"):
        make_dataset("toolkit/hopper-medium", tmp_path / "x.hdf5", num_transitions=10)


def test_an_interruption_leaves_no_file(tmp_path):
    def stop(rows):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_dataset("toolkit/hopper-medium", tmp_path / "x.hdf5", num_transitions=10, on_rows=stop)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_in_the_package_load_without_a_simulator(name):
    dataset = load(name)
    assert dataset.num_transitions == 10_000 and bool(dataset.valid_next.all())
    assert dataset.source.name == name and dataset.source.env in ("Hopper-v4", "Walker2d-v4")
    assert dataset.source.dt == pytest.approx(0.008)
    assert not check(next(e for e in sample_files() if e.stem == name.split("/")[1])).has_errors


def sample_files():
    from toolkit.data.catalogue import sample_path

    return [sample_path(name) for name in SAMPLES]


def test_samples_are_small_and_say_who_made_them():
    assert sum(path.stat().st_size for path in sample_files()) < 4 * 2**20
    for path in sample_files():
        about = read_arrays(path).attributes
        assert about["origin"].endswith("not a D4RL dataset") and about["policy_sha256"]


def test_a_set_that_is_not_bundled_says_how_to_make_it():
    with pytest.raises(UserError, match="`toolkit data make toolkit/hopper-expert --out FILE`"):
        load("toolkit/hopper-expert")
