"""Expected against real returns: the sum to go, what a cut hides, and whose critics are asked."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from tests.agents.float64 import ACTION, OBS, random_dataset
from toolkit.agents.bc import BC
from toolkit.agents.td3_bc import TD3BC
from toolkit.agents.tsrl import TSRL
from toolkit.data import Normaliser
from toolkit.errors import UserError
from toolkit.evaluation.rollouts import evaluate_policy
from toolkit.evaluation.values import (
    Episodes,
    action_distances,
    discounted_to_go,
    expected_and_real,
    is_known,
    play,
    policy_of,
)

SIZES = {"hidden": 4, "batch_size": 8}
RNG = np.random.default_rng(0)


def episodes(lengths=(3, 6), fell=(True, False), obs_dim=OBS, action_dim=ACTION):
    """Episodes of random numbers; `random_dataset` has the same dimensions."""
    time, count = max(lengths), len(lengths)
    running = np.arange(time)[:, None] < np.array(lengths)
    return Episodes(
        "Hopper-v4", RNG.normal(size=(time, count, obs_dim)).astype(np.float32),
        RNG.uniform(-1, 1, (time, count, action_dim)).astype(np.float32),
        RNG.normal(size=(time, count)), running, np.array(fell),
        RNG.normal(size=(count, obs_dim)),
    )  # fmt: skip


def test_the_return_to_go_is_the_discounted_sum_to_the_end_of_its_episode():
    played, discount = episodes(), 0.9
    found = discounted_to_go(played, discount)
    for episode, length in enumerate((3, 6)):
        for t in range(6):
            rewards = played.reward[t:length, episode] if t < length else np.zeros(0)
            expected = sum(r * discount**k for k, r in enumerate(rewards))
            assert found[t, episode] == pytest.approx(expected)
    np.testing.assert_allclose(played.returns, [played.reward[:3, 0].sum(),
                                                played.reward[:, 1].sum()])  # fmt: skip


def test_what_was_cut_off_counts_only_where_it_hardly_weighs():
    known = is_known(episodes(), 0.2)  # 0.2³ is below a hundredth, 0.2² is not
    assert known[:, 0].tolist() == [True] * 3 + [False] * 3
    assert known[:, 1].tolist() == [True] * 4 + [False] * 2


def test_critics_are_asked_about_the_steps_that_are_known():
    data, played = random_dataset(), episodes()
    agent = TD3BC(**SIZES)
    state = agent.init(data, key=jr.key(1))
    normaliser = Normaliser.fit(played.obs.reshape(-1, OBS))
    expected, real = expected_and_real(agent, state, normaliser, played, discount=0.2, every=2)
    rows = [(0, 0), (0, 1), (2, 0), (2, 1)]  # step 4 of the second is too near to its cut
    to_go = discounted_to_go(played, 0.2)
    np.testing.assert_allclose(real, [to_go[row] for row in rows])
    for value, (t, episode) in zip(expected, rows, strict=True):
        obs = (played.obs[t, episode] - np.asarray(normaliser.mean)) / np.asarray(normaliser.std)
        both = state.critic(jnp.asarray(obs)[None], jnp.asarray(played.action[t, episode])[None])
        assert value == pytest.approx(float(np.min(both)), rel=1e-4, abs=1e-5)


def test_tsrl_asks_its_critics_in_the_latent_unless_they_are_not_there():
    data = random_dataset()
    obs, action = data.observations, data.actions
    for latent in (True, False):
        agent = TSRL(latent_critic=latent, augment=latent, model_width=16, **SIZES).fitted_to(data)
        state = agent.init(data, key=jr.key(2))
        place = jax.vmap(state.model.encode)(obs, action)
        seen = (place.state, place.action) if latent else (obs, action)
        np.testing.assert_allclose(
            agent.values(state, obs, action), np.min(state.critic(*seen), axis=0), rtol=1e-5
        )


def test_an_agent_without_critics_says_so():
    agent, data = BC(**SIZES), random_dataset()
    state = agent.init(data, key=jr.key(0))
    with pytest.raises(UserError, match="BC has no critics"):
        agent.values(state, data.observations, data.actions)


def test_distances_of_actions_are_root_mean_squares_over_coordinates():
    data, agent = random_dataset(), BC(**SIZES)
    state, normaliser = agent.init(data, key=jr.key(3)), Normaliser.fit(data.observations)
    found = action_distances(policy_of(agent, state, normaliser), data)
    own = np.asarray(state.actor.batch(normaliser.normalise(data.observations)))
    expected = np.sqrt(((own - np.asarray(data.actions)) ** 2).mean(axis=1))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_played_episodes_are_those_that_are_scored():
    pytest.importorskip("mujoco")
    from toolkit.behaviours import load_behaviour

    policy = load_behaviour("hopper-0050k").policy(explore=False)
    scored = evaluate_policy(policy, "Hopper-v4", num_episodes=3)
    played = play(policy, "Hopper-v4", num_episodes=3)
    np.testing.assert_allclose(played.returns, scored.returns, rtol=1e-6)
    np.testing.assert_array_equal(played.lengths, scored.lengths)
    assert played.score == pytest.approx(scored.normalised.mean())
    assert played.fell.all()
    states = played.states(1)
    assert len(states) == scored.lengths[1] + 1
    np.testing.assert_array_equal(states[1], played.obs[1, 1])
    assert states[-1, 0] < 0.71 or abs(states[-1, 1]) > 0.19  # it fell with its last step
