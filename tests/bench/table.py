"""What a measurement is, and how it is printed."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One line of the table; `floor` is what the machine itself needs for the bare minimum of the same work."""

    what: str
    target: str
    measured: str
    floor: str
    ratio: str


def percentile(values: Sequence[float], part: float) -> float:
    """The value below which `part` (0 to 1) of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def milliseconds(seconds: float) -> str:
    """ "12.3 ms"."""
    return f"{seconds * 1000:.1f} ms"


def spread(values: Sequence[float]) -> str:
    """p50 and p99 of seconds."""
    return f"{milliseconds(statistics.median(values))} / {milliseconds(percentile(values, 0.99))}"


def markdown(rows: Sequence[Row]) -> str:
    """The table."""
    lines = ["| what | target | measured | floor in the same run | ratio |", "|---|---|---|---|---|"]
    lines += [f"| {row.what} | {row.target} | {row.measured} | {row.floor} | {row.ratio} |" for row in rows]
    return "\n".join(lines)
