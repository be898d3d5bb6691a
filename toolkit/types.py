"""Shared shape aliases. Arrays are float32; one sample unless a name says batch."""

from jaxtyping import Array, Float, PRNGKeyArray

Obs = Float[Array, " obs"]
Action = Float[Array, " action"]
Scalar = Float[Array, ""]
Key = PRNGKeyArray
