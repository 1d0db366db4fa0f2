"""Free TCP ports on the loopback interface.

They lie below the range from which the system takes the ports of outgoing connections. A port of that range may
become somebody's between the moment it is chosen and the moment a server binds it, or while a killed server is
away; a client that keeps asking for the missing server may even be connected to itself by it.
"""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

HOST = "127.0.0.1"
_LOWEST = 10_240
_SYSTEM_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_USUAL_RANGE = 32_768
_MOST_TRIES = 5_000


def free_ports(count: int) -> tuple[int, ...]:
    """Return `count` distinct ports nobody listens on.

    They stay this process's own for as long as it lives: no other process of this machine that asks here is
    given them. Raises `OSError` when there are not that many.
    """
    return tuple(_reserve() for _ in range(count))


def _reserve() -> int:
    below = _first_outgoing()
    for _ in range(_MOST_TRIES):
        port = random.randrange(_LOWEST, below)  # noqa: S311 - spreads processes, guards nothing
        if port not in _RESERVED and _lock(port):
            if _can_bind(port):
                _RESERVED.add(port)
                return port
            _unlock(port)
    raise OSError(f"no free port between {_LOWEST} and {below}")


_RESERVED: set[int] = set()


def _can_bind(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe, suppress(OSError):
        probe.bind((HOST, port))
        return True
    return False


def _first_outgoing() -> int:
    """Where the ports of outgoing connections begin; those below are for servers."""
    with suppress(OSError, ValueError):
        first = int(_SYSTEM_RANGE.read_text("ascii").split()[0])
        if first - _LOWEST > _MOST_TRIES:
            return first
    return _USUAL_RANGE


@cache
def _ledger() -> int:
    """A file whose byte n is locked by the process that has port n; the system unlocks what a process leaves."""
    path = Path(tempfile.gettempdir()) / f"navette-sandbox-ports-{os.getuid()}"
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def _lock(port: int) -> bool:
    try:
        fcntl.lockf(_ledger(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    return True


def _unlock(port: int) -> None:
    fcntl.lockf(_ledger(), fcntl.LOCK_UN, 1, port)


def free_port() -> int:
    """Return one port nobody listens on."""
    return free_ports(1)[0]


def is_listening(port: int, host: str = HOST) -> bool:
    """Tell whether something accepts TCP connections on the port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((host, port)) == 0


def wait_until(condition: Callable[[], bool], *, seconds: float, every: float = 0.05) -> bool:
    """Poll `condition` until it holds or `seconds` have passed; return whether it held."""
    deadline = time.monotonic() + seconds
    while True:
        if condition():
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(every)
