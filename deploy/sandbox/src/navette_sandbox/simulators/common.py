"""What the simulators share: TLS contexts, control port, fault scripts, refusal log, command line.

A simulator subclasses `Simulator`, serves its protocol on the main port and declares its state views;
the base answers the control port (plain HTTP on 127.0.0.1):

=========================  ==========================================================
``GET /healthz``           ``{"status": "ok"}``
``POST /faults``           one fault script or a list of them (`faults.Fault`)
``GET|DELETE /faults``     what is active / forget all
``GET /state/refusals``    every refusal with the rule broken
``GET /state/<view>[/…]``  what the simulator holds (`Simulator.views`)
``POST /state/<command>``  change what it knows (`Simulator.commands`)
``DELETE /state``          forget what was received
=========================  ==========================================================
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import ssl
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote

from navette_sandbox.simulators.faults import COMMON_KINDS, Fault, FaultBook, FaultScriptError
from navette_sandbox.simulators.http import (
    HttpServer,
    Listener,
    Request,
    Response,
    abort,
    peer_certificate,
)

__all__ = [
    "COMMON_KINDS",
    "Fault",
    "FaultBook",
    "FaultScriptError",
    "HttpServer",
    "Listener",
    "Refusals",
    "Request",
    "Response",
    "Simulator",
    "SimulatorConfig",
    "View",
    "abort",
    "arguments",
    "config_from",
    "json_response",
    "main",
    "peer_certificate",
    "server_context",
]

_WENT_AWAY = frozenset({"ConnectionResetError", "ConnectionAbortedError", "BrokenPipeError"})

View = Callable[[Sequence[str]], Any]
"""A state view: gets the path segments after its name; returns JSON data, a `Response`, or ``None`` (404)."""


@dataclass(frozen=True, slots=True)
class SimulatorConfig:
    """Where a simulator listens, finds its PKI folder, and keeps what it received."""

    pki: Path
    state: Path
    port: int = 0
    control_port: int = 0
    data: Path | None = None
    host: str = "127.0.0.1"
    control_host: str = "127.0.0.1"


def json_response(data: Any, status: int = 200, content_type: str = "application/json") -> Response:
    """``data`` as a JSON answer."""
    body = json.dumps(data, ensure_ascii=False, default=str).encode()
    return Response(status=status, body=body, content_type=content_type)


def server_context(pki: Path, name: str, *, client_certificate: str = "required") -> ssl.SSLContext:
    """TLS 1.2+ server context from ``<name>.pem``/``<name>.key``, clients verified against ``igc-ca.pem``.

    ``client_certificate`` is ``required``, ``optional`` or ``none``.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(pki / f"{name}.pem", pki / f"{name}.key")
    modes = {"required": ssl.CERT_REQUIRED, "optional": ssl.CERT_OPTIONAL, "none": ssl.CERT_NONE}
    context.verify_mode = modes[client_certificate]
    if client_certificate != "none":
        context.load_verify_locations(pki / "igc-ca.pem")
    return context


