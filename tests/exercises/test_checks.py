"""What every check shares: verdicts, single precision, and what an answer raises."""

from __future__ import annotations

import jax.numpy as jnp

from toolkit.exercises import Verdict
from toolkit.exercises.eigenvalues import check_phi1
from toolkit.exercises.long_horizon_prediction import check_first_divergence


def test_single_precision_is_judged_as_such():
    near = lambda z: jnp.where(abs(z) < 0.1, 1 + z / 2 + z**2 / 6 + z**3 / 24, (jnp.exp(z) - 1) / z)
    assert check_phi1(lambda z: near(jnp.asarray(z, jnp.complex64)))


def test_what_an_answer_raises_becomes_a_sentence():
    assert "ZeroDivisionError" in check_first_divergence(lambda *a: 1 / 0).message


def test_a_verdict_reads_well():
    verdict = Verdict(False, "use `np.angle`, not <imag>")
    assert repr(verdict) == "Not yet: use `np.angle`, not <imag>"
    assert "<code>np.angle</code>, not &lt;imag&gt;" in verdict._repr_html_()
    assert Verdict(True, "fine")
