"""The services behind the gateway, over HTTP, streamed both ways."""

import asyncio
from collections.abc import AsyncIterator, Callable
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
    ) -> UpstreamAnswer:
        """Send a request. Raises UpstreamDown or UpstreamSilent before the first byte of an answer."""
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
            self._event_stream(response) if is_stream else self._body(response),
        )

    async def _body(self, response: httpx.Response) -> AsyncIterator[bytes]:
        try:
            async for chunk in response.aiter_raw():
                yield chunk
        finally:
            await response.aclose()

    async def _event_stream(self, response: httpx.Response) -> AsyncIterator[bytes]:
        """Pass events as they come; end after the longest time a stream may outlive a logout."""
        # The time limit is only around the wait for the next event: while an event is being sent on, the
        # task belongs to the server, which would see the limit as a cancellation of its own.
        deadline = asyncio.get_running_loop().time() + self._settings.stream_max_seconds
        chunks = response.aiter_raw()
        try:
            while True:
                try:
                    async with asyncio.timeout_at(deadline):
                        chunk = await anext(chunks)
                except (StopAsyncIteration, TimeoutError, httpx.ReadTimeout):
                    return
                yield chunk
        finally:
            await response.aclose()
