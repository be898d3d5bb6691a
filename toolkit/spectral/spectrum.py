"""The diagonal complex spectrum: initialise, bound, discretise."""

from __future__ import annotations

from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jax import lax
from jaxtyping import Array, Complex, Float, Int

from toolkit.errors import UserError
from toolkit.types import Key

RealPart = Literal["constant", "bounded", "free", "spread"]
ImagPart = Literal["increasing", "random", "hippo"]
StepSize = Literal["model", "mode", "fixed"]

#: Real part of the paper's constant spectrum and the bounds of its learnable one (App. G).
DEFAULT_DECAY = -0.2
DECAY_BOUNDS = (-0.3, -0.1)
#: Lifetimes of a spread spectrum at the start, in environment steps, shortest and longest.
LIFETIMES = (1.5, 300.0)


class Spectrum(eqx.Module):
    """Eigenvalues λ_j = μ_j + i·ω_j of a diagonal Koopman generator, and its step size Δt.

    The operator is diag(exp(Δt·λ)) (Eq. 1), the exact solution of dx/dt = diag(λ)·x + u over a step
    (Eq. 5), in which u is held (`input_gain`).

    Everything stored is real; complex numbers are built on use, so any optimiser works.

    - real part μ: `constant` (not trained), `bounded` (trained inside `DECAY_BOUNDS`), `free`, or
      `spread` (trained below 0; lifetimes −1/(Δt·μ) start log-uniform over `LIFETIMES`);
    - imaginary part ω: `increasing` (α·j·π, j = 1…m), `random` (uniform on (0, α·m·π)) or
      `hippo` (the inverse law of S4D, arXiv:2206.11893, scaled to the same largest
      frequency); trained unless `train_imag` is false;
    - step size Δt = exp(log_step): one for the `model`, one per `mode`, or `fixed`.

    Shapes: `modes` eigenvalues.
    Units:  λ in 1/model time, Δt in model time per environment step; `frequencies` and
            `lifetimes` convert to Hz and seconds.
    Source: arXiv:2306.11941 §3.2.2 and App. G. The paper leaves the first Δt open; 1/modes is the
            largest that keeps Δt·ω ≤ π for the increasing spectrum, i.e. free of aliasing.

    Raises:
        UserError: `modes`, the first step, the decay or a scheme is out of what is allowed.
    """

    raw_real: Float[Array, " modes"]
    imag: Float[Array, " modes"]
    log_step: Float[Array, " steps"]
    real_part: RealPart = eqx.field(static=True)
    step_size: StepSize = eqx.field(static=True)
    train_imag: bool = eqx.field(static=True)

    def __init__(
        self,
        modes: int,
        *,
        real_part: RealPart = "constant",
        imag_part: ImagPart = "increasing",
        step_size: StepSize = "model",
        decay: float = DEFAULT_DECAY,
        frequency_scale: float = 1.0,
        step_init: float | None = None,
        train_imag: bool = True,
        key: Key,
    ):
        if modes < 1:
            raise UserError(f"`modes` must be at least 1, got {modes}.")
        step = 1.0 / modes if step_init is None else step_init
        if not step > 0:
            raise UserError(f"`step_init` must be positive, got {step}.")
        if real_part == "spread":
            if decay != DEFAULT_DECAY:
                raise UserError(
                    "`decay` is where one common real part starts, and `real_part` 'spread' draws "
                    f"one for each mode: leave it out, or choose another `real_part`; got {decay}."
                )
            lifetimes = np.log(LIFETIMES)
            drawn = jr.uniform(
                jr.fold_in(key, 1), (modes,), minval=lifetimes[0], maxval=lifetimes[1]
            )
            self.raw_real = -drawn - float(np.log(step))  # the logarithm of −μ
        else:
            self.raw_real = jnp.full(modes, _raw_real(decay, real_part), jnp.float32)
        self.imag = frequency_scale * initial_frequencies(imag_part, modes, key=key)
        self.log_step = jnp.full(modes if step_size == "mode" else 1, np.log(step), jnp.float32)
        self.real_part, self.step_size, self.train_imag = real_part, step_size, train_imag

    @property
    def modes(self) -> int:
        """Number of eigenvalues, m."""
        return self.imag.size

    @property
    def step(self) -> Float[Array, " modes"]:
        """Δt of every mode, positive, in model time."""
        log_step = lax.stop_gradient(self.log_step) if self.step_size == "fixed" else self.log_step
        return jnp.broadcast_to(jnp.exp(log_step), (self.modes,))

    @property
    def eigenvalues(self) -> Complex[Array, " modes"]:
        """Continuous-time eigenvalues λ = μ + iω, in 1/model time."""
        imag = self.imag if self.train_imag else lax.stop_gradient(self.imag)
        return lax.complex(self._real(), imag)

    @property
    def multipliers(self) -> Complex[Array, " modes"]:
        """Discrete eigenvalues λ̄ = exp(Δt·λ) of one environment step (zero-order hold)."""
        return jnp.exp(self._exponent())

    @property
    def input_gain(self) -> Complex[Array, " modes"]:
        """Zero-order-hold gain (exp(Δtλ) − 1)/λ = Δt·φ₁(Δtλ), exact at λ = 0. §3.1."""
        step = self.step
        return lax.complex(step, jnp.zeros_like(step)) * phi1(self._exponent())

    @property
    def unit_gain(self) -> Complex[Array, " modes"]:
        """`input_gain` over its mean size, so that a small Δt does not make a model deaf."""
        gain = self.input_gain
        size = jnp.mean(jnp.abs(gain))
        return lax.complex(gain.real / size, gain.imag / size)

    def powers(self, steps: Int[Array, " steps"]) -> Complex[Array, "steps modes"]:
        """λ̄^k for each k, as exp(k·Δt·λ)."""
        exponent, k = self._exponent(), steps.astype(jnp.float32)[:, None]
        return jnp.exp(lax.complex(k * exponent.real[None], k * exponent.imag[None]))

    def vandermonde(self, horizon: int) -> Complex[Array, "modes horizon"]:
        """Λ[j, k−1] = λ̄_j^k for k = 1…horizon (Eq. 8)."""
        return self.powers(jnp.arange(1, horizon + 1)).T

    def impulse_response(self, horizon: int) -> Complex[Array, "modes horizon"]:
        """Answer of each mode, k = 1…horizon steps after a unit control held for one step.

        The kernel of Eq. 9 times the zero-order-hold gain: Δt·φ₁(Δtλ)·λ̄^(k−1).
        """
        powers = jnp.concatenate(
            [jnp.ones((self.modes, 1), jnp.complex64), self.vandermonde(horizon)[:, :-1]], axis=1
        )
        return self.input_gain[:, None] * powers

    def frequencies(self, dt: float) -> Float[Array, " modes"]:
        """Apparent frequency of each mode in Hz, when one environment step lasts `dt` seconds.

        A rotation by more than half a turn per step cannot be told from a slower one: the answer
        lies within ±1/(2·dt), the aliased frequency.
        """
        angle = jnp.angle(self.multipliers)
        return angle / (2 * np.pi * dt)

    def lifetimes(self, dt: float) -> Float[Array, " modes"]:
        """Seconds until a mode has shrunk to 1/e; infinite for μ = 0, negative where it grows."""
        decay = -self._exponent().real
        return jnp.where(decay == 0, jnp.inf, dt / decay)

    def _exponent(self) -> Complex[Array, " modes"]:
        eigenvalues, step = self.eigenvalues, self.step
        return lax.complex(eigenvalues.real * step, eigenvalues.imag * step)

    def _real(self) -> Float[Array, " modes"]:
        if self.real_part == "bounded":
            low, high = DECAY_BOUNDS
            return low + (high - low) * jax.nn.sigmoid(self.raw_real)
        if self.real_part == "spread":
            return -jnp.exp(self.raw_real)
        return lax.stop_gradient(self.raw_real) if self.real_part == "constant" else self.raw_real