class Refusals:
    """Every refusal with the rule it applied, in memory and as JSON lines in the state folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / "refusals.jsonl"
        self.entries: list[dict[str, Any]] = []

    def record(self, operation: str, rule: str, detail: str = "", **more: Any) -> None:
        """Note that ``operation`` was refused because of ``rule`` (a stable dotted name)."""
        entry = {
            "at": datetime.now(UTC).isoformat(),
            "operation": operation,
            "rule": rule,
            "detail": detail,
            **more,
        }
        self.entries.append(entry)
        with self._file.open("a", encoding="utf-8") as out:
            out.write(json.dumps(entry, ensure_ascii=False) + "\n")

    @property
    def rules(self) -> list[str]:
        """The rules broken so far, in order."""
        return [entry["rule"] for entry in self.entries]


class Simulator(ABC):
    """Base of the five doubles: life cycle, control port, fault book, refusal log."""

    name = "simulator"
    kinds: Iterable[str] = COMMON_KINDS

    def __init__(self, config: SimulatorConfig) -> None:
        self.config = config
        self.faults = FaultBook(self.kinds)
        self.refusals = Refusals(config.state)
        self._control = HttpServer(self._control_request, port=config.control_port, host=config.control_host)

    # -- to be given by a simulator -----------------------------------------------------------------

    @abstractmethod
    async def start_main(self) -> None:
        """Open the main port(s)."""

    @abstractmethod
    async def stop_main(self) -> None:
        """Close the main port(s)."""

    @abstractmethod
    def ports(self) -> Mapping[str, int]:
        """The main port(s) by name, as printed on the ready line."""

    def views(self) -> Mapping[str, View]:
        """State views by name: ``{"documents": view}`` answers ``GET /state/documents/…``."""
        return {}

    def commands(self) -> Mapping[str, Callable[[Any], Any]]:
        """Changes by name: ``{"patients": apply}`` gets the JSON body of ``POST /state/patients``."""
        return {}

    def reset_state(self) -> None:  # noqa: B027 - a double that keeps nothing has nothing to forget
        """Forget what was received (``DELETE /state``)."""

    # -- life cycle ---------------------------------------------------------------------------------

    @property
    def control_port(self) -> int:
        """TCP port of the control server."""
        return self._control.port

    async def start(self) -> None:
        """Open main and control ports."""
        await self.start_main()
        await self._control.start()

    async def stop(self) -> None:
        """Close every port."""
        await self._control.stop()
        await self.stop_main()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    def note_handshake_error(self, reason: str) -> None:
        """A TLS handshake failed: no, wrong or expired client certificate, or an old protocol.

        A client that went away in the middle (it was killed, say) was not refused anything.
        """
        if reason not in _WENT_AWAY:
            self.refusals.record("tls", "tls.handshake", reason)

    async def http_faults(self, target: str) -> Response | None:
        """Apply the faults of an HTTP operation (not ``lost_answer``); an answer replaces the real one."""
        await self.faults.delay(target)
        await self.faults.stall(target)
        fault = self.faults.take(target, "http_error", "flaky")
        if fault is None:
            return None
        page = f"<html><head><title>{fault.status}</title></head><body>Erreur {fault.status}</body></html>"
        return Response(status=fault.status, body=page.encode(), content_type="text/html; charset=utf-8")

    # -- control port -------------------------------------------------------------------------------

    async def _control_request(self, request: Request) -> Response:
        if request.path == "/healthz":
            return json_response({"status": "ok", "simulator": self.name, "ports": dict(self.ports())})
        if request.path == "/faults":
            return self._fault_request(request)
        if request.path == "/state" and request.method == "DELETE":
            self.reset_state()
            self.refusals.entries.clear()
            return Response(status=204)
        if request.method == "POST":
            return self._command_request(request)
        segments = [unquote(part) for part in request.path.strip("/").split("/")]
        shown: Any = None
        if request.method == "GET" and segments[0] == "state" and len(segments) > 1:
            views: dict[str, View] = {"refusals": lambda _: self.refusals.entries, **self.views()}
            view = views.get(segments[1])
            shown = None if view is None else view(segments[2:])
        if shown is None:
            return json_response({"error": "unknown"}, status=404)
        return shown if isinstance(shown, Response) else json_response(shown)

    def _command_request(self, request: Request) -> Response:
        command = self.commands().get(request.path.removeprefix("/state/"))
        if command is None:
            return json_response({"error": "unknown"}, status=404)
        try:
            command(json.loads(request.body))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            return json_response({"error": str(error)}, status=400)
        return Response(status=204)

    def _fault_request(self, request: Request) -> Response:
        if request.method == "DELETE":
            self.faults.clear()
        elif request.method == "POST":
            try:
                scripts = json.loads(request.body)
                for script in scripts if isinstance(scripts, list) else [scripts]:
                    self.faults.add(script)
            except (FaultScriptError, ValueError) as error:
                return json_response({"error": str(error)}, status=400)
        elif request.method != "GET":
            return json_response({"error": "method"}, status=405)
        return json_response(self.faults.as_json())


def arguments(name: str, ports: Sequence[str] = ("port",)) -> argparse.ArgumentParser:
    """The common command line, with one ``--<port>`` option per main port."""
    parser = argparse.ArgumentParser(prog=f"python -m navette_sandbox.simulators.{name}")
    for port in ports:
        parser.add_argument(f"--{port}", type=int, default=0, help="0 = any free port")
    parser.add_argument("--control-port", type=int, default=0, help="plain HTTP, no protection")
    parser.add_argument("--host", default="127.0.0.1", help="address of the main port(s)")
    parser.add_argument("--control-host", default="127.0.0.1", help="address of the control port")
    parser.add_argument("--pki", type=Path, required=True, help="folder of PEM files")
    parser.add_argument("--state", type=Path, required=True, help="folder for what is received")
    parser.add_argument("--data", type=Path, default=None, help="JSON data instead of the default")
    return parser


async def _run(simulator: Simulator) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with simulator:
        ready = {"ready": simulator.name, **simulator.ports(), "control_port": simulator.control_port}
        print(json.dumps(ready), flush=True)
        await stop.wait()


def config_from(options: argparse.Namespace, port: str = "port") -> SimulatorConfig:
    """The parsed common options as a `SimulatorConfig`; ``port`` names the attribute of the main port."""
    return SimulatorConfig(
        pki=options.pki,
        state=options.state,
        port=getattr(options, port),
        control_port=options.control_port,
        data=options.data,
        host=options.host,
        control_host=options.control_host,
    )


def main(build: Callable[[], Simulator]) -> None:
    """Run a simulator until SIGINT or SIGTERM; prints one JSON line with the ports when ready."""
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(build()))
