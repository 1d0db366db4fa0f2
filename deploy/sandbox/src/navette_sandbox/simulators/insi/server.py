"""The INSi double on its TLS port: one URL for both operations, a client certificate always (spec/ins.md §2.1)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.x509.oid import NameOID

from navette_sandbox.simulators.common import (
    COMMON_KINDS,
    HttpServer,
    Request,
    Response,
    Simulator,
    SimulatorConfig,
    View,
    json_response,
    server_context,
)
from navette_sandbox.simulators.insi import envelope, people, replies, search
from navette_sandbox.simulators.insi.faults import Refusal

PATH = "/lps"
REMEMBERED_MESSAGES = 10_000


@dataclass(frozen=True)
class _Answer:
    status: int
    body: bytes
    code: str


class InsiSimulator(Simulator):
    """Answers searches from a data file; every refusal names the rule broken.

    Own fault kinds: ``soap_fault`` (with ``code``), ``truncated`` (half of the XML), ``plain_prefixes`` and
    ``history_dates_first`` (see `replies`). Targets: ``traits``, ``card``.
    """

    name = "insi"
    kinds = COMMON_KINDS | {"soap_fault", "truncated", "plain_prefixes", "history_dates_first"}

    def __init__(self, config: SimulatorConfig, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        super().__init__(config)
        self._now = now
        self._people = people.load(config.data or people.DEFAULT_FILE)
        self._calls: list[dict[str, Any]] = []
        self._seen: deque[str] = deque(maxlen=REMEMBERED_MESSAGES)
        self._server = HttpServer(
            self._request,
            port=config.port,
            host=config.host,
            context=server_context(config.pki, "insi-server"),
            refusing=self.faults.down,
            on_handshake_error=self.note_handshake_error,
        )

    async def start_main(self) -> None:
        await self._server.start()

    async def stop_main(self) -> None:
        await self._server.stop()

    def ports(self) -> Mapping[str, int]:
        return {"port": self._server.port}

    def views(self) -> Mapping[str, View]:
        return {"calls": self._view_calls, "people": self._view_people}

    def reset_state(self) -> None:
        self._calls.clear()

    def _view_calls(self, _path: Sequence[str]) -> list[dict[str, Any]]:
        return self._calls

    def _view_people(self, _path: Sequence[str]) -> list[dict[str, Any]]:
        return [{"id": one.id, "birth_name": one.birth_name, "oid": one.active.oid} for one in self._people]

    async def _request(self, request: Request) -> Response:
        if request.path != PATH:
            return json_response({"error": "unknown"}, status=404)
        if request.method != "POST":
            return Response(status=405, headers={"allow": "POST"})
        target = "card" if b"RECVITALE" in request.body else "traits"
        replaced = await self.http_faults(target)
        if replaced is not None:
            return replaced
        answer = self._answer(request, target)
        self._keep(request.body, answer.body)
        self._calls.append(
            {
                "at": self._now().isoformat(),
                "operation": target,
                "message_id": envelope.message_id_of(request.body),
                "code": answer.code,
            }
        )
        if self.faults.take(target, "lost_answer"):
            return Response(cut=True)
        body = answer.body
        if self.faults.take(target, "truncated"):
            body = body[: len(body) // 2]
        return Response(answer.status, body, "application/soap+xml; charset=utf-8")

    def _keep(self, asked: bytes, answered: bytes) -> None:
        """Write both envelopes to the state folder: what a tester compares with the guide."""
        folder = self.config.state / "exchanges"
        folder.mkdir(parents=True, exist_ok=True)
        number = len(self._calls) + 1
        (folder / f"{number:05d}-request.xml").write_bytes(asked)
        (folder / f"{number:05d}-answer.xml").write_bytes(answered)

    def _answer(self, request: Request, target: str) -> _Answer:
        style = replies.Style(
            plain_prefixes=self.faults.take(target, "plain_prefixes") is not None,
            history_dates_first=self.faults.take(target, "history_dates_first") is not None,
        )
        try:
            found = self._search(request, target)
        except Refusal as refusal:
            self.refusals.record(target, refusal.code, refusal.rule)
            body = replies.fault(refusal.code, envelope.message_id_of(request.body), style)
            return _Answer(500, body, refusal.code)
        code = "00" if len(found) == 1 else ("02" if found else "01")
        return _Answer(200, replies.result(found, style), code)

    def _search(self, request: Request, target: str) -> list[people.Person]:
        content_type = request.headers.get("content-type", "")
        asked = envelope.read(request.body, content_type, _caller(request.peer), self._now())
        if asked.message_id in self._seen:
            raise Refusal("desir_9006", "wsa:MessageID is new for each call")
        self._seen.append(asked.message_id)
        scripted = self.faults.take(target, "soap_fault")
        if scripted is not None:
            raise Refusal(scripted.code or "desir_1020", "fault script")
        if target == "card":
            return search.by_card(asked.payload, self._people, asked.covered_number)
        return search.by_traits(asked.payload, self._people)


def _caller(peer: x509.Certificate | None) -> envelope.Caller:
    def first(oid: x509.ObjectIdentifier) -> str:
        found = peer.subject.get_attributes_for_oid(oid) if peer is not None else []
        return str(found[0].value) if found else ""

    return envelope.Caller(first(NameOID.COMMON_NAME), first(NameOID.ORGANIZATIONAL_UNIT_NAME))
