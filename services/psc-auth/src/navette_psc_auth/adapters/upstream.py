"""The services behind the gateway, over HTTP, streamed both ways."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
from navette_chassis.telemetry.http_client import TracedTransport
from navette_chassis.tls import ReloadingTransport, TlsFiles

from navette_psc_auth.settings import PscAuthSettings

EVENT_STREAM = "text/event-stream"


class UpstreamDown(Exception):  # noqa: N818 - a fact about the service, not about us
    """The service did not take the request; nothing was processed."""


class UpstreamSilent(Exception):  # noqa: N818
    """The service took the request and did not answer in time."""


@dataclass(frozen=True)
class UpstreamAnswer:
    """Status and headers of an answer, and its body as it comes."""

    status: int
    headers: list[tuple[str, str]]
    body: AsyncIterator[bytes]


class Upstreams:
    """One pool of connections per service."""

    def __init__(self, settings: PscAuthSettings, make: Callable[[], httpx.AsyncBaseTransport]) -> None:
        self._settings = settings
        self._clients = {
            service: httpx.AsyncClient(
                base_url=url.rstrip("/"),
                transport=TracedTransport(make(), service),
                timeout=httpx.Timeout(settings.upstream_timeout_seconds, connect=3.0),
                # People who watch a stream each hold a connection for a minute.
                limits=httpx.Limits(max_connections=1000, max_keepalive_connections=50),
                follow_redirects=False,
                trust_env=False,
            )
            for service, url in settings.upstreams.items()
        }

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: PscAuthSettings) -> AsyncIterator["Upstreams"]:
        """The pools, closed at the end."""
        files = TlsFiles("internal", ca=settings.internal_ca)
        upstreams = cls(settings, lambda: ReloadingTransport(files))
        try:
            yield upstreams
        finally:
            for client in upstreams._clients.values():
                await client.aclose()

    async def send(
        self,
        service: str,
        method: str,
        target: str,
        headers: list[tuple[str, str]],
        body: AsyncIterator[bytes] | None,
        *,
        live: Callable[[], Awaitable[bool]],
    ) -> UpstreamAnswer:
        """Send a request. A stream of events ends when `live` says that its session ended.

        Raises UpstreamDown or UpstreamSilent before the first byte of an answer.
        """
        client = self._clients[service]
        request = client.build_request(method, target, headers=headers, content=body)
        try:
            async with asyncio.timeout(self._settings.upstream_timeout_seconds):
                response = await client.send(request, stream=True)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
            raise UpstreamDown from None
        except (TimeoutError, httpx.HTTPError):
            raise UpstreamSilent from None
        is_stream = response.headers.get("content-type", "").startswith(EVENT_STREAM)
        return UpstreamAnswer(
            response.status_code,
            list(response.headers.multi_items()),
            self._event_stream(response, live) if is_stream else self._body(response),
        )

    async def _body(self, response: httpx.Response) -> AsyncIterator[bytes]:
        try:
            async for chunk in response.aiter_raw():
                yield chunk
        finally:
            await response.aclose()

    async def _event_stream(
        self, response: httpx.Response, live: Callable[[], Awaitable[bool]]
    ) -> AsyncIterator[bytes]:
        """Pass events as they come; end with the session, or after the longest time a stream may last."""
        loop = asyncio.get_running_loop()
        asked = loop.time()
        deadline = asked + self._settings.stream_max_seconds
        chunks = response.aiter_raw()
        # The wait for the next event goes on over the questions; while an event is being sent on, nothing of ours
        # can interrupt the task, which belongs to the server.
        waiting: asyncio.Task[bytes | None] = asyncio.ensure_future(_next(chunks))
        try:
            while loop.time() < deadline:
                patience = min(self._settings.stream_check_seconds, deadline - loop.time())
                await asyncio.wait({waiting}, timeout=patience)
                if loop.time() - asked >= self._settings.stream_check_seconds:
                    asked = loop.time()
                    if not await live():
                        return
                if not waiting.done():
                    continue
                chunk = waiting.result()
                if chunk is None:
                    return
                waiting = asyncio.ensure_future(_next(chunks))
                yield chunk
        finally:
            waiting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await waiting
            await response.aclose()


async def _next(chunks: AsyncIterator[bytes]) -> bytes | None:
    """The next piece of a stream, None at its end or when the service went away: the browser comes back."""
    try:
        return await anext(chunks)
    except (StopAsyncIteration, httpx.HTTPError):
        return None
