"""The DMP over SOAP 1.2, MTOM and mutual TLS (spec/dmp.md §2, §3, §6.6)."""

from __future__ import annotations

import asyncio
import secrets
import ssl
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import httpx
from lxml import etree
from navette_chassis import Clock
from navette_documents.xds import Submission

from navette_dmp.domain import names
from navette_dmp.domain.mtom import MtomError, Part, pack
from navette_dmp.domain.outcomes import Action, Verdict, judge
from navette_dmp.domain.registry import (
    get_documents,
    provide_and_register,
    read_registry_response,
    update_document_set,
)
from navette_dmp.domain.signer import Signer
from navette_dmp.domain.soap import CONTENT_TYPE, Answer, Fault, Unreadable, envelope, read_answer
from navette_dmp.domain.vihf import VihfProfile, VihfSubject, build_assertion, sign_assertion
from navette_dmp.use_cases.ports import QueryFailed

REPOSITORY: Final = "repository"
REGISTRY: Final = "registry"
MAX_ANSWER_BYTES: Final = 10_000_000

_Reply = Answer | Fault | Unreadable


@dataclass(frozen=True, slots=True)
class _Request:
    message_id: str
    content_type: str
    body: bytes


class SoapDmp:
    """The DMP behind an HTTP client that shows the authentication certificate."""

    def __init__(self, client: httpx.AsyncClient, *, base_url: str, profile: VihfProfile, clock: Clock) -> None:
        self._client = client
        self._base_url = base_url.rstrip("/")
        self._profile = profile
        self._clock = clock

    async def submit(
        self, submission: Submission, files: Mapping[str, bytes], subject: VihfSubject, signer: Signer
    ) -> Verdict:
        """TD2.1 (ITI-41). Never raises for what the network does: an answer lost is a verdict too."""
        parts = {
            entry.object_id: Part(f"{entry.object_id}@navette", entry.mime_type, files[entry.object_id])
            for entry in submission.entries
        }
        body = provide_and_register(submission, {name: part.href for name, part in parts.items()})
        request = await asyncio.to_thread(
            self._request, names.PROVIDE_AND_REGISTER, body, list(parts.values()), subject, signer, REPOSITORY
        )
        reply = await self._post(REPOSITORY, request)
        return reply if isinstance(reply, Verdict) else judge(reply, message_id=request.message_id)

    async def update(self, submission: Submission, subject: VihfSubject, signer: Signer) -> Verdict:
        """TD3.3c (ITI-57). Never raises for what the network does."""
        body = update_document_set(submission)
        request = await asyncio.to_thread(self._request, names.UPDATE_DOCUMENT_SET, body, [], subject, signer, REGISTRY)
        reply = await self._post(REGISTRY, request)
        return reply if isinstance(reply, Verdict) else judge(reply, message_id=request.message_id)

    async def entries_of(self, unique_id: str, subject: VihfSubject, signer: Signer) -> tuple[str, ...]:
        """TD3.1b (ITI-18 GetDocuments, ObjectRef). Raises QueryFailed unless the DMP answered the query."""
        request = await asyncio.to_thread(
            self._request,
            names.REGISTRY_STORED_QUERY,
            get_documents(unique_id),
            [],
            subject,
            signer,
            REGISTRY,
        )
        reply = await self._post(REGISTRY, request)
        if isinstance(reply, Verdict):
            raise QueryFailed(reply)
        verdict = judge(reply, message_id=request.message_id)
        response = read_registry_response(reply.body) if isinstance(reply, Answer) else None
        if verdict.action is not Action.STORED or response is None:
            raise QueryFailed(verdict)
        return response.entries

    def _request(
        self,
        action: str,
        body: etree._Element,
        parts: Sequence[Part],
        subject: VihfSubject,
        signer: Signer,
        endpoint: str,
    ) -> _Request:
        """A message with its own id and its own assertion, both used once. CPU-bound: run in a thread."""
        message_id = uuid.uuid4().urn
        assertion = build_assertion(
            subject,
            self._profile,
            assertion_id=f"_{uuid.uuid4()}",
            issued_at=self._clock.now(),
            issuer=signer.issuer_name,
        )
        root = envelope(
            action=action,
            message_id=message_id,
            to=self._url(endpoint),
            assertion=sign_assertion(assertion, signer),
            body=body,
        )
        if not parts:
            return _Request(message_id, f'{CONTENT_TYPE}; charset=UTF-8; action="{action}"', root)
        while True:
            boundary = f"MIMEBoundary_{secrets.token_hex(16)}"
            try:
                return _Request(message_id, *pack(root, parts, action=action, boundary=boundary))
            except MtomError:
                continue

    def _url(self, endpoint: str) -> str:
        return f"{self._base_url}/{endpoint}"

    async def _post(self, endpoint: str, request: _Request) -> _Reply | Verdict:
        """The reply, or what a failure of the network means for a message that may have left."""
        # Without identity a small compressed answer could unpack into a very large one.
        headers = {"Content-Type": request.content_type, "Accept-Encoding": "identity"}
        try:
            async with self._client.stream(
                "POST", self._url(endpoint), content=request.body, headers=headers
            ) as response:
                data = await _read(response)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            code = "tls-handshake" if _is_tls(error) else "unreachable"
            return Verdict(Action.RETRY, code, endpoint_down=True)
        except httpx.RequestError:
            return Verdict(Action.UNKNOWN, "no-answer", endpoint_down=True)
        if data is None:
            return Unreadable("too large", response.status_code)
        return read_answer(response.status_code, response.headers.get("content-type", ""), data)


async def _read(response: httpx.Response) -> bytes | None:
    """The body, None when it passes the limit: what is left of it is not read."""
    data = bytearray()
    async for chunk in response.aiter_bytes():
        data += chunk
        if len(data) > MAX_ANSWER_BYTES:
            return None
    return bytes(data)


def _is_tls(error: BaseException) -> bool:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
