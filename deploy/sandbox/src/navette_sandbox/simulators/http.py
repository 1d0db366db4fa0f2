"""A small HTTP/1.1 server on h11 that shows the client certificate and can cut a connection at will.

ASGI servers hide the peer certificate and answer whatever happens; a double of a national service needs
the first and must be able not to do the second.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
import traceback
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote

import h11
from cryptography import x509

MAX_BODY_BYTES = 60_000_000
HANDSHAKE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Request:
    """One request: ``path`` percent-decoded, header names lower case, ``peer`` the TLS client leaf."""

    method: str
    path: str
    query_string: str
    headers: Mapping[str, str]
    body: bytes
    peer: x509.Certificate | None

    @property
    def query(self) -> list[tuple[str, str]]:
        """Query parameters in order, blanks kept."""
        return parse_qsl(self.query_string, keep_blank_values=True)


@dataclass(frozen=True, slots=True)
class Response:
    """One answer. ``cut`` closes the connection instead of writing anything (a lost answer)."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False


Handler = Callable[[Request], Awaitable[Response]]
OnConnection = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def reset(sock: socket.socket) -> None:
    """Close ``sock`` with a TCP reset, as a dead host does."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def abort(writer: asyncio.StreamWriter) -> None:
    """Cut a connection without a farewell."""
    writer.transport.abort()


class Listener:
    """Accepts TCP connections for ``on_connection``; resets them while ``refusing()`` is true."""

    def __init__(
        self,
        on_connection: OnConnection,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        context: ssl.SSLContext | None = None,
        refusing: Callable[[], bool] = lambda: False,
        on_handshake_error: Callable[[str], None] = lambda _reason: None,
        limit: int = 2**20,
    ) -> None:
        self._limit = limit
        self._on_connection = on_connection
        self._context = context
        self._refusing = refusing
        self._on_handshake_error = on_handshake_error
        self._address = (host, port)
        self._socket: socket.socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """The TCP port listened on (useful when 0 was asked for)."""
        if self._socket is None:
            return self._address[1]
        return int(self._socket.getsockname()[1])

    async def start(self) -> None:
        """Bind and accept. Raises `OSError` if the port is taken."""
        self._socket = socket.create_server(self._address, backlog=256)
        self._socket.setblocking(False)
        self._spawn(self._accept(self._socket))

    async def stop(self) -> None:
        """Close the port and every connection."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._socket is not None:
            self._socket.close()

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(listening)
            if self._refusing():
                reset(connection)
            else:
                connection.setblocking(False)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._spawn(self._serve(connection))

    async def _serve(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=self._limit)
        writers: list[asyncio.StreamWriter] = []
        # The callback makes the protocol a server-side one, which `StreamWriter.start_tls` looks at.
        protocol = asyncio.StreamReaderProtocol(reader, lambda _, made: writers.append(made))
        handshake = HANDSHAKE_SECONDS if self._context is not None else None
        try:
            await loop.connect_accepted_socket(
                lambda: protocol, connection, ssl=self._context, ssl_handshake_timeout=handshake
            )
        except ssl.SSLError as error:
            self._on_handshake_error(error.reason or type(error).__name__)
            return
        except OSError as error:
            self._on_handshake_error(type(error).__name__)
            return
        writer = writers.pop()
        try:
            await self._on_connection(reader, writer)
        except (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            abort(writer)
        finally:
            writer.close()
            with contextlib.suppress(OSError, ssl.SSLError):
                await writer.wait_closed()


def peer_certificate(writer: asyncio.StreamWriter) -> x509.Certificate | None:
    """The leaf certificate of the TLS client, verified by the handshake; ``None`` without one."""
    tls = writer.get_extra_info("ssl_object")
    der = tls.getpeercert(binary_form=True) if tls is not None else None
    return x509.load_der_x509_certificate(der) if der else None


class HttpServer:
    """HTTP/1.1 with keep-alive over a `Listener`."""

    def __init__(
        self,
        handler: Handler,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        context: ssl.SSLContext | None = None,
        refusing: Callable[[], bool] = lambda: False,
        on_handshake_error: Callable[[str], None] = lambda _reason: None,
    ) -> None:
        self._handler = handler
        self._refusing = refusing
        self.listener = Listener(
            self._connection,
            port=port,
            host=host,
            context=context,
            refusing=refusing,
            on_handshake_error=on_handshake_error,
        )

    @property
    def port(self) -> int:
        """TCP port listened on."""
        return self.listener.port

    async def start(self) -> None:
        """Start listening."""
        await self.listener.start()

    async def stop(self) -> None:
        """Stop listening and close connections."""
        await self.listener.stop()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = peer_certificate(writer)
        protocol = h11.Connection(h11.SERVER, max_incomplete_event_size=65_536)
        while True:
            try:
                request = await _read_request(protocol, reader, writer, peer)
            except h11.RemoteProtocolError:
                return
            if request is None:
                return
            if self._refusing():
                abort(writer)
                return
            try:
                response = await self._handler(request)
            except Exception:  # noqa: BLE001 - a bug of the double must show, and must not hang its client
                traceback.print_exc()
                response = Response(status=500, body=b"simulator error", content_type="text/plain")
            if response.cut:
                abort(writer)
                return
            await _write_response(protocol, writer, request, response)
            if protocol.our_state is not h11.DONE or protocol.their_state is not h11.DONE:
                return
            protocol.start_next_cycle()


async def _read_request(
    protocol: h11.Connection,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    peer: x509.Certificate | None,
) -> Request | None:
    head: h11.Request | None = None
    body = bytearray()
    while True:
        event = protocol.next_event()
        if event is h11.NEED_DATA:
            if protocol.they_are_waiting_for_100_continue:
                go_on = protocol.send(h11.InformationalResponse(status_code=100, headers=[]))
                writer.write(go_on or b"")
            protocol.receive_data(await reader.read(65_536))
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > MAX_BODY_BYTES:
                return None
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            target, _, query = head.target.decode("ascii").partition("?")
            headers = {name.decode("ascii"): value.decode("latin-1") for name, value in head.headers}
            return Request(head.method.decode("ascii"), unquote(target), query, headers, bytes(body), peer)
        else:
            return None


async def _write_response(
    protocol: h11.Connection, writer: asyncio.StreamWriter, request: Request, response: Response
) -> None:
    headers = [("content-length", str(len(response.body)))]
    if response.body:
        headers.append(("content-type", response.content_type))
    headers.extend(response.headers.items())
    out = protocol.send(h11.Response(status_code=response.status, headers=headers)) or b""
    if request.method != "HEAD":
        out += protocol.send(h11.Data(data=response.body)) or b""
    out += protocol.send(h11.EndOfMessage()) or b""
    writer.write(out)
    await writer.drain()
