"""An MLLP listener: one task per connection, messages of a connection one after another, each answered."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from navette_chassis.mllp.framing import Frame, FrameDecoder, Malformed, Refusal, frame
from navette_chassis.mllp.handshake import tell_failures
from navette_chassis.telemetry import redact
from navette_chassis.telemetry.metrics import metrics

log = structlog.get_logger("navette.mllp")

_READ = 64 * 1024


@dataclass(frozen=True, slots=True)
class Listener:
    """Where to listen and what a peer may do. Sizes in bytes, times in seconds."""

    name: str
    host: str = "127.0.0.1"
    port: int = 0
    max_message_bytes: int = 64 * 1024 * 1024
    max_unframed_bytes: int = 128 * 1024 * 1024
    """A peer that sends this much without one good frame is cut off."""
    max_connections: int = 64
    idle_seconds: float = 3600.0
    """Silence between two messages after which the connection is closed."""
    message_seconds: float = 60.0
    """From the first byte of a message to its last, and for the peer to take the answer."""
    handshake_seconds: float = 10.0
    stop_seconds: float = 10.0
    """How long a stop waits for the messages that have arrived."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end."""

    listener: str
    subject: str | None
    """Common name of the client certificate, None without one."""
    alternatives: tuple[str, ...] = ()
    """Its other names: `subjectAltName`, type DNS."""


class ListenerUnavailable(OSError):  # noqa: N818 - read as "raise ListenerUnavailable"
    """A listener cannot be opened; the message names it, its address and why."""

    def __init__(self, listener: Listener, error: OSError) -> None:
        self.why = errno.errorcode.get(error.errno or 0, type(error).__name__)
        super().__init__(f"listener {listener.name} cannot listen on {listener.host}:{listener.port}: {self.why}")


class MllpHandler(Protocol):
    """What is done with messages."""

    async def received(self, data: bytes, peer: Peer) -> bytes:
        """Make a message durable and return the answer. An exception closes the connection without an answer."""
        ...

    async def refused(self, piece: Malformed, peer: Peer) -> bytes | None:
        """Record a piece that is no message; the answer to send, or None to stay silent."""
        ...


class MllpServer:
    """Listens until it is stopped; a peer's mistakes cost that peer only."""

    def __init__(
        self,
        listener: Listener,
        handler: MllpHandler,
        *,
        tls: ssl.SSLContext | None = None,
        before_accept: Callable[[], object] = lambda: None,
    ) -> None:
        self.listener = listener
        self._handler = handler
        self._tls = tls
        self._before_accept = before_accept
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], asyncio.Event] = {}
        self._stopping = asyncio.Event()

    @property
    def port(self) -> int:
        """The port in use. RuntimeError while it does not listen."""
        if self._server is None or not self._server.sockets:
            message = "the listener is not open"
            raise RuntimeError(message)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def start(self) -> None:
        """Listen. Raises ListenerUnavailable when the port cannot be had."""
        if self._tls is not None:
            tell_failures(self._tls, self._note_handshake)
        try:
            self._server = await asyncio.start_server(
                self._accepted,
                self.listener.host,
                self.listener.port,
                limit=_READ,
                ssl=self._tls,
                ssl_handshake_timeout=None if self._tls is None else self.listener.handshake_seconds,
            )
        except OSError as error:
            unavailable = ListenerUnavailable(self.listener, error)
            log.error("mllp.not_listening", name=self.listener.name, port=self.listener.port, reason=unavailable.why)  # noqa: TRY400 - the reason is all there is
            raise unavailable from None
        log.info("mllp.listening", name=self.listener.name, port=self.port)

    async def stop(self) -> None:
        """Take no connection and no new message; answer the ones that have arrived; then close."""
        server = self._server
        if server is None:
            return
        self._stopping.set()
        server.close()
        if self._connections:
            _, late = await asyncio.wait(set(self._connections), timeout=self.listener.stop_seconds)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
        await server.wait_closed()
        self._server = None
        log.info("mllp.stopped", name=self.listener.name)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._before_accept()
        task = asyncio.current_task()
        assert task is not None
        if len(self._connections) >= self.listener.max_connections or self._stopping.is_set():
            self._note_refusal("connections")
            writer.transport.abort()
            return
        self._connections[task] = self._stopping
        certificate = writer.get_extra_info("peercert") or {}
        peer = Peer(self.listener.name, _subject(certificate), _alternatives(certificate))
        try:
            await _Connection(self.listener, self._handler, peer, self._stopping).run(reader, writer)
        except (ConnectionError, TimeoutError, ssl.SSLError) as error:
            log.info("mllp.connection_lost", name=self.listener.name, error=type(error).__name__)
        except Exception as error:  # noqa: BLE001 - without an answer the sender sends again; nothing is lost
            log.error("mllp.handler_failed", name=self.listener.name, **redact.describe(error))  # noqa: TRY400
            self._note_refusal("handler")
        finally:
            del self._connections[task]
            writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                await asyncio.wait_for(writer.wait_closed(), 1.0)

    def _note_handshake(self, reason: str) -> None:
        log.warning("mllp.handshake_failed", name=self.listener.name, reason=reason)
        self._note_refusal("tls_handshake")

    def _note_refusal(self, reason: str) -> None:
        metrics().count("navette_mllp_refused", listener=self.listener.name, reason=reason)