def phi1(z: Complex[Array, "*shape"]) -> Complex[Array, "*shape"]:
    """φ₁(z) = (e^z − 1)/z, by its series near zero, where the quotient loses every digit.

    The two branches meet at |z| = 0.3 with float32 round-off on either side; φ₁(0) = 1.
    """
    near = jnp.abs(z) < 0.3
    safe = jnp.where(near, jnp.ones_like(z), z)
    series = jnp.ones_like(z)
    for n in range(9, 1, -1):  # Horner's scheme of Σ z^k/(k+1)!
        series = 1 + z * series / n
    return jnp.where(near, series, (jnp.exp(safe) - 1) / safe)


def initial_frequencies(scheme: ImagPart, modes: int, *, key: Key) -> Float[Array, " modes"]:
    """ω before training, in radians per model time. Source: arXiv:2306.11941 App. G.

    Raises:
        UserError: the scheme is unknown.
    """
    order = jnp.arange(1, modes + 1, dtype=jnp.float32)
    if scheme == "increasing":
        return np.pi * order
    if scheme == "random":
        return jr.uniform(key, (modes,), maxval=np.pi * modes)
    if scheme == "hippo":
        inverse = modes / (2 * (order - 1) + 1) - 1
        return np.pi * modes * inverse / max(modes - 1, 1)
    raise UserError(f"`imag_part` must be 'increasing', 'random' or 'hippo', got {scheme!r}.")


def _raw_real(decay: float, real_part: RealPart) -> float:
    """The stored number whose real part is `decay`."""
    if real_part not in ("constant", "bounded", "free"):
        raise UserError(
            f"`real_part` must be 'constant', 'bounded', 'free' or 'spread', got {real_part!r}."
        )
    if real_part != "bounded":
        return decay
    low, high = DECAY_BOUNDS
    if not low < decay < high:
        raise UserError(f"`decay` of a bounded spectrum must lie in ({low}, {high}), got {decay}.")
    share = (decay - low) / (high - low)
    return float(np.log(share / (1 - share)))
