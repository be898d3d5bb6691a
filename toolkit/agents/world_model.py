"""The networks of TD-MPC, and the dynamics that its latent may follow."""

from __future__ import annotations

from abc import abstractmethod
from typing import TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jax import lax
from jaxtyping import Array, Float

from toolkit.nn import MLP, Linear
from toolkit.spectral.koopman import to_complex, to_real
from toolkit.spectral.propagation import propagate
from toolkit.spectral.spectrum import RealPart, Spectrum
from toolkit.types import Action, Key, Obs, Scalar

Net = TypeVar("Net", bound=eqx.Module)
Latent = Float[Array, " latent"]


class AbstractLatentDynamics(eqx.Module):
    """How a latent state goes on under actions."""

    @abstractmethod
    def step(self, latent: Latent, action: Action) -> Latent:
        """The latent state after one action."""

    @abstractmethod
    def rollout(
        self, latent: Float[Array, "batch latent"], actions: Float[Array, "time batch action"]
    ) -> Float[Array, "time batch latent"]:
        """The latent states after each of the known actions."""


class TOLDDynamics(AbstractLatentDynamics):
    """z' = MLP(z, a), step after step: the dynamics of TD-MPC (arXiv:2203.04955 Eq. 5)."""

    net: MLP

    def __init__(self, latent: int, action_dim: int, hidden: int, *, key: Key):
        self.net = elu_net((latent + action_dim, hidden, hidden, latent), key=key)

    def step(self, latent: Latent, action: Action) -> Latent:
        return self.net(jnp.concatenate([latent, action]))

    def rollout(
        self, latent: Float[Array, "batch latent"], actions: Float[Array, "time batch action"]
    ) -> Float[Array, "time batch latent"]:
        def step(z: Array, action: Array) -> tuple[Array, Array]:
            z = jax.vmap(self.step)(z, action)
            return z, z

        return lax.scan(step, latent, actions)[1]


class KoopmanLatentDynamics(AbstractLatentDynamics):
    """z' = λ̄·z + b·f_φ(a) over complex modes: known actions take one propagation, no loop.

    The gain b of zero-order hold is divided by its mean size, as in `KoopmanDynamics`; f_φ starts
    small, so that sums of many controls do not drown the state. An action does the same in every
    state.

    Shapes: latent `(2·modes,)`, real parts first.
    Source: arXiv:2306.11941 Eq. 2, 6 and §4.2.1.
    """

    spectrum: Spectrum
    action_encoder: MLP

    def __init__(
        self,
        modes: int,
        action_dim: int,
        hidden: int,
        *,
        real_part: RealPart = "constant",
        frequency_scale: float = 1.0,
        key: Key,
    ):
        spectrum_key, encoder_key = jr.split(key)
        self.spectrum = Spectrum(
            modes, real_part=real_part, frequency_scale=frequency_scale, key=spectrum_key
        )
        sizes = (action_dim, hidden, 2 * modes)
        self.action_encoder = small_output(elu_net(sizes, key=encoder_key))

    def step(self, latent: Latent, action: Action) -> Latent:
        moved = self.spectrum.multipliers * to_complex(latent)
        return to_real(moved + self.spectrum.unit_gain * to_complex(self.action_encoder(action)))

    def rollout(
        self, latent: Float[Array, "batch latent"], actions: Float[Array, "time batch action"]
    ) -> Float[Array, "time batch latent"]:
        controls = to_complex(jax.vmap(jax.vmap(self.action_encoder))(actions))
        controls = self.spectrum.unit_gain[None, None] * controls
        return to_real(propagate(self.spectrum.multipliers, to_complex(latent), controls))


class LiftedLatentDynamics(AbstractLatentDynamics):
    """z_k = z_0 + d(x_k) − d(x_0): a lift x_0 = p(z_0), Koopman modes x, and a decoder d.

    The latent itself need not be linear. What an action does to it depends on the state through d,
    although it adds to the modes alike everywhere, and known actions still take one propagation.
    d starts small, so that at first nothing changes.

    Source: the structure of arXiv:2306.11941 App. C.2, which has it for features of pictures; that
    d tells the change is ours.
    """

    lift: MLP
    modes: KoopmanLatentDynamics
    decoder: MLP

    def __init__(self, latent: int, modes: KoopmanLatentDynamics, hidden: int, *, key: Key):
        lift_key, decoder_key = jr.split(key)
        size = 2 * modes.spectrum.modes
        self.lift = elu_net((latent, hidden, size), key=lift_key)
        self.modes = modes
        self.decoder = small_output(elu_net((size, hidden, hidden, latent), key=decoder_key))

    def step(self, latent: Latent, action: Action) -> Latent:
        lifted = self.lift(latent)
        return latent + self.decoder(self.modes.step(lifted, action)) - self.decoder(lifted)

    def rollout(
        self, latent: Float[Array, "batch latent"], actions: Float[Array, "time batch action"]
    ) -> Float[Array, "time batch latent"]:
        lifted = jax.vmap(self.lift)(latent)
        read = jax.vmap(jax.vmap(self.decoder))(self.modes.rollout(lifted, actions))
        return read + (latent - jax.vmap(self.decoder)(lifted))[None]


