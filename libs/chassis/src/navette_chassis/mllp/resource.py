"""A listener that lives and stops with its service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

from navette_chassis.mllp.server import Listener, MllpHandler, MllpServer
from navette_chassis.service import Mode, Service
from navette_chassis.tls import ServerTls, TlsFiles, watch_expiry

#: A worker has no edge; the others take what comes in.
LISTENING_MODES = frozenset({Mode.SERVE, Mode.API})


@asynccontextmanager
async def mllp_listener(
    service: Service,
    listener: Listener,
    handler: MllpHandler,
    *,
    tls: TlsFiles | None = None,
    modes: Collection[Mode] = LISTENING_MODES,
) -> AsyncIterator[MllpServer | None]:
    """Listen while the service runs in one of `modes`; None in the others.

    With ``tls.ca`` a peer must show a certificate of that authority. As soon as the service drains, no new message
    is taken and those that have arrived are answered. Use it in ``service.resource(lambda: mllp_listener(…))``.
    """
    if service.mode not in modes:
        yield None
        return
    server_tls = None if tls is None else ServerTls(tls)
    if tls is not None:
        watch_expiry(tls, service.clock.now)
    server = MllpServer(
        listener,
        handler,
        tls=None if server_tls is None else server_tls.context,
        before_accept=(lambda: None) if server_tls is None else server_tls.refresh,
    )
    await server.start()
    drained = asyncio.create_task(_stop_when_drained(service, server))
    try:
        yield server
    finally:
        drained.cancel()
        await asyncio.wait({drained})
        await server.stop()


async def _stop_when_drained(service: Service, server: MllpServer) -> None:
    await service.running.intake_stop.wait()
    await asyncio.shield(asyncio.ensure_future(server.stop()))
