"""How the supervisor asks a process whether it is ready."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable
from http.client import HTTPConnection as PlainConnection
from http.client import HTTPException, HTTPSConnection

from navette_sandbox.layout import Layout
from navette_sandbox.pki import PROBE

_TIMEOUT = 2.0


def _status(connection: PlainConnection, path: str) -> tuple[int, bytes]:
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, HTTPException):
        return 0, b""
    finally:
        connection.close()


def simulator_ready(layout: Layout, name: str) -> Callable[[], bool]:
    """A probe of the control port of a simulator."""
    port = layout.ports[f"sim-{name}.control"]
    return lambda: _status(PlainConnection("127.0.0.1", port, timeout=_TIMEOUT), "/healthz")[0] == 200


def service_answer(layout: Layout, name: str) -> tuple[int, bytes]:
    """Status and body of `/readyz` of a service; (0, b"") when nothing answers."""
    context = ssl.create_default_context(cafile=str(layout.pki.internal_ca))
    context.load_cert_chain(*layout.pki.pair(PROBE))
    connection = HTTPSConnection("localhost", layout.ports[name], timeout=_TIMEOUT, context=context)
    return _status(connection, "/readyz")


def service_ready(layout: Layout, name: str) -> Callable[[], bool]:
    """A probe of a service."""
    return lambda: service_answer(layout, name)[0] == 200


def why_not_ready(layout: Layout, name: str) -> str:
    """The failing checks that a service names, or that it does not answer."""
    status, body = service_answer(layout, name)
    if status == 0:
        return "does not answer"
    try:
        checks = json.loads(body).get("checks", {})
    except (ValueError, AttributeError):
        checks = {}
    failing = [f"{check}: {state}" for check, state in sorted(checks.items()) if state != "ok"]
    return ", ".join(failing) or f"answers {status}"