class ValueHead(eqx.Module):
    """Q(z, a): linear, LayerNorm, tanh, linear, ELU, linear; the last starts at 0."""

    first: Linear
    norm: eqx.nn.LayerNorm
    rest: MLP

    def __init__(self, in_size: int, hidden: int, *, key: Key):
        keys = jr.split(key, 3)
        self.first = orthogonal(Linear(in_size, hidden, key=keys[0]), key=keys[1])
        self.norm = eqx.nn.LayerNorm(hidden)
        self.rest = zero_output(elu_net((hidden, hidden, 1), key=keys[2]))

    def __call__(self, x: Float[Array, " in"]) -> Scalar:
        return self.rest(jnp.tanh(self.norm(self.first(x))))[0]


class WorldModel(eqx.Module):
    """Encoder h, latent dynamics d, reward R and two values Q: all but the policy.

    Everything takes one sample; batches come from `vmap`.
    """

    encoder: MLP
    dynamics: AbstractLatentDynamics
    reward_head: MLP
    values: tuple[ValueHead, ValueHead]

    def __init__(
        self,
        obs_dim: int,
        action_dim: int,
        latent: int,
        dynamics: AbstractLatentDynamics,
        *,
        hidden: int,
        encoder_hidden: int,
        key: Key,
    ):
        """`latent` counts real coordinates."""
        keys = jr.split(key, 4)
        self.encoder = elu_net((obs_dim, encoder_hidden, latent), key=keys[0])
        self.dynamics = dynamics
        size = latent + action_dim
        self.reward_head = zero_output(elu_net((size, hidden, hidden, 1), key=keys[1]))
        self.values = (
            ValueHead(size, hidden, key=keys[2]), ValueHead(size, hidden, key=keys[3]),
        )  # fmt: skip

    def encode(self, obs: Obs) -> Latent:
        """h(s)."""
        return self.encoder(obs)

    def reward(self, latent: Latent, action: Action) -> Scalar:
        """R(z, a)."""
        return self.reward_head(jnp.concatenate([latent, action]))[0]

    def both_values(self, latent: Latent, action: Action) -> Float[Array, " two"]:
        """Q₁(z, a) and Q₂(z, a)."""
        x = jnp.concatenate([latent, action])
        return jnp.stack([value(x) for value in self.values])


class LatentPolicy(eqx.Module):
    """π(z): an MLP with tanh behind it."""

    net: MLP

    def __init__(self, latent: int, action_dim: int, hidden: int, *, key: Key):
        self.net = elu_net((latent, hidden, hidden, action_dim), key=key)

    def __call__(self, latent: Latent) -> Action:
        return jnp.tanh(self.net(latent))


def with_noise(
    action: Float[Array, "*shape"], std: float, *, key: Key, most: float = 0.3
) -> Float[Array, "*shape"]:
    """The actions with clipped normal noise, in [−1, 1]; gradients ignore the bounds."""
    noise = jnp.clip(std * jr.normal(key, action.shape), -most, most)
    noisy = action + noise
    return noisy + lax.stop_gradient(jnp.clip(noisy, -1.0, 1.0) - noisy)


def elu_net(sizes: tuple[int, ...], *, key: Key) -> MLP:
    """Linear layers with ELU between them, orthogonal, without bias at the start."""
    net_key, start_key = jr.split(key)
    return orthogonal(MLP(sizes, activation=jax.nn.elu, key=net_key), key=start_key)


def orthogonal(net: Net, *, key: Key) -> Net:
    """The network with orthogonal weights and zero biases."""
    is_linear = lambda node: isinstance(node, Linear)
    nodes, structure = jax.tree.flatten(net, is_leaf=is_linear)
    keys, initialise = jr.split(key, len(nodes)), jax.nn.initializers.orthogonal()

    def restart(linear: Linear, key: Key) -> Linear:
        values = initialise(key, linear.weight.shape), jnp.zeros_like(linear.bias)
        return eqx.tree_at(lambda m: (m.weight, m.bias), linear, values)

    started = [
        restart(node, k) if is_linear(node) else node for node, k in zip(nodes, keys, strict=True)
    ]
    return jax.tree.unflatten(structure, started)


def small_output(net: MLP) -> MLP:
    """The network with a tenth of the weights of its last layer."""
    return eqx.tree_at(lambda m: m.layers[-1].weight, net, replace_fn=lambda w: 0.1 * w)


def zero_output(net: MLP) -> MLP:
    """The network with a last layer of zeros."""
    return eqx.tree_at(lambda m: m.layers[-1].weight, net, replace_fn=jnp.zeros_like)
