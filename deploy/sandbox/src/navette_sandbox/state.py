"""What a running sandbox tells the other commands: a JSON file, believed only while its lock is held."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

from navette_sandbox.processes import SandboxError


@dataclass
class SandboxState:
    """A running sandbox as the other commands see it."""

    name: str
    pid: int
    broker: str
    ports: dict[str, int]
    urls: dict[str, str]
    processes: dict[str, int | None] = field(default_factory=dict)
    """Process ids by name; None for one that does not run."""
    logs: dict[str, str] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Replace the file at once, so that no reader sees half of it."""
        partial = path.with_suffix(f".{os.getpid()}")
        partial.write_text(json.dumps(asdict(self), indent=1), "utf-8")
        partial.replace(path)


def take_lock(path: Path, name: str) -> IO[str]:
    """Lock the sandbox for this process; keep the returned file open.

    Raises:
        SandboxError: another process holds the lock, or the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = path.open("a+")
    except OSError as error:
        raise SandboxError(f"The folder {path.parent} cannot be written ({error.strerror}).") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        handle.close()
        raise SandboxError(f"The sandbox {name} runs already; `navette-sandbox down` stops it.") from error
    return handle


def is_running(lock: Path) -> bool:
    """Whether a process holds the lock."""
    if not lock.exists():
        return False
    with lock.open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def read_state(directory: Path) -> SandboxState:
    """State of the running sandbox of this directory.

    Raises:
        SandboxError: it does not run.
    """
    if not is_running(directory / "lock") or not (directory / "state.json").exists():
        raise SandboxError(f"The sandbox {directory.name} does not run; `navette-sandbox up` starts it.")
    return SandboxState(**json.loads((directory / "state.json").read_text("utf-8")))
