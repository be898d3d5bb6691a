"""Measured ratios, each against a reference that was timed in the same run."""

from toolkit.bench.timing import Row, host, interleaved, report, rows

__all__ = ["Row", "host", "interleaved", "report", "rows"]
