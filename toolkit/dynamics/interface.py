"""The interface that every latent dynamics model meets, and prediction through it."""

from __future__ import annotations

from abc import abstractmethod

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jax import lax
from jaxtyping import Array, Float, Shaped

from toolkit.dynamics.steps import Steps
from toolkit.errors import UserError
from toolkit.nn import MLP
from toolkit.types import Key, Obs, Scalar

Latent = Float[Array, " latent"]


class Prediction(eqx.Module):
    """What a model expects from a start and a sequence of actions.

    Shapes: `obs` holds `states` = time + 1, the start included; `reward[k]` belongs to action k.
    """

    obs: Float[Array, "states obs"]
    reward: Float[Array, " time"]


class Heads(eqx.Module):
    """Encoder, decoder and reward head: the same for every dynamics model that is compared.

    The reward head works in standard deviations around the mean reward of the training data, so
    that its loss weighs the same for every robot.

    With `hidden` = 0 encoder and decoder are linear. `decoder_layers` counts the hidden
    layers of the decoder and of the reward head: a model that is linear in time leaves to them
    what others do step by step.

    Shapes: observation `(obs,)` ↔ latent `(latent,)`; reward a scalar.
    """

    encoder: MLP
    decoder: MLP
    reward_head: MLP
    reward_mean: Scalar
    reward_std: Scalar

    def __init__(
        self,
        obs_dim: int,
        latent_dim: int,
        *,
        hidden: int,
        decoder_layers: int = 1,
        reward_hidden: int = 64,
        reward_mean: float = 0.0,
        reward_std: float = 1.0,
        key: Key,
    ):
        keys = jr.split(key, 3)
        self.encoder = two_layers(obs_dim, hidden, latent_dim, key=keys[0])
        self.decoder = layers(latent_dim, hidden, obs_dim, decoder_layers, key=keys[1])
        self.reward_head = layers(latent_dim, reward_hidden, 1, decoder_layers, key=keys[2])
        self.reward_mean = jnp.asarray(reward_mean, jnp.float32)
        self.reward_std = jnp.asarray(reward_std, jnp.float32)

    def reward(self, latent: Latent) -> Scalar:
        """Reward of the transition that led to `latent`, in the data's own units."""
        mean, std = lax.stop_gradient((self.reward_mean, self.reward_std))
        return self.reward_head(latent)[0] * std + mean


def two_layers(in_size: int, hidden: int, out_size: int, *, key: Key) -> MLP:
    """Linear, SiLU, linear; a single linear layer where `hidden` is 0."""
    return layers(in_size, hidden, out_size, 1, key=key)


def layers(in_size: int, hidden: int, out_size: int, count: int, *, key: Key) -> MLP:
    """`count` hidden layers with SiLU between linear ones; a linear layer where `hidden` is 0."""
    sizes = (in_size, *([hidden] * count if hidden else []), out_size)
    return MLP(sizes, activation=jax.nn.silu, key=key)


class AbstractDynamics(eqx.Module):
    """A latent model of controlled dynamics: encode, advance under actions, decode.

    Observations are normalised ones; `TrainedDynamics` speaks raw units. Methods take one sample.

    The decoder is corrected by what it gets wrong at the known start, an error that is forgotten
    at a learnt rate per coordinate: ŝ_k = d(z_k) + ρᵏ·(s₀ − d(z₀)). A decoder alone cannot be
    exact even at k = 0, and that error stays in the whole prediction.

    `reencode_every` = k > 0 makes a long prediction out of pieces: after every k steps the decoded
    state is encoded again, in training as in prediction (arXiv:2310.15386 does so in prediction).
    A map over k steps is met at every row of every episode, one over the whole horizon only as
    often as there are whole windows, so pieces generalise better from little data.
    """

    heads: eqx.AbstractVar[Heads]
    reencode_every: eqx.AbstractVar[int]
    memory: eqx.AbstractVar[Float[Array, " obs"]]

    @abstractmethod
    def controls(self, actions: Float[Array, "time action"]) -> Shaped[Array, "time control"]:
        """What the actions do to the latent state, as far as the state need not be known."""

    @abstractmethod
    def drive(
        self, latent: Latent, controls: Shaped[Array, "time control"]
    ) -> Float[Array, "time latent"]:
        """Latent states after each control."""

    def advance(
        self, latent: Latent, actions: Float[Array, "time action"]
    ) -> Float[Array, "time latent"]:
        """Latent states after each action."""
        return self.drive(latent, self.controls(actions))

    def controls_to(
        self, actions: Float[Array, "time action"], steps: Steps
    ) -> Shaped[Array, "controls control"]:
        """The controls that `drive_to` needs to reach the chosen steps."""
        return self.controls(actions)

    def drive_to(
        self, latent: Latent, controls: Shaped[Array, "controls control"], steps: Steps
    ) -> Float[Array, "steps latent"]:
        """Latent states after the chosen steps only; a model may skip those between."""
        return self.drive(latent, controls)[steps.at - 1]

    def encode(self, obs: Obs) -> Latent:
        """g_θ(s): the latent state of an observation."""
        return self.heads.encoder(obs)

    def decode(self, latent: Latent) -> Obs:
        """d_ξ(z): the observation of a latent state, without the correction."""
        return self.heads.decoder(latent)

    def correction(self, steps: Float[Array, " time"]) -> Float[Array, "time obs"]:
        """ρᵏ for each step k and coordinate: how much of the start's decoding error is kept."""
        return jnp.exp(-jax.nn.softplus(self.memory)[None, :] * steps[:, None])

    def predict(
        self,
        obs: Obs,
        actions: Float[Array, "time action"],
        *,
        reencode_every: int | None = None,
    ) -> Prediction:
        """Roll out from one observation under known actions.

        Each piece is one pass over its steps. `reencode_every` overrides the model's own interval;
        0 predicts everything from the first latent.

        Raises:
            UserError: `reencode_every` is negative.
        """
        every = self.reencode_every if reencode_every is None else reencode_every
        if every < 0:
            raise UserError(f"`reencode_every` must not be negative, got {every}.")
        if every == 0:
            states, reward = self._rollout(obs, actions)
            return Prediction(jnp.concatenate([obs[None], states]), reward)
        return self._predict_in_pieces(obs, actions, every)

    def _predict_in_pieces(self, obs: Obs, actions: Array, length: int) -> Prediction:
        horizon, action_dim = actions.shape
        pieces = -(-horizon // length)
        padded = jnp.pad(actions, ((0, pieces * length - horizon), (0, 0)))

        def piece(obs: Obs, actions: Array):
            states, reward = self._rollout(obs, actions)
            return states[-1], (states, reward)

        _, (states, reward) = lax.scan(piece, obs, padded.reshape(pieces, length, action_dim))
        states = states.reshape(pieces * length, -1)[:horizon]
        return Prediction(jnp.concatenate([obs[None], states]), reward.reshape(-1)[:horizon])

    def _rollout(self, obs: Obs, actions: Array) -> tuple[Array, Array]:
        start = self.encode(obs)
        latents = self.advance(start, actions)
        kept = self.correction(jnp.arange(1, len(actions) + 1, dtype=jnp.float32))
        states = jax.vmap(self.decode)(latents) + kept * (obs - self.decode(start))[None]
        return states, jax.vmap(self.heads.reward)(latents)
