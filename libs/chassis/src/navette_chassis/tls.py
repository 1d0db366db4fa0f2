"""TLS from mounted PEM files that are reloaded when they change, without a restart.

Server side: ``ServerTls.context`` is one live context; new handshakes use the new pair. Client side:
``ReloadingTransport`` opens new connections with a new context, so that a withdrawn authority counts too.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import httpx
import structlog
from cryptography import x509

from navette_chassis.telemetry.metrics import metrics

log = structlog.get_logger("navette.tls")

#: Least time between two looks at the files, seconds.
CHECK_INTERVAL = 1.0


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files of one side of a connection.

    ``ca``: authorities trusted for the peer (None: those of the system). ``cert``: own chain, leaf first,
    with ``key``. ``name`` is how metrics and logs call them.
    """

    name: str
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files in use."""
        return tuple(path for path in (self.ca, self.cert, self.key) if path is not None)

    def client_context(self) -> ssl.SSLContext:
        """A verifying client context, TLS 1.2 at least. Raises ``OSError`` (incl. ``ssl.SSLError``)."""
        context = ssl.create_default_context(cafile=None if self.ca is None else str(self.ca))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.cert is not None:
            context.load_cert_chain(self.cert, self.key)
        return context

    def server_context(self) -> ssl.SSLContext:
        """A server context; clients must show a certificate of ``ca`` when there is one."""
        if self.cert is None:
            message = f"TLS of {self.name}: a server needs a certificate"
            raise ValueError(message)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=None if self.ca is None else str(self.ca))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.ca is not None:
            context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(self.cert, self.key)
        return context

    def expires_at(self) -> datetime | None:
        """When the own certificate ends (aware UTC); None without one or while the file is unreadable."""
        if self.cert is None:
            return None
        try:
            return x509.load_pem_x509_certificate(self.cert.read_bytes()).not_valid_after_utc
        except (OSError, ValueError):
            return None


class FileWatch:
    """Notices that files changed: their identity, size or modification time (symlinks followed)."""

    def __init__(self, paths: Iterable[Path], *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._paths = tuple(paths)
        self._monotonic = monotonic
        self._seen = self._look()
        self._next_look = monotonic() + CHECK_INTERVAL
        self._refused = False

    def changed(self) -> bool:
        """Whether the files differ from when ``accept`` was last called; looks once a second at most."""
        if self._monotonic() < self._next_look:
            return False
        self._next_look = self._monotonic() + CHECK_INTERVAL
        return self._look() != self._seen

    def accept(self) -> None:
        """Take the present files as seen."""
        self._seen = self._look()
        self._refused = False

    def refuse(self) -> bool:
        """Say that the files cannot be used as they are, to be looked at again; True the first time: worth a line."""
        first, self._refused = not self._refused, True
        return first

    def _look(self) -> tuple[tuple[int, int, int] | None, ...]:
        return tuple(_identity(path) for path in self._paths)


def _identity(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def watch_expiry(files: TlsFiles, now: Callable[[], datetime]) -> None:
    """Publish the days left of a certificate as a gauge, read again at each collection."""

    def days() -> float | None:
        end = files.expires_at()
        return None if end is None else (end - now()).total_seconds() / 86_400

    metrics().observe("navette_certificate_days_to_expiry", days, certificate=files.name)


class ServerTls:
    """The context of a listening server; call ``refresh`` now and then (the chassis does)."""

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._watch = FileWatch(files.paths)
        self.context = files.server_context()

    def refresh(self) -> bool:
        """Load the files if they changed; True if they did. A half-written pair keeps the old one in use."""
        if not self._watch.changed() or self._files.cert is None:
            return False
        try:
            self._files.server_context()  # the pair must fit together before the live context takes it
            self.context.load_cert_chain(self._files.cert, self._files.key)
        except OSError:
            if self._watch.refuse():
                log.warning("tls.reload_failed", certificate=self._files.name)
            return False
        self._watch.accept()
        log.info("tls.reloaded", certificate=self._files.name)
        return True


class ReloadingTransport(httpx.AsyncBaseTransport):
    """An HTTP transport that starts afresh when its PEM files change.

    Requests in flight finish on the connections they have. While the new files are unusable the old
    transport goes on.
    """

    def __init__(
        self,
        files: TlsFiles,
        *,
        make: Callable[[ssl.SSLContext], httpx.AsyncBaseTransport] | None = None,
        limits: httpx.Limits | None = None,
    ) -> None:
        self._files = files
        self._make = make or (
            lambda context: httpx.AsyncHTTPTransport(
                verify=context, limits=limits or httpx.Limits(max_connections=100, max_keepalive_connections=20)
            )
        )
        self._watch = FileWatch(files.paths)
        self._current = _Shared(self._make(files.client_context()))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send through the transport of the present files."""
        if self._watch.changed():
            await self._renew()
        shared = self._current
        shared.users += 1
        try:
            response = await shared.transport.handle_async_request(request)
        except BaseException:
            await shared.leave()
            raise
        response.stream = _LeavingStream(response.stream, shared.leave)
        return response

    async def aclose(self) -> None:
        """Close the connections."""
        await self._current.transport.aclose()

    async def _renew(self) -> None:
        try:
            fresh = _Shared(self._make(self._files.client_context()))
        except OSError:
            if self._watch.refuse():
                log.warning("tls.reload_failed", certificate=self._files.name)
            return
        self._watch.accept()
        old, self._current = self._current, fresh
        log.info("tls.reloaded", certificate=self._files.name)
        await old.retire()


class _Shared:
    """A transport, closed when it is retired and its last response is read."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self.transport = transport
        self.users = 0
        self._retired = False

    async def leave(self) -> None:
        self.users -= 1
        await self._close_if_done()

    async def retire(self) -> None:
        self._retired = True
        await self._close_if_done()

    async def _close_if_done(self) -> None:
        if self._retired and self.users == 0:
            await self.transport.aclose()


class _LeavingStream(httpx.AsyncByteStream):
    def __init__(
        self, inner: httpx.SyncByteStream | httpx.AsyncByteStream, leave: Callable[[], Awaitable[None]]
    ) -> None:
        if not isinstance(inner, httpx.AsyncByteStream):
            message = "an asynchronous transport answers with an asynchronous stream"
            raise TypeError(message)
        self._inner = inner
        self._leave = leave
        self._closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._inner:
            yield chunk

    async def aclose(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            await self._inner.aclose()
        finally:
            await self._leave()
