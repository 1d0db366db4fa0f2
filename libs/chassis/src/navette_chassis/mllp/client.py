"""An MLLP client for deliveries: one connection, one message in flight, the answer matched by its MSA-2."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog
from navette_contracts.events import WhoMustAct

from navette_chassis.deliveries.model import Outcome
from navette_chassis.mllp.framing import Frame, FrameDecoder, frame
from navette_chassis.tls import FileWatch, TlsFiles

log = structlog.get_logger("navette.mllp")

_READ = 64 * 1024
_LARGEST_ANSWER = 1024 * 1024
_ACCEPTED = frozenset({"AA", "CA"})
_LATER = frozenset({"AR", "CR"})


@dataclass(frozen=True, slots=True)
class Destination:
    """Where messages go. Times in seconds."""

    name: str
    host: str
    port: int
    tls: TlsFiles | None = None
    connect_seconds: float = 10.0
    answer_seconds: float = 60.0
    idle_seconds: float = 300.0
    """A connection unused for longer is replaced before it is used: firewalls forget it silently."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of one sending."""

    code: str
    """MSA-1, "none" for an answer that has none, or "" when nobody answered."""
    condition: str = ""
    """ERR-3.1 of the first error."""
    application: str = ""
    """ERR-5.1 of the first error."""
    sent: bool = True
    """False when the message certainly never left."""
    why: str = ""
    """Without an answer: what broke."""


class MllpClient:
    """Sends one message at a time; reconnects by itself."""

    def __init__(self, destination: Destination) -> None:
        self.destination = destination
        self._lock = asyncio.Lock()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._used_at = 0.0
        self._watch = None if destination.tls is None else FileWatch(destination.tls.paths)

    async def send(self, data: bytes, control_id: str) -> Reply:
        """Send a message whose MSH-10 is `control_id` and wait for the answer to it. Never raises for the network."""
        async with self._lock:
            try:
                reader, writer = await self._connection()
            except (OSError, TimeoutError) as error:  # includes ssl.SSLError
                await self._drop()
                return Reply("", sent=False, why=type(error).__name__)
            try:
                writer.write(frame(data))
                async with asyncio.timeout(self.destination.answer_seconds):
                    await writer.drain()
                    reply = await self._answer(reader, control_id)
            except (OSError, TimeoutError) as error:
                await self._drop()
                return Reply("", why=type(error).__name__)
            except BaseException:
                await self._drop()
                raise
            if not reply.code:
                await self._drop()
            self._used_at = asyncio.get_running_loop().time()
            return reply

    async def close(self) -> None:
        """Leave."""
        async with self._lock:
            await self._drop()

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        target = self.destination
        if self._streams is not None and self._stale(*self._streams):
            await self._drop()
        if self._streams is None:
            context = None if target.tls is None else target.tls.client_context()
            if self._watch is not None:
                self._watch.accept()
            async with asyncio.timeout(target.connect_seconds):
                self._streams = await asyncio.open_connection(target.host, target.port, ssl=context, limit=_READ)
            self._used_at = asyncio.get_running_loop().time()
        return self._streams

    def _stale(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        idle = asyncio.get_running_loop().time() - self._used_at
        renewed = self._watch is not None and self._watch.changed()
        return renewed or idle > self.destination.idle_seconds or reader.at_eof() or writer.is_closing()

    async def _answer(self, reader: asyncio.StreamReader, control_id: str) -> Reply:
        decoder = FrameDecoder(_LARGEST_ANSWER)
        while data := await reader.read(_READ):
            for piece in decoder.feed(data):
                if not isinstance(piece, Frame):
                    return Reply("", why=f"answer_{piece.why.value}")
                answer = read_msa(piece.data)
                code = answer.code or "none"
                if answer.refers_to == control_id:
                    return Reply(code, answer.condition, answer.application)
                # An answer to a sending that was given up: ours is still to come.
                log.info("mllp.other_answer", name=self.destination.name, code=code)
        return Reply("", why="closed_without_answer")

    async def _drop(self) -> None:
        if self._streams is None:
            return
        _, writer = self._streams
        self._streams = None
        writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            await asyncio.wait_for(writer.wait_closed(), 1.0)


@dataclass(frozen=True, slots=True)
class Msa:
    """What an answer says; "" for what it does not."""

    code: str
    refers_to: str
    condition: str
    application: str


def read_msa(data: bytes) -> Msa:
    """MSA-1, MSA-2, and ERR-3.1 and ERR-5.1 of the first error of an answer."""
    text = data.decode("latin-1").lstrip()
    mark = text[3:4] if text.startswith("MSH") else "|"
    found: dict[str, list[str]] = {}
    for line in text.replace("\n", "\r").split("\r"):
        fields = line.split(mark or "|")
        found.setdefault(fields[0], fields)

    def field(name: str, number: int) -> str:
        fields = found.get(name, [])
        return fields[number].strip() if len(fields) > number else ""

    return Msa(
        code=field("MSA", 1).upper(),
        refers_to=field("MSA", 2),
        condition=field("ERR", 3).split("^")[0],
        application=field("ERR", 5).split("^")[0],
    )


def outcome_of(reply: Reply) -> Outcome:
    """AA: there. AE: refused, the same again would be too. AR: later. Anything else, or nothing: perhaps there, so ask
    by sending again.

    A receiver recognises the same MSH-10 and answers the same, so sending again is the question MLLP knows.
    """
    suffix = f".{reply.condition}" if reply.condition.isdigit() else ""
    if reply.code in _ACCEPTED:
        return Outcome.delivered(reply.code)
    if reply.code in _LATER:
        return Outcome.transient(f"{reply.code}{suffix}")
    if reply.code in ("AE", "CE"):
        return Outcome.permanent(f"{reply.code}{suffix}", WhoMustAct.OPERATOR)
    if reply.code:
        return Outcome.ambiguous("unknown_acknowledgement")
    if not reply.sent:
        return Outcome.transient(reply.why, endpoint_down=True)
    return Outcome.ambiguous(reply.why, endpoint_down=True)


@asynccontextmanager
async def mllp_client(destination: Destination) -> AsyncIterator[MllpClient]:
    """A client that leaves when its service stops."""
    client = MllpClient(destination)
    try:
        yield client
    finally:
        await client.close()
