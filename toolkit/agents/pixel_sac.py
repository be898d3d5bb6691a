"""SAC from pixels (arXiv:1910.01741, arXiv:2004.13649), and what may be learned beside it."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import optax
from jax import lax
from jaxtyping import Array, Float, UInt8

from toolkit.agents.interface import AbstractOnlineAgent
from toolkit.agents.networks import GaussianActor, TwinCritic, polyak
from toolkit.agents.pixel_losses import Features, soft_target
from toolkit.agents.pixel_replay import PixelReplay, PixelWindows
from toolkit.agents.pixels import (
    ConvEncoder,
    PixelModel,
    PixelPolicy,
    PixelState,
    random_shift,
    stacked,
)
from toolkit.agents.sac import actor_loss, temperature_loss
from toolkit.agents.td3 import critic_loss
from toolkit.data.samplers import Transitions
from toolkit.envs.interface import EnvSpec
from toolkit.errors import UserError
from toolkit.nn import fresh_copy
from toolkit.training.learner import Metrics
from toolkit.training.optimise import gradient_step, start
from toolkit.types import Key, Scalar


class AbstractPixelAgent(AbstractOnlineAgent):
    """Soft actor-critic on the features of a convolutional encoder, which the critics train.

    The actor's loss does not reach the encoder (arXiv:1910.01741 §4.2). Targets see the encoder's
    own features without a gradient (arXiv:2306.11941 App. C.2), unless `encoder_rate` gives them a
    slow copy. Deviations from arXiv:1910.01741: actor and targets move at every update, the
    targets by half as much; actor and critics have the whole encoder in common.
    """

    image_size: int = 84
    """Height and width of a frame, in pixels (arXiv:1910.01741)."""
    stack: int = 3
    """Frames that an observation consists of."""
    filters: int = 32
    """Filters of each convolution."""
    features: int = 50
    """Numbers that the encoder makes of an observation."""
    hidden: int = 1024
    """Width of the actor's and the critics' hidden layers."""
    layers: int = 2
    """Hidden layers of each of them."""
    augment: bool = True
    """Whether observations are shifted at random."""
    shift: int = 4
    """Pixels that they are shifted by at most (arXiv:2004.13649)."""
    batch_size: int = 128
    """Windows per update."""
    learning_rate: float = 1e-3
    """Rate of Adam, for the model and for the actor."""
    temperature_rate: float = 1e-4
    """Rate of Adam for the temperature, its β₁ 0.5 (arXiv:1910.01741)."""
    discount: float = 0.99
    """γ per decision."""
    target_rate: float = 0.005
    """Share of the critics that goes into their target at each update."""
    encoder_rate: float = 1.0
    """The same of the targets' encoder; 1 gives them the encoder itself, without a gradient
    (arXiv:2306.11941 App. C.2; arXiv:1910.01741 has the pace of 0.025)."""
    initial_temperature: float = 0.1
    """α before the first update."""
    entropy_per_action: float = -1.0
    """Target entropy H̄ per action coordinate, in nats."""
    num_envs: int = 1
    """Copies of the environment that act side by side."""
    updates_per_step: float = 1.0
    """Updates per decision, all copies counted."""
    random_steps: int = 1_000
    """Decisions with uniform actions, before the first update."""
    replay_capacity: int = 100_000
    """Frames kept, the oldest overwritten first."""
    num_env_steps: int = 125_000
    """Length of the run, in decisions."""

    @abstractmethod
    def window(self) -> int:
        """Steps of a window."""

    @abstractmethod
    def moves_targets(self) -> bool:
        """Whether the loss beside the critics' has a gradient through its targets too."""

    @abstractmethod
    def head(self, spec: EnvSpec, *, key: Key) -> Any:
        """What the loss beside the critics' has for itself, before the first update."""

    @abstractmethod
    def beside(
        self,
        head: Any,
        features: Float[Array, "batch features"],
        targets: Features,
        batch: PixelWindows,
    ) -> tuple[Scalar, Metrics]:
        """The loss beside the critics', weighted, and its metrics.

        `features` are those of the windows' starts, `targets` those of the steps after them.
        """

    def init(self, spec: EnvSpec, *, key: Key) -> PixelState:
        if self.window() > spec.max_episode_steps:
            raise UserError(
                f"`horizon` must not exceed the {spec.max_episode_steps} steps of an episode of "
                f"{spec.env_id}, got {self.window()}."
            )
        self.check_targets()
        keys = jr.split(key, 4)
        encoder = ConvEncoder(
            self.image_size, 3 * self.stack, self.filters, self.features, key=keys[0]
        )
        sizes = (self.features, spec.action_dim, self.hidden, self.layers)
        critic, actor = TwinCritic(*sizes, key=keys[1]), GaussianActor(*sizes, key=keys[2])
        model = PixelModel(encoder, critic, self.head(spec, key=keys[3]))
        log_temperature = jnp.log(jnp.asarray(self.initial_temperature, jnp.float32))
        opt_states = (
            start(self.optimiser(), model), start(self.optimiser(), actor),
            start(self.temperature_optimiser(), log_temperature),
        )  # fmt: skip
        slow = None if self.encoder_rate == 1.0 else fresh_copy(encoder)
        return PixelState(
            model, fresh_copy(critic), slow, actor, log_temperature, opt_states,
            jnp.zeros((), jnp.int32),
        )  # fmt: skip

    def check_targets(self) -> None:
        """Refuse targets that cannot be meant.

        Raises:
            UserError: they follow the encoder faster than it moves, or lag behind it and are to
                have its gradient.
        """
        if self.encoder_rate > 1.0:
            raise UserError(f"`encoder_rate` must be at most 1, got {self.encoder_rate}.")
        if self.moves_targets() and self.encoder_rate != 1.0:
            raise UserError(
                "`encoder_rate` must be 1 where `stop_gradient` is off, for no gradient reaches "
                f"a slow copy; got {self.encoder_rate}."
            )

    def optimiser(self) -> optax.GradientTransformation:
        """Adam, of the model and of the actor."""
        return optax.adam(self.learning_rate)

    def temperature_optimiser(self) -> optax.GradientTransformation:
        """Adam of the temperature, which forgets sooner where it went."""
        return optax.adam(self.temperature_rate, b1=0.5)

    def empty_replay(self, spec: EnvSpec, batch: int) -> PixelReplay:
        if self.replay_capacity // self.num_envs <= self.window():
            raise UserError(
                f"`replay_capacity` must hold more than the {self.window()} steps of a window of "
                f"each of {self.num_envs} copies, got {self.replay_capacity}."
            )
        return PixelReplay(self.replay_capacity, self.num_envs, spec.action_dim, stack=self.stack)

    def sees(self) -> int | None:
        return self.image_size

    def remedy_for_memory(self) -> str:
        return f"reduce `batch_size` {self.batch_size} or `image_size` {self.image_size}"

    def policy(self, state: PixelState, *, explore: bool) -> PixelPolicy:
        return PixelPolicy(state.model.encoder, state.actor, self.image_size, self.stack, explore)

    def sample(self, replay: PixelReplay, *, key: Key) -> PixelWindows:
        return replay.sample(self.batch_size, self.window(), key=key)

    def views(
        self, batch: PixelWindows, *, key: Key
    ) -> UInt8[Array, "states batch height width channels"]:
        """The observations of the windows, each shifted by itself."""
        images = stacked(batch.frames, self.stack)
        if not self.augment:
            return images
        flat = images.reshape(-1, *images.shape[2:])
        return random_shift(flat, self.shift, key=key).reshape(images.shape)

    def update(
        self, state: PixelState, batch: PixelWindows, *, key: Key
    ) -> tuple[PixelState, Metrics]:
        shift_key, target_key, actor_key = jr.split(key, 3)
        images = self.views(batch, key=shift_key)
        temperature = jnp.exp(state.log_temperature)
        opt_model, opt_actor, opt_temperature = state.opt_states
        encoder = state.model.encoder
        targets = lax.map(encoder if state.slow is None else state.slow, images[1:])
        seen = targets[0] if state.slow is None else encoder(images[1])
        y = soft_target(
            state.actor, state.target, batch.reward, batch.terminal, seen, targets[0],
            temperature, self.discount, key=target_key,
        )  # fmt: skip

        def loss(model: PixelModel) -> tuple[Scalar, tuple[Array, Scalar, Metrics]]:
            now = model.encoder(images[0])
            transitions = Transitions(now, batch.action[0], batch.reward, now, batch.terminal)
            value = critic_loss(model.critic, transitions, y)
            aims = lax.map(model.encoder, images[1:]) if self.moves_targets() else targets
            more, metrics = self.beside(model.head, now, aims, batch)
            return value + more, (now, value, metrics)

        (_, (now, critic_value, metrics)), grads = eqx.filter_value_and_grad(loss, has_aux=True)(
            state.model
        )
        model, opt_model = gradient_step(self.optimiser(), state.model, grads, opt_model)

        (actor_value, log_prob), grads = eqx.filter_value_and_grad(actor_loss, has_aux=True)(
            state.actor, model.critic, now, temperature, key=actor_key
        )
        actor, opt_actor = gradient_step(self.optimiser(), state.actor, grads, opt_actor)

        target_entropy = self.entropy_per_action * batch.action.shape[-1]
        slope = jax.grad(temperature_loss)(state.log_temperature, log_prob, target_entropy)
        log_temperature, opt_temperature = gradient_step(
            self.temperature_optimiser(), state.log_temperature, slope, opt_temperature
        )
        slow = state.slow
        if slow is not None:
            slow = polyak(slow, model.encoder, self.encoder_rate)
        metrics = metrics | {
            "loss/critic": critic_value, "loss/actor": actor_value, "value": jnp.mean(y),
            "temperature": temperature, "entropy": -jnp.mean(log_prob),
        }  # fmt: skip
        after = PixelState(
            model, polyak(state.target, model.critic, self.target_rate), slow, actor,
            log_temperature, (opt_model, opt_actor, opt_temperature), state.update_count + 1,
        )  # fmt: skip
        return after, metrics


class SACPixels(AbstractPixelAgent):
    """Soft actor-critic from pixels, and nothing beside it: the baseline without dynamics.

    Source: arXiv:1910.01741 (encoder, sizes and rates) without its decoder; random shifts of
            arXiv:2004.13649 (K = M = 1), as all arms have them.
    """

    def window(self) -> int:
        return 1

    def moves_targets(self) -> bool:
        return False

    def head(self, spec: EnvSpec, *, key: Key) -> None:
        return None

    def beside(
        self,
        head: None,
        features: Float[Array, "batch features"],
        targets: Features,
        batch: PixelWindows,
    ) -> tuple[Scalar, Metrics]:
        return jnp.zeros(()), {}
