"""The representations' networks and symbols in NumPy, in double precision."""

from __future__ import annotations

import numpy as np


def numpy_network(network, x):
    """The same network in double precision."""
    for at, layer in enumerate(network.layers):
        x = x @ np.asarray(layer.weight, float) + np.asarray(layer.bias, float)
        x = np.tanh(x) if at < len(network.layers) - 1 else x
    return x


class ByHand:
    """The papers' symbols in NumPy; derivatives by central differences."""

    def __init__(self, model):
        self.model = model

    def phi(self, s, a):
        z = numpy_network(self.model.encoder, np.concatenate([s, a]))
        return z[: len(s)], z[len(s) :]

    def f(self, z):
        return numpy_network(self.model.forward, np.concatenate(z))

    def g(self, z):
        return numpy_network(self.model.reverse, np.concatenate(z))

    def psi_s(self, z, delta):
        return numpy_network(self.model.state_decoder, np.append(z, delta))

    def psi_a(self, z):
        return numpy_network(self.model.action_decoder, z)

    @staticmethod
    def jacobian(function, x, step=1e-5):
        """Column by column."""
        return np.stack(
            [(function(x + e) - function(x - e)) / (2 * step) for e in step * np.eye(len(x))], 1
        )


def norm2(x):
    return float(np.sum(np.square(x)))
