"""INSi over SOAP 1.2 and mutual TLS (spec/ins.md §2.1, §2.3)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path

import httpx
from cryptography import x509
from cryptography.x509.oid import NameOID
from navette_chassis import Clock

from navette_ins.domain.insi.plan import Query
from navette_ins.domain.insi.reply import MAX_BYTES, FaultReply, Result, Unreadable, read_reply
from navette_ins.domain.insi.request import CONTENT_TYPE, MessageIds, Software, search_request

COMMON_NAMES = frozenset({"INSI-MANU", "INSI-AUTO"})


class CertificateUnfit(ValueError):  # noqa: N818 - the certificate is what is unfit
    """The client certificate cannot be used for INSi; the message says what must be ordered instead."""


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Nobody answered. A search changes nothing at INSi, so asking again is always safe."""

    why: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """One call: its number for the support, what came back, and the body as received."""

    message_id: str
    answer: Result | FaultReply | Unreadable | NoAnswer
    body: bytes


def sender_of(certificate: Path) -> str:
    """Emetteur: OU of the software certificate, whose CN the teleservice requires to be INSI-MANU or INSI-AUTO.

    Raises CertificateUnfit, so that the service does not start with a certificate that INSi refuses (desir_560).
    """
    subject = x509.load_pem_x509_certificate(certificate.read_bytes()).subject
    names = [str(one.value) for one in subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    units = [str(one.value) for one in subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)]
    if not COMMON_NAMES & set(names):
        raise CertificateUnfit("the CN of the INSi certificate must be INSI-MANU or INSI-AUTO")
    if not units:
        raise CertificateUnfit("the INSi certificate has no OU: it names the structure that calls")
    return units[-1]


class InsiSoap:
    """The search by traits."""

    def __init__(self, client: httpx.AsyncClient, *, url: str, software: Software, clock: Clock) -> None:
        self._client = client
        self._url = url
        self._software = software
        self._clock = clock

    async def search(self, query: Query) -> Exchange:
        """Make one call. Never raises for what the network or the teleservice does."""
        ids = MessageIds(str(uuid.uuid4()), str(uuid.uuid4()), str(uuid.uuid4()))
        body = search_request(query, self._software, ids, at=self._clock.now())
        message_id = f"uuid:{ids.message}"
        headers = {"Content-Type": CONTENT_TYPE}
        try:
            async with self._client.stream("POST", self._url, content=body, headers=headers) as response:
                received = await _read(response)
        except httpx.TransportError as error:
            return Exchange(message_id, NoAnswer(type(error).__name__), b"")
        if received is None:
            return Exchange(message_id, Unreadable("size"), b"")
        answer = read_reply(received)
        if isinstance(answer, Unreadable) and response.status_code >= 500:
            return Exchange(message_id, NoAnswer(f"http_{response.status_code}"), received)
        return Exchange(message_id, answer, received)


async def _read(response: httpx.Response) -> bytes | None:
    data = bytearray()
    async for chunk in response.aiter_bytes():
        data += chunk
        if len(data) > MAX_BYTES:
            return None
    return bytes(data)
