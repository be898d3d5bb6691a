"""Checks of `08_symmetries_of_dynamics`: two ways round, commuting σ, a diagonal shift, a score."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from toolkit.exercises.verdict import NotYet, ask, check, compare, numbers


@check
def check_apart(answer: Callable[..., Any]) -> str:
    """`apart(step, shift, states)`: |shift(step(s)) − step(shift(s))| of each state, (states,)."""
    rng = np.random.default_rng(0)
    states, law, mirror = rng.normal(size=(7, 3)), rng.normal(size=(3, 3)), rng.normal(size=(3, 3))

    def step(s: np.ndarray) -> np.ndarray:
        return np.tanh(s @ law)

    def shift(s: np.ndarray) -> np.ndarray:
        return s @ mirror

    difference = shift(step(states)) - step(shift(states))
    right = np.linalg.norm(difference, axis=1)
    mistakes = [
        ("these are squares: take the root.", np.square(difference).sum(axis=1)),
        ("this is one number for all states. Give one for each: `axis=1`.",
         np.linalg.norm(difference)),
        ("this is one number for all states. Give one for each.", right.mean()),
        ("the sum runs over the states. Sum over coordinates: `axis=1`.",
         np.linalg.norm(difference, axis=0)),
        ("these are the differences. Return their lengths, one for each state.", difference),
        ("this is how far the step moves a shifted state. Compare the two orders with each other.",
         np.linalg.norm(step(shift(states)) - shift(states), axis=1)),
        ("this compares a shifted arrival with one that was never shifted. Shift both: one before "
         "the step, one after it.", np.linalg.norm(step(shift(states)) - step(states), axis=1)),
        ("the absolute value of the sum is not the length of the difference.",
         np.abs(difference.sum(axis=1))),
        ("use the Euclidean length: the root of the sum of squares.",
         np.abs(difference).sum(axis=1)),
        ("a mean over coordinates: take the length, without dividing.",
         np.sqrt(np.square(difference).mean(axis=1))),
    ]  # fmt: skip
    compare(ask(answer, step, shift, states), right, mistakes, what="the distance")
    same = ask(answer, step, lambda s: s, states)
    compare(same, np.zeros(7), what="the distance for the shift that does nothing")
    return "for the shift that does nothing it is 0, whatever the law."


@check
def check_commuting(answer: Callable[..., Any]) -> str:
    """`commuting(operator, weights)`: σ = Re(U·diag(w)·U⁻¹) with K = U·Λ·U⁻¹, (n, n)."""
    rng = np.random.default_rng(3)
    size = 5
    operator, weights = rng.normal(size=(size, size)), rng.normal(size=size)
    values, vectors = np.linalg.eig(operator)
    inverse = np.linalg.inv(vectors)
    right = (vectors * weights @ inverse).real
    mistakes = [
        ("the inverse is missing behind: U·diag(w)·U⁻¹.", (vectors * weights).real),
        ("Uᵀ is not U⁻¹: that holds for symmetric K only. Use `np.linalg.inv`.",
         (vectors * weights @ vectors.T).real),
        ("Uᴴ is not U⁻¹: that holds for normal K only. Use `np.linalg.inv`.",
         (vectors * weights @ vectors.conj().T).real),
        ("the other way round: U·diag(w)·U⁻¹, where U has the eigenvectors in its columns.",
         (inverse * weights @ vectors).real),
        ("`U @ w` multiplies a matrix by a vector. `U * w` scales the columns.",
         (vectors @ weights).real),
        ("this is diag(w), which commutes with diagonal matrices only. Scale the columns of U, "
         "`U * w`, not its rows.", np.diag(weights)),
        ("so σ = K. Put the weights in the place of the eigenvalues.", operator),
        ("the weights multiply the eigenvalues here. Put them in their place.",
         (vectors * (values * weights) @ inverse).real),
        ("`np.linalg.eigh` is for symmetric matrices, and this one is not. Use `np.linalg.eig`.",
         (np.linalg.eigh(operator)[1] * weights) @ np.linalg.eigh(operator)[1].T),
    ]  # fmt: skip
    got = ask(answer, operator, weights)
    if np.iscomplexobj(got) and np.shape(got) == (size, size) and np.allclose(np.real(got), right):
        raise NotYet("the latent states are real: return the real part.")
    compare(got, right, mistakes, what="σ", tolerance=1e-5)
    sigma = numbers(got, "σ")
    gap = np.linalg.norm(operator @ sigma - sigma @ operator)
    return f"‖Kσ − σK‖ = {gap:.0e}, for weights that were drawn at random."


@check
def check_shift_pair(answer: Callable[..., Any]) -> str:
    """`shift_pair(z, after, control, sigma)`: (z + σz, z′ + σ(z′ − c)), (rows, modes) each."""
    rng = np.random.default_rng(4)

    def draw(*shape: int) -> np.ndarray:
        return rng.normal(size=shape) + 1j * rng.normal(size=shape)

    z, control, sigma = draw(6, 4), draw(6, 4), 0.3 * draw(6, 4)
    multipliers = 0.9 * np.exp(1j * rng.uniform(0, 1, 4))
    after = multipliers * z + control
    right = z + sigma * z, after + sigma * (after - control)
    got = ask(answer, z, after, control, sigma)
    if not (isinstance(got, tuple) and len(got) == 2):
        raise NotYet("return two things, the shifted z and the shifted z′.")
    moved, moved_after = (numbers(part, name) for part, name in zip(got, ("z̃", "z̃′"), strict=True))
    first = [
        ("σ·z is by how much z moves. Add it to z.", sigma * z),
        ("σ is a factor of z here, not a distance: add σ·z.", z + sigma),
        ("this drops the imaginary part of σ, which turns the phase of a mode.",
         z + sigma.real * z),
        ("this drops the imaginary part: modes are complex.", right[0].real),
        ("conjugated: multiply by σ itself.", z + np.conj(sigma) * z),
    ]  # fmt: skip
    second = [
        ("c is forgotten. The action adds the same c to a shifted state as to any other: shift "
         "only what is left without it, z′ − c.", after + sigma * after),
        ("moved by as much as z. One step later λ̄ has turned and shrunk what was added.",
         after + sigma * z),
        ("the sign of c is wrong: z′ − c is what came from z.", after + sigma * (after + control)),
        ("so c is lost: add to z′, not to z′ − c.", (1 + sigma) * (after - control)),
        ("z̃′ is z′ itself: the next state of a shifted one is another one.", after),
        ("σ·(z′ − c) is by how much z′ moves. Add it to z′.", sigma * (after - control)),
    ]  # fmt: skip
    compare(moved, right[0], first, what="z̃")
    compare(moved_after, right[1], second, what="z̃′")
    led = multipliers * moved + control
    return f"one step from z̃ leads to z̃′, to {np.abs(led - moved_after).max():.0e}."


@check
def check_share_nearer(answer: Callable[..., Any]) -> str:
    """`share_nearer(obs, next_obs, moved, moved_next, truth)`: of how many rows the error is less.

    Less than that of s′ moved along, s′ + (s̃ − s).
    """
    rng = np.random.default_rng(5)
    obs, change, shift = rng.normal(size=(3, 400, 5)) * [[[1.0]], [[0.3]], [[0.2]]]
    next_obs, moved = obs + change, obs + shift
    truth = next_obs + 0.8 * shift + 0.05 * rng.normal(size=shift.shape)
    moved_next = next_obs + 0.9 * shift + 0.06 * rng.normal(size=shift.shape)

    def length(difference: np.ndarray) -> np.ndarray:
        return np.linalg.norm(difference, axis=1)

    error, along = length(moved_next - truth), length(next_obs + shift - truth)
    right = np.mean(error < along)
    mistakes = [
        ("this is the share that is *farther* from the truth than moving along.", 1 - right),
        ("these are yes and no for each row. Return their share: the mean.", error < along),
        ("this is how many. Return the share of all rows.", np.sum(error < along)),
        ("compare with s′ *moved along*, s′ + (s̃ − s). This compares with s′ as recorded.",
         np.mean(error < length(next_obs - truth))),
        ("this compares coordinate by coordinate. Take each row's length first.",
         np.mean(np.abs(moved_next - truth) < np.abs(next_obs + shift - truth))),
        ("moved along means s′ + (s̃ − s); this has the opposite sign.",
         np.mean(error < length(next_obs - shift - truth))),
        ("s + (s̃ − s) is s̃: that is the shifted state, not where it leads.",
         np.mean(error < length(moved - truth))),
        ("this is the ratio of the mean errors. Count the rows.", error.mean() / along.mean()),
        ("this compares with s̃′ as if it were true. The truth is what the simulator says.",
         np.mean(length(moved_next - next_obs) < along)),
    ]  # fmt: skip
    got = ask(answer, obs, next_obs, moved, moved_next, truth)
    compare(got, right, mistakes, what="the share")
    return f"nearer for {right:.0%} of these rows."
