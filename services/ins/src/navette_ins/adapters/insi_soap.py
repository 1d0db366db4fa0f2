"""INSi over SOAP 1.2, with a software certificate or an assertion of the professional (spec/ins.md §2.1, §2.3)."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

import httpx
from lxml import etree
from navette_chassis import Clock

from navette_ins.domain.insi.assertion import PscAssertion, national_id, psc_assertion
from navette_ins.domain.insi.card import CardQuery, card_assertion
from navette_ins.domain.insi.faults import worth_one_more
from navette_ins.domain.insi.plan import Query
from navette_ins.domain.insi.reply import MAX_BYTES, FaultReply, Result, Unreadable, read_reply
from navette_ins.domain.insi.request import Caller, MessageIds, Software, action_of, content_type, search_request


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Nobody answered. A search changes nothing at INSi, so asking again is always safe."""

    why: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """One call: its number for the support, when, as whom, what came back, and the body as received."""

    message_id: str
    operation: str
    sent_at: datetime
    received_at: datetime
    sender: str
    answer: Result | FaultReply | Unreadable | NoAnswer
    body: bytes


@dataclass(frozen=True, slots=True)
class Requester:
    """On whose behalf a call is made; the RPPS only matters with an assertion."""

    rpps: str | None = None
    card_assertion: str | None = None
    """Assertion that the reader built from the carte Vitale, as XML."""


Trace = Callable[[Exchange], Awaitable[None]]


class InsiSoap:
    """Both searches, as one caller."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        *,
        url: str,
        software: Software,
        identity: str | PscAssertion,
        clock: Clock,
        again_seconds: float = 2.0,
    ) -> None:
        """`identity` is the OU of the client certificate, or what the assertions of a PSC caller say."""
        self._client = client
        self._url = url
        self._software = software
        self._identity = identity
        self._clock = clock
        self._again_seconds = again_seconds

    @property
    def mode(self) -> str:
        """How the caller shows who it is, for the trace: "certificate" or "psc"."""
        return "certificate" if isinstance(self._identity, str) else "psc"

    async def search(self, query: Query | CardQuery, requester: Requester, trace: Trace) -> Exchange:
        """Ask, and ask once more when the service or the network is in trouble (spec/ins.md §4.4).

        Each call has a message id of its own and is traced before anything else happens. Never raises for what
        the network or the teleservice does.
        """
        exchange = await self._call(query, requester)
        await trace(exchange)
        if isinstance(exchange.answer, NoAnswer) or (
            isinstance(exchange.answer, FaultReply) and worth_one_more(exchange.answer)
        ):
            await asyncio.sleep(self._again_seconds)
            exchange = await self._call(query, requester)
            await trace(exchange)
        return exchange

    async def _call(self, query: Query | CardQuery, requester: Requester) -> Exchange:
        sent_at = self._clock.now()
        caller = self._caller(requester, sent_at)
        ids = MessageIds(str(uuid.uuid4()), str(uuid.uuid4()), str(uuid.uuid4()))
        body = search_request(query, self._software, caller, ids, at=sent_at)
        action = action_of(query)
        answer, received = await self._post(body, action)
        return Exchange(
            message_id=f"uuid:{ids.message}",
            operation=action.rsplit(":", 1)[-1],
            sent_at=sent_at,
            received_at=self._clock.now(),
            sender=caller.sender,
            answer=answer,
            body=received,
        )

    def _caller(self, requester: Requester, at: datetime) -> Caller:
        assertions: list[etree._Element] = []
        sender = self._identity
        if isinstance(sender, PscAssertion):
            if requester.rpps is None:
                raise ValueError("an assertion names a professional: rpps is required")
            assertions.append(psc_assertion(sender, requester.rpps, str(uuid.uuid4()), at=at))
            sender = national_id(requester.rpps)
        if requester.card_assertion is not None:
            assertions.append(card_assertion(requester.card_assertion))
        return Caller(sender, tuple(assertions))

    async def _post(self, body: bytes, action: str) -> tuple[Result | FaultReply | Unreadable | NoAnswer, bytes]:
        headers = {"Content-Type": content_type(action)}
        try:
            async with self._client.stream("POST", self._url, content=body, headers=headers) as response:
                received = await _read(response)
        except httpx.TransportError as error:
            return NoAnswer(type(error).__name__), b""
        if received is None:
            return Unreadable("size"), b""
        answer = read_reply(received)
        if isinstance(answer, Unreadable) and (response.status_code >= 500 or response.status_code == 429):
            return NoAnswer(f"http_{response.status_code}"), received
        return answer, received


async def _read(response: httpx.Response) -> bytes | None:
    data = bytearray()
    async for chunk in response.aiter_bytes():
        data += chunk
        if len(data) > MAX_BYTES:
            return None
    return bytes(data)
