"""Wrong answers to the exercises of `08_symmetries_of_dynamics`, and what each is told."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from toolkit.exercises.symmetries_of_dynamics import (
    check_apart,
    check_commuting,
    check_share_nearer,
    check_shift_pair,
)


def length(x):
    return np.linalg.norm(x, axis=1)


def commuting(back: Callable = np.linalg.inv, part: Callable = np.real) -> Callable:
    def answer(operator, weights):
        vectors = np.linalg.eig(operator)[1]
        return part(vectors * weights @ back(vectors))

    return answer


def nearer(s, s2, moved, moved2, truth):
    return np.mean(length(moved2 - truth) < length(s2 + moved - s - truth))


WRONG: list[tuple[Callable, Callable, str]] = [
    (check_apart, lambda f, g, s: length(g(f(s)) - f(g(s))) ** 2, "take the root"),
    (check_apart, lambda f, g, s: np.linalg.norm(g(f(s)) - f(g(s))), "one number for all"),
    (check_apart, lambda f, g, s: length(g(f(s)) - f(g(s))).mean(), "one number for all"),
    (check_apart, lambda f, g, s: np.linalg.norm(g(f(s)) - f(g(s)), axis=0), "over the states"),
    (check_apart, lambda f, g, s: g(f(s)) - f(g(s)), "Return their lengths"),
    (check_apart, lambda f, g, s: length(f(g(s)) - f(s)), "never shifted"),
    (check_apart, lambda f, g, s: length(f(g(s)) - g(s)), "the two orders"),
    (check_apart, lambda f, g, s: np.abs(g(f(s)) - f(g(s))).sum(1), "Euclidean"),
    (check_commuting, commuting(np.transpose), "Uᵀ is not U⁻¹"),
    (check_commuting, commuting(lambda u: u.conj().T), "Uᴴ is not U⁻¹"),
    (check_commuting, commuting(lambda u: np.eye(len(u))), "the inverse is missing"),
    (check_commuting, commuting(part=lambda sigma: sigma), "return the real part"),
    (check_commuting, lambda k, w: k, "so σ = K"),
    (check_commuting, lambda k, w: np.diag(w), "diagonal matrices only"),
    (check_shift_pair, lambda z, z2, c, w: (z + w * z, z2 + w * z2), "c is forgotten"),
    (check_shift_pair, lambda z, z2, c, w: (z + w * z, z2 + w * z), "as much as z"),
    (check_shift_pair, lambda z, z2, c, w: (z + w * z, z2 + w * (z2 + c)), "sign of c"),
    (check_shift_pair, lambda z, z2, c, w: (z + w * z, (1 + w) * (z2 - c)), "so c is lost"),
    (check_shift_pair, lambda z, z2, c, w: (z + w * z, z2), "another one"),
    (check_shift_pair, lambda z, z2, c, w: (w * z, w * (z2 - c)), "Add it to z."),
    (check_shift_pair, lambda z, z2, c, w: (z + w, z2 + w), "a factor of z"),
    (check_shift_pair, lambda z, z2, c, w: (z + w.real * z, z2), "turns the phase"),
    (check_shift_pair, lambda z, z2, c, w: z + w * z, "return two things"),
    (check_share_nearer, lambda *a: 1 - nearer(*a), "farther"),
    (check_share_nearer, lambda s, s2, m, m2, t: np.mean(length(m2 - t) < length(s2 - t)),
     "as recorded"),
    (check_share_nearer, lambda s, s2, m, m2, t: np.mean(abs(m2 - t) < abs(s2 + m - s - t)),
     "each row's length"),
    (check_share_nearer, lambda s, s2, m, m2, t: length(m2 - t) < length(s2 + m - s - t),
     "Return their share"),
    (check_share_nearer, lambda s, s2, m, m2, t: np.sum(length(m2 - t) < length(s2 + m - s - t)),
     "share of all rows"),
    (check_share_nearer, lambda s, s2, m, m2, t: np.mean(length(m2 - t) < length(s2 + s - m - t)),
     "opposite sign"),
]  # fmt: skip
