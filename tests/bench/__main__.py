"""`make bench`: prints the table; `--write` also puts it into docs/benchmarks.md."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import platform
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import structlog
from navette_sandbox.layout import make_layout
from navette_sandbox.supervisor import Sandbox

from tests.bench import deliveries, documents, intake, journey
from tests.bench.table import Row, markdown

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"


def measure() -> tuple[list[Row], str]:
    """Every row, and the broker they were measured on."""
    with tempfile.TemporaryDirectory(prefix="navette-bench-") as directory:
        layout = make_layout("bench", Path(directory))
        with Sandbox(layout, fresh=True, say=lambda line: print(line, flush=True)) as sandbox:
            rows = asyncio.run(journey.measure(sandbox))
            rows.extend(documents.composition())
            rows.append(asyncio.run(documents.iti41(layout.pki)))
            rows.extend(asyncio.run(intake.intake(sandbox)))
            rows.append(asyncio.run(deliveries.drain(sandbox.broker, sandbox.database.uri)))
            return rows, sandbox.broker.kind


def main() -> int:
    """Measure, print, and write if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    rows, broker = measure()
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}, broker {broker}"
    text = (
        "# Benchmarks\n\n"
        "Written by `make bench` (`--write`). Absolute times belong to one machine; the ratio to the floor, measured\n"
        "in the same run, is what to compare. Simulators answer at once.\n\n"
        f"{datetime.now(UTC):%Y-%m-%d}: {machine}, SecantusDB as the database.\n\n{markdown(rows)}\n"
    )
    print(text)
    if options.write:
        PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
