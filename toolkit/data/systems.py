"""Controlled nonlinear systems that need no download: pendulum, Van der Pol, Duffing, cart-pole."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from toolkit.errors import UserError
from toolkit.types import Action, Obs, Scalar

State = Float[Array, " state"]


class AbstractSystem(eqx.Module):
    """A system ds/dt = f(s, a) under an action that is held constant for `dt` seconds.

    Actions are scaled: ±1 is the strongest that the actuator gives.
    """

    dt: eqx.AbstractVar[float]
    num_substeps: eqx.AbstractVar[int]

    @abstractmethod
    def vector_field(self, state: State, action: Action) -> State:
        """Time derivative of the state, in state units per second."""

    @abstractmethod
    def observe(self, state: State) -> Obs:
        """What a dataset stores of a state."""

    @abstractmethod
    def reward(self, state: State, action: Action) -> Scalar:
        """A smooth reward for taking `action` in `state`."""

    @abstractmethod
    def start_bound(self) -> tuple[float, ...]:
        """Episodes start uniformly between minus and plus this state."""


class Pendulum(AbstractSystem):
    """A damped pendulum with a torque at its pivot; angle 0 hangs down.

    θ̈ = −(g/l)·sin θ − (c·θ̇ − τ·a)/(m·l²).

    Units: state (rad, rad/s); gravity m/s², length m, mass kg, damping N·m·s/rad, torque N·m.
    """

    dt: float = 0.05
    num_substeps: int = 4
    gravity: float = 9.81
    length: float = 1.0
    mass: float = 1.0
    damping: float = 0.1
    torque: float = 5.0

    def vector_field(self, state: State, action: Action) -> State:
        """(θ̇, θ̈)."""
        angle, rate = state
        inertia = self.mass * self.length**2
        pull = -self.gravity / self.length * jnp.sin(angle)
        return jnp.stack([rate, pull + (self.torque * action[0] - self.damping * rate) / inertia])

    def observe(self, state: State) -> Obs:
        """(cos θ, sin θ, θ̇)."""
        return jnp.stack([jnp.cos(state[0]), jnp.sin(state[0]), state[1]])

    def reward(self, state: State, action: Action) -> Scalar:
        """−cos θ − 0.01·θ̇² − 0.01·a²: best at rest, upright."""
        return -jnp.cos(state[0]) - 0.01 * state[1] ** 2 - 0.01 * action[0] ** 2

    def start_bound(self) -> tuple[float, ...]:
        """Any angle; up to 4 rad/s either way."""
        return (math.pi, 4.0)

    def energy(self, state: State) -> Scalar:
        """Kinetic plus potential energy in joules, zero at rest and hanging."""
        kinetic = 0.5 * self.mass * (self.length * state[1]) ** 2
        return kinetic + self.mass * self.gravity * self.length * (1 - jnp.cos(state[0]))


class VanDerPol(AbstractSystem):
    """A self-excited oscillator, ẍ = μ·(1 − x²)·ẋ − x + b·a.

    Units: state (dimensionless, 1/s); `stiffness` μ in 1/s, `gain` b in 1/s².
    """

    dt: float = 0.05
    num_substeps: int = 4
    stiffness: float = 1.0
    gain: float = 1.0

    def vector_field(self, state: State, action: Action) -> State:
        """(ẋ, ẍ)."""
        x, rate = state
        return jnp.stack([rate, self.stiffness * (1 - x**2) * rate - x + self.gain * action[0]])

    def observe(self, state: State) -> Obs:
        """The state itself."""
        return state

    def reward(self, state: State, action: Action) -> Scalar:
        """exp(−(x² + ẋ²)/2) − 0.01·a²: best at rest at the unstable origin."""
        return jnp.exp(-0.5 * jnp.sum(state**2)) - 0.01 * action[0] ** 2

    def start_bound(self) -> tuple[float, ...]:
        """Both sides of the limit cycle."""
        return (3.0, 3.0)


class Duffing(AbstractSystem):
    """A particle in a double well, ẍ = −c·ẋ − α·x − β·x³ + b·a, with wells at ±√(−α/β).

    Units: state (m, m/s) at unit mass; c in 1/s, α in 1/s², β in 1/(m²·s²), b in m/s².
    """

    dt: float = 0.05
    num_substeps: int = 4
    damping: float = 0.1
    linear: float = -1.0
    cubic: float = 1.0
    gain: float = 0.5

    def vector_field(self, state: State, action: Action) -> State:
        """(ẋ, ẍ)."""
        x, rate = state
        pull = -self.damping * rate - self.linear * x - self.cubic * x**3
        return jnp.stack([rate, pull + self.gain * action[0]])

    def observe(self, state: State) -> Obs:
        """The state itself."""
        return state

    def reward(self, state: State, action: Action) -> Scalar:
        """exp(−((x − 1)² + ẋ²)/2) − 0.01·a²: best at rest in the right-hand well."""
        offset = (state[0] - 1) ** 2 + state[1] ** 2
        return jnp.exp(-0.5 * offset) - 0.01 * action[0] ** 2

    def start_bound(self) -> tuple[float, ...]:
        """Both wells and beyond."""
        return (2.0, 2.0)

    def energy(self, state: State) -> Scalar:
        """Kinetic plus potential energy in joules, at unit mass."""
        x, rate = state
        return 0.5 * rate**2 + 0.5 * self.linear * x**2 + 0.25 * self.cubic * x**4


class CartPole(AbstractSystem):
    """A pole hinged to a cart on a rail without ends; angle 0 is upright.

    A point mass m at distance l from the hinge, on a cart of mass M:
    (M + m)·ẍ + m·l·(θ̈·cos θ − θ̇²·sin θ) = F·a − c·ẋ and l·θ̈ + ẍ·cos θ = g·sin θ.

    Units: state (m, rad, m/s, rad/s); masses kg, length m, friction N·s/m, force N.
    """

    dt: float = 0.05
    num_substeps: int = 4
    gravity: float = 9.81
    cart_mass: float = 1.0
    pole_mass: float = 0.2
    length: float = 0.5
    friction: float = 0.5
    force: float = 10.0

    def vector_field(self, state: State, action: Action) -> State:
        """(ẋ, θ̇, ẍ, θ̈), both accelerations solved for."""
        _, angle, speed, rate = state
        sin, cos = jnp.sin(angle), jnp.cos(angle)
        push = self.force * action[0] - self.friction * speed
        swing = self.pole_mass * sin * (self.length * rate**2 - self.gravity * cos)
        acceleration = (push + swing) / (self.cart_mass + self.pole_mass * sin**2)
        tilt = (self.gravity * sin - acceleration * cos) / self.length
        return jnp.stack([speed, rate, acceleration, tilt])

    def observe(self, state: State) -> Obs:
        """(x, cos θ, sin θ, ẋ, θ̇)."""
        x, angle, speed, rate = state
        return jnp.stack([x, jnp.cos(angle), jnp.sin(angle), speed, rate])

    def reward(self, state: State, action: Action) -> Scalar:
        """cos θ − 0.05·x² − 0.01·θ̇² − 0.01·a²: best upright at the origin."""
        x, angle, _, rate = state
        return jnp.cos(angle) - 0.05 * x**2 - 0.01 * rate**2 - 0.01 * action[0] ** 2

    def start_bound(self) -> tuple[float, ...]:
        """Any angle."""
        return (1.0, math.pi, 1.0, 3.0)

    def energy(self, state: State) -> Scalar:
        """Kinetic plus potential energy in joules, zero at rest with the pole level."""
        _, angle, speed, rate = state
        pole_x = speed + self.length * rate * jnp.cos(angle)
        pole_y = -self.length * rate * jnp.sin(angle)
        kinetic = self.cart_mass * speed**2 + self.pole_mass * (pole_x**2 + pole_y**2)
        return 0.5 * kinetic + self.pole_mass * self.gravity * self.length * jnp.cos(angle)


SYSTEMS: dict[str, Callable[[], AbstractSystem]] = {
    "pendulum": Pendulum,
    "van-der-pol": VanDerPol,
    "duffing": Duffing,
    "cart-pole": CartPole,
}


def make_system(name: str) -> AbstractSystem:
    """The system of this name with its default constants.

    Raises:
        UserError: there is no such system.
    """
    if name not in SYSTEMS:
        raise UserError(f"`name` must be one of {', '.join(SYSTEMS)}, got {name!r}.")
    return SYSTEMS[name]()


def advance(system: AbstractSystem, state: State, action: Action) -> State:
    """The state `system.dt` seconds later, by `num_substeps` steps of classical Runge–Kutta."""
    h = system.dt / system.num_substeps
    slope = lambda s: system.vector_field(s, action)

    def substep(s: State, _: None) -> tuple[State, None]:
        k1 = slope(s)
        k2 = slope(s + h / 2 * k1)
        k3 = slope(s + h / 2 * k2)
        k4 = slope(s + h * k3)
        return s + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4), None

    return lax.scan(substep, state, length=system.num_substeps)[0]