class _Connection:
    def __init__(self, listener: Listener, handler: MllpHandler, peer: Peer, stopping: asyncio.Event) -> None:
        self._listener = listener
        self._handler = handler
        self._peer = peer
        self._stopping = stopping
        self._decoder = FrameDecoder(listener.max_message_bytes)

    async def run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until the peer leaves, is silent too long, or sends nothing that is MLLP."""
        loop = asyncio.get_running_loop()
        begun: float | None = None
        while True:
            wait = self._listener.idle_seconds
            if begun is not None:
                wait = begun + self._listener.message_seconds - loop.time()
            data = await self._read(reader, wait)
            if data is None:
                return
            for piece in self._decoder.feed(data):
                await self._take(piece, writer)
                begun = None  # what follows it in the same packet has begun now, not with the one before
            if not data:
                await self._cut_off(writer)
                return
            begun = (begun or loop.time()) if self._decoder.inside else None
            if self._decoder.unframed > self._listener.max_unframed_bytes:
                await self._take(Malformed(Refusal.OUTSIDE, self._decoder.unframed), writer)
                return

    async def _read(self, reader: asyncio.StreamReader, seconds: float) -> bytes | None:
        """What arrives; None when it is time to close: silence, or a stop outside a message."""
        read = asyncio.create_task(reader.read(_READ))
        stop = asyncio.create_task(self._stopping.wait())
        waits = {read} if self._decoder.inside else {read, stop}
        try:
            done, _ = await asyncio.wait(waits, timeout=max(seconds, 0.0), return_when=asyncio.FIRST_COMPLETED)
            if read in done:
                return read.result()
            if not done and self._decoder.inside:
                raise TimeoutError
            return None
        finally:
            for task in (read, stop):
                if not task.done():
                    task.cancel()

    async def _take(self, piece: Frame | Malformed, writer: asyncio.StreamWriter) -> None:
        name = self._listener.name
        if isinstance(piece, Frame):
            answer: bytes | None = await self._handler.received(piece.data, self._peer)
            metrics().count("navette_mllp_messages", listener=name)
        else:
            log.warning("mllp.refused", name=name, reason=piece.why.value)
            metrics().count("navette_mllp_refused", listener=name, reason=piece.why.value)
            answer = await self._handler.refused(piece, self._peer)
        if answer is not None:
            writer.write(frame(answer))
            await asyncio.wait_for(writer.drain(), self._listener.message_seconds)

    async def _cut_off(self, writer: asyncio.StreamWriter) -> None:
        rest = self._decoder.end()
        if rest is not None:
            with contextlib.suppress(ConnectionError):
                await self._take(rest, writer)


def _subject(certificate: Mapping[str, Any]) -> str | None:
    names = [value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"]
    return str(names[0]) if names else None


def _alternatives(certificate: Mapping[str, Any]) -> tuple[str, ...]:
    # A name with a blank in it is none: they are told apart by blanks where they are kept.
    names = (str(value) for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS")
    return tuple(name for name in names if name and " " not in name)
