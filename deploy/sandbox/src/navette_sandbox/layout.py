"""Where one sandbox keeps things and on which ports its processes listen."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from navette_sandbox.keys import Keys
from navette_sandbox.pki import Pki
from navette_sandbox.ports import free_ports, is_listening
from navette_sandbox.processes import SandboxError

SERVICES = ("psc-auth", "ins", "report", "dmp", "mss")
"""The five services, in the order in which they are listed."""
SIMULATORS = ("psc", "insi", "annuaire", "dmp", "mss", "pfi")
"""The simulated national services, and the platform of a hospital."""

PORT_NAMES = (
    "broker",
    "database",
    *SERVICES,
    "ins.mllp",
    "report.intake",
    *(f"sim-{name}" for name in SIMULATORS if name != "mss"),
    "sim-mss.smtp",
    "sim-mss.imap",
    "report.receipts",
    *(f"sim-{name}.control" for name in SIMULATORS),
)
"""Everything that listens; `--port NAME=NUMBER` fixes one of them."""


@dataclass(frozen=True)
class Layout:
    """The directory and the ports of one sandbox."""

    name: str
    directory: Path
    ports: Mapping[str, int] = field(default_factory=dict)

    @property
    def logs(self) -> Path:
        """One log file per process."""
        return self.directory / "logs"

    @property
    def config(self) -> Path:
        """Files the services read: sites, accounts."""
        return self.directory / "config"

    @property
    def pki(self) -> Pki:
        """Certificates."""
        return Pki(self.directory / "pki")

    @property
    def keys(self) -> Keys:
        """Secrets."""
        return Keys(self.directory / "secrets")

    @property
    def state_file(self) -> Path:
        """What `status`, `down` and `faults` read."""
        return self.directory / "state.json"

    @property
    def lock_file(self) -> Path:
        """Locked while the sandbox runs."""
        return self.directory / "lock"

    def received(self, simulator: str) -> Path:
        """Directory where a simulator writes what it received."""
        return self.directory / "received" / simulator

    def url(self, service: str) -> str:
        """Base URL of a service, as browsers and services call it."""
        return f"https://localhost:{self.ports[service]}"

    def control_url(self, simulator: str) -> str:
        """Base URL of the control port of a simulator."""
        return f"http://127.0.0.1:{self.ports[f'sim-{simulator}.control']}"


def make_layout(name: str, root: Path, fixed: Mapping[str, int] | None = None) -> Layout:
    """Choose the ports of the sandbox `name` under `root`: those given, and free ones for the rest.

    Raises:
        SandboxError: a name that is no directory name, a port of nothing, given twice or in use.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,30}", name):
        raise SandboxError("The name of a sandbox is made of a–z, 0–9, - and _.")
    ports = dict(fixed or {})
    unknown = sorted(set(ports) - set(PORT_NAMES))
    if unknown:
        raise SandboxError(f"Nothing listens as {unknown[0]}; ports exist for: {', '.join(PORT_NAMES)}.")
    _refuse_taken(ports)
    missing = [port for port in PORT_NAMES if port not in ports]
    ports.update(zip(missing, free_ports(len(missing)), strict=True))
    return Layout(name, (root / name).resolve(), ports)


def _refuse_taken(fixed: Mapping[str, int]) -> None:
    """A process that cannot listen would only say so at the end of its log, a minute later."""
    owners: dict[int, str] = {}
    for name, port in fixed.items():
        if port in owners:
            raise SandboxError(f"Port {port} is given to {name} and to {owners[port]}.")
        owners[port] = name
        if is_listening(port):
            raise SandboxError(f"Port {port}, asked for {name}, is in use.")
