"""The process around a service: ``python -m navette_x serve|api|worker``.

SIGTERM and SIGINT: not ready at once, requests and messages in flight finish, then everything closes.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import structlog
import uvicorn
from pydantic import ValidationError

from navette_chassis import telemetry
from navette_chassis.service import Mode, Service
from navette_chassis.settings import ServiceSettings, describe_problems
from navette_chassis.tls import ServerTls, TlsFiles, watch_expiry

S = TypeVar("S", bound=ServiceSettings)

log = structlog.get_logger("navette.runner")

#: Exit statuses: asked to stop, failed while running, refused to start (sysexits: 78 is EX_CONFIG).
STOPPED, FAILED, REFUSED = 0, 1, 78

_TLS_LOOK_SECONDS = 5.0


def run(create_service: Callable[[S], Service], settings_class: type[S], argv: Sequence[str] | None = None) -> int:
    """Read the settings, build the service and run it until SIGTERM or SIGINT; returns the exit status.

    A setting that is missing or unsafe is named on standard error, without its value.
    """
    arguments = list(sys.argv[1:] if argv is None else argv) or [Mode.SERVE.value]
    try:
        mode = Mode(arguments[0])
    except ValueError:
        sys.stderr.write("usage: serve | api | worker\n")
        return REFUSED
    try:
        settings = settings_class()
    except ValidationError as error:
        sys.stderr.write("".join(f"{problem}\n" for problem in describe_problems(error)))
        return REFUSED
    telemetry.configure(settings)
    service = create_service(settings)
    try:
        return asyncio.run(serve(service, mode))
    finally:
        telemetry.shutdown()


class _Server(uvicorn.Server):
    """Uvicorn without its signal handlers: a stop has an order of its own here."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(service: Service, mode: Mode) -> int:
    """Run the service and its HTTP server until a signal comes or one of them fails; the exit status."""
    service.mode = mode
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server, tls = _server(service)
    asked = asyncio.create_task(stop.wait())
    # The server answers probes while the service still waits for its database.
    serving = asyncio.create_task(server.serve())
    starting = asyncio.create_task(service.start(mode))
    watching = asyncio.create_task(_watch(tls)) if tls is not None else None
    failed = await _until_stop(asked, serving, starting)
    service.drain()
    server.should_exit = True
    starting.cancel()
    await asyncio.wait({serving, starting})
    await service.stop()
    for task in (asked, watching):
        if task is not None:
            task.cancel()
    return FAILED if failed else STOPPED


async def _until_stop(asked: asyncio.Task[bool], serving: asyncio.Task[None], starting: asyncio.Task[None]) -> bool:
    """Wait for the signal; True when server or service ended before it."""
    waiting: set[asyncio.Task[bool] | asyncio.Task[None]] = {asked, serving, starting}
    while True:
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if asked in done:
            return False
        for task in done:
            error = task.exception()
            if error is not None:
                log.error("process_failed", error=type(error).__name__)
        if serving in done or starting.exception() is not None:
            return True
        waiting.discard(starting)


def _server(service: Service) -> tuple[_Server, ServerTls | None]:
    settings = service.settings
    config = uvicorn.Config(
        service.asgi,
        host=settings.http_host,
        port=settings.http_port,
        ssl_certfile=settings.http_cert,
        ssl_keyfile=settings.http_key,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=int(settings.graceful_stop_seconds),
    )
    if settings.http_cert is None:
        return _Server(config), None
    files = TlsFiles("http", cert=settings.http_cert, key=settings.http_key)
    tls = ServerTls(files)
    config.load()
    config.ssl = tls.context
    watch_expiry(files, service.clock.now)
    return _Server(config), tls


async def _watch(tls: ServerTls) -> None:
    """Take renewed certificates into use without a restart."""
    while True:
        await asyncio.sleep(_TLS_LOOK_SECONDS)
        tls.refresh()
