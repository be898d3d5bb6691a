"""Measured ratios, each against a reference that was timed in the same run."""

from toolkit.bench.timing import (
    Row as Row,
    host as host,
    interleaved as interleaved,
    report as report,
)
