"""One sandbox per broker for the whole layer: every service a process, every edge a real socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from navette_sandbox import group
from navette_sandbox.embedded import kafka
from navette_sandbox.embedded.broker import BrokerKind
from navette_sandbox.layout import make_layout
from navette_sandbox.scenarios.client import Radiologist, Secretary
from navette_sandbox.scenarios.stage import Played, Stage
from navette_sandbox.supervisor import Sandbox


@dataclass
class Ground:
    """A running sandbox and all that was played on it so far."""

    sandbox: Sandbox
    played: list[Played] = field(default_factory=list)
    patient_ids: dict[str, str] = field(default_factory=dict)


@pytest.fixture(
    scope="session",
    params=[
        pytest.param("tansu", marks=pytest.mark.platform),
        pytest.param("kafka", marks=[pytest.mark.platform, pytest.mark.kafka]),
    ],
)
def ground(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """The sandbox on each broker; skips with the reason where Apache Kafka cannot run."""
    kind: BrokerKind = request.param
    if kind == "kafka" and (reason := kafka.unavailable_reason()) is not None:
        pytest.skip(reason)
    root: Path = tmp_path_factory.mktemp(f"platform-{kind}")
    with Sandbox(make_layout(kind, root), broker=kind, ready_seconds=240) as sandbox:
        yield Ground(sandbox)


@pytest.fixture
async def stage(ground: Ground) -> AsyncIterator[Stage]:
    """A secretary and a radiologist logged in on the sandbox."""
    layout = ground.sandbox.layout
    async with (
        Secretary(layout, group.SECRETARY["rpps"]) as secretary,
        Radiologist(layout, group.RADIOLOGIST["rpps"]) as radiologist,
    ):
        yield Stage(
            ground.sandbox,
            secretary,
            radiologist,
            say=lambda _line: None,
            played=ground.played,
            patient_ids=ground.patient_ids,
        )
