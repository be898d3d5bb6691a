"""Self-prediction alone: an encoder that learns from recorded pictures what it will make of the
next ones, with no critics and no task beside it.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
from jax import lax
from jaxtyping import Array, Float, Int, UInt8

from toolkit.agents.networks import polyak
from toolkit.agents.pixel_replay import PixelWindows
from toolkit.agents.pixels import ConvEncoder, Images, stacked
from toolkit.agents.spr import AbstractPredictingAgent
from toolkit.envs.interface import EnvSpec
from toolkit.errors import UserError
from toolkit.nn import fresh_copy
from toolkit.training.learner import AbstractUpdater, Metrics
from toolkit.training.optimise import gradient_step, start
from toolkit.types import Key, Scalar


class PictureEpisodes(eqx.Module):
    """Episodes of one length as pictures, with the actions between them: what is learned from."""

    frames: UInt8[Array, "episodes states height width 3"]  # states = time + 1
    action: Float[Array, "episodes time action"]

    def sample(self, batch_size: int, stack: int, horizon: int, *, key: Key) -> PixelWindows:
        """Uniform windows inside an episode: `stack` frames, then `horizon` more.

        Rewards are zeros, for none were recorded. Runs inside compiled code.
        """
        episode_key, start_key = jr.split(key)
        episodes, states = self.frames.shape[:2]
        episode = jr.randint(episode_key, (batch_size,), 0, episodes)
        begin = jr.randint(start_key, (batch_size,), 0, states - stack - horizon + 1)
        at = begin[:, None] + jnp.arange(stack + horizon)[None]
        taken = begin[None] + stack - 1 + jnp.arange(horizon)[:, None]
        return PixelWindows(
            self.frames[episode[:, None], at], self.action[episode[None], taken],
            jnp.zeros(batch_size), jnp.zeros(batch_size, bool),
            jnp.ones((horizon, batch_size), bool),
        )  # fmt: skip


class SelfPredictionModel(eqx.Module):
    """The encoder, and what the prediction has for itself."""

    encoder: ConvEncoder
    head: Any


class SelfPredictionState(eqx.Module):
    """Model, the targets' own encoder where they have one, optimisers, and number of updates."""

    model: SelfPredictionModel
    slow: ConvEncoder | None
    opt_states: tuple[Any, Any]
    update_count: Int[Array, ""]


class SelfPrediction(AbstractUpdater):
    """The loss that `agent` has beside its critics', and nothing else, on recorded pictures.

    Encoder, predictor, loss, shifts and targets are the agent's (`SPR` or `KoopmanSPR`).
    """

    agent: AbstractPredictingAgent
    encoder_pace: float = 1.0
    """Learning rate of the encoder as a share of the predictor's. A predictor that keeps up with
    its encoder is what arXiv:2212.03319 needs to prove that self-prediction does not collapse."""

    def init(self, spec: EnvSpec, *, key: Key) -> SelfPredictionState:
        """The state before the first update, for pictures and actions as of `spec`.

        Raises:
            UserError: the agent's targets cannot be meant, or the window is longer than an episode.
        """
        agent = self.agent
        agent.check_targets()
        frames = agent.stack + agent.horizon
        if frames > spec.max_episode_steps + 1:
            raise UserError(
                f"`stack` and `horizon` make a window of {frames} frames, and an episode has "
                f"{spec.max_episode_steps + 1}."
            )
        encoder_key, head_key = jr.split(key)
        encoder = ConvEncoder(
            agent.image_size, 3 * agent.stack, agent.filters, agent.features, key=encoder_key
        )
        head = agent.head(spec, key=head_key)
        slow = None if agent.encoder_rate == 1.0 else fresh_copy(encoder)
        # one seed, one encoder, whatever stands behind it
        opt_states = start(agent.optimiser(), encoder), start(agent.optimiser(), head)
        model = SelfPredictionModel(encoder, head)
        return SelfPredictionState(model, slow, opt_states, jnp.zeros((), jnp.int32))

    def sample(self, source: PictureEpisodes, /, *, key: Key) -> PixelWindows:
        agent = self.agent
        return source.sample(agent.batch_size, agent.stack, agent.horizon, key=key)

    def update(
        self, state: SelfPredictionState, batch: PixelWindows, *, key: Key
    ) -> tuple[SelfPredictionState, Metrics]:
        agent, slow = self.agent, state.slow
        images = agent.views(batch, key=key)
        moved = agent.moves_targets()
        fixed = None if moved else _encoded(slow or state.model.encoder, images[1:])

        def loss(model: SelfPredictionModel) -> tuple[Scalar, Metrics]:
            targets = _encoded(model.encoder, images[1:]) if moved else fixed
            return agent.beside(model.head, model.encoder(images[0]), targets, batch)

        (_, metrics), grads = eqx.filter_value_and_grad(loss, has_aux=True)(state.model)
        opt_encoder, opt_head = state.opt_states
        optimiser = agent.optimiser()
        stepped, opt_encoder = gradient_step(
            optimiser, state.model.encoder, grads.encoder, opt_encoder
        )
        encoder = polyak(state.model.encoder, stepped, self.encoder_pace)
        head, opt_head = gradient_step(optimiser, state.model.head, grads.head, opt_head)
        if slow is not None:
            slow = polyak(slow, encoder, agent.encoder_rate)
        model = SelfPredictionModel(encoder, head)
        return SelfPredictionState(
            model, slow, (opt_encoder, opt_head), state.update_count + 1
        ), metrics


def _encoded(
    encoder: ConvEncoder, images: UInt8[Array, "time batch height width channels"]
) -> Float[Array, "time batch features"]:
    flat = encoder(images.reshape(-1, *images.shape[2:]))
    return flat.reshape(*images.shape[:2], -1)


@eqx.filter_jit
def encode(encoder: ConvEncoder, images: Images) -> Float[Array, "batch features"]:
    """The features of many pictures, a few hundred at a time."""
    size = 250
    rows = len(images)
    padded = jnp.pad(images, ((0, -rows % size), (0, 0), (0, 0), (0, 0)))
    made = lax.map(encoder, padded.reshape(-1, size, *images.shape[1:]))
    return made.reshape(len(padded), -1)[:rows]


@eqx.filter_jit
def unexplained(
    agent: AbstractPredictingAgent, model: SelfPredictionModel, batch: PixelWindows
) -> tuple[Float[Array, " time"], Float[Array, " time"]]:
    """Squared error of each predicted step 1 … K as a share of the targets' variance, and that of
    the prediction that nothing changes.

    Both are of what the agent's loss compares. 0 is perfect, 1 no better than the mean.
    """
    images = stacked(batch.frames, agent.stack)
    features, targets = model.encoder(images[0]), _encoded(model.encoder, images[1:])
    predicted, aims = agent.compared(model.head, features, targets, batch.action)
    now = agent.compared(model.head, features, features[None], batch.action[:1])[1]
    variance = jnp.sum(jnp.var(aims, axis=1), axis=-1)
    share = lambda guess: jnp.mean(jnp.sum(jnp.square(guess - aims), axis=-1), axis=1) / variance
    return share(predicted), share(now)
