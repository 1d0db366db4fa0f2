"""The INSi double: one URL for both searches, on a port of certificates and a port of assertions (spec/ins.md §2.1)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
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
from navette_sandbox.simulators.insi import envelope, people, replies, search, verification
from navette_sandbox.simulators.insi.faults import Refusal
from navette_sandbox.simulators.insi.quota import Quota
from navette_sandbox.simulators.insi.scenarios import Canned, Script

PATH = "/lps"
REMEMBERED_MESSAGES = 10_000


class InsiSimulator(Simulator):
    """Answers searches and verifications from a data file; every refusal names the rule broken.

    Own fault kinds: ``soap_fault`` (with ``code``), ``truncated`` (half of the XML), ``plain_prefixes`` and
    ``history_dates_first`` (see `replies`), those of `verification`. Targets: ``traits``, ``card``, ``unit``,
    ``lots``.
    """

    name = "insi"
    kinds = (
        COMMON_KINDS
        | verification.KINDS
        | {"soap_fault", "stalled", "truncated", "plain_prefixes", "history_dates_first"}
    )

    def __init__(
        self,
        config: SimulatorConfig,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        psc_port: int = 0,
    ) -> None:
        super().__init__(config)
        self._now = now
        self._people = people.load(config.data or people.DEFAULT_FILE)
        self._calls: list[dict[str, Any]] = []
        self._seen: deque[str] = deque(maxlen=REMEMBERED_MESSAGES)
        self._script = Script()
        self._quota = Quota(now)
        self.verification = verification.Verification(self._people, self.faults, now)
        self._server = self._listen(config.port, "required", self._with_certificate)
        self._psc_server = self._listen(psc_port, "none", self._with_assertion)

    def _listen(self, port: int, client_certificate: str, handler: Callable[[Request], Any]) -> HttpServer:
        return HttpServer(
            handler,
            port=port,
            host=self.config.host,
            context=server_context(self.config.pki, "insi-server", client_certificate=client_certificate),
            refusing=self.faults.down,
            on_handshake_error=self.note_handshake_error,
        )

    async def start_main(self) -> None:
        await self._server.start()
        await self._psc_server.start()

    async def stop_main(self) -> None:
        await self._psc_server.stop()
        await self._server.stop()

    def ports(self) -> Mapping[str, int]:
        return {"port": self._server.port, "psc_port": self._psc_server.port}

    def views(self) -> Mapping[str, View]:
        return {"calls": self._view_calls, "people": self._view_people, "lots": self._view_lots}

    def commands(self) -> Mapping[str, Callable[[Any], Any]]:
        return {"scenario": self._script.play, "reply": self._script.inject, "quota": self._quota.set}

    def reset_state(self) -> None:
        self._calls.clear()
        self._script.clear()
        self._quota.set({"calls": 0})
        self.verification.lots.clear()

    def _view_calls(self, _path: Sequence[str]) -> list[dict[str, Any]]:
        return self._calls

    def _view_people(self, _path: Sequence[str]) -> list[dict[str, Any]]:
        return [{"id": one.id, "birth_name": one.birth_name, "oid": one.active.oid} for one in self._people]

    def _view_lots(self, _path: Sequence[str]) -> list[dict[str, Any]]:
        return [
            {"lot_id": lot.lot_id, "lines": len(lot.lines), "deposits": lot.deposits, "asked": lot.asked}
            for lot in self.verification.lots.values()
        ]

    async def _with_certificate(self, request: Request) -> Response:
        caller = _caller(request.peer)
        if request.path.startswith(f"{verification.PATH}/"):
            return await self._verify(request, caller)
        return await self._soap(request, caller)

    async def _with_assertion(self, request: Request) -> Response:
        return await self._soap(request, envelope.Caller("", "", anonymous=True))

    async def _soap(self, request: Request, caller: envelope.Caller) -> Response:
        if request.path != PATH:
            return json_response({"error": "unknown"}, status=404)
        if request.method != "POST":
            return Response(status=405, headers={"allow": "POST"})
        target = "card" if b"RECVITALE" in request.body else "traits"
        replaced = await self.http_faults(target)
        if replaced is not None:
            return replaced
        answer = self._answer(request, target, caller)
        self._keep(request.body, answer.body)
        self._note(target, envelope.message_id_of(request.body), answer.code, caller)
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

    async def _verify(self, request: Request, caller: envelope.Caller) -> Response:
        path = request.path.removeprefix(verification.PATH)
        target = "unit" if path == "/unit" else "lots"
        replaced = await self.http_faults(target)
        if replaced is not None:
            return replaced
        try:
            if self._quota.spent():
                raise verification.Refused(429, "the quota of calls is not spent")
            response = self.verification.answer(request.method, path, request.body, caller)
        except verification.Refused as refused:
            self.refusals.record(target, f"verification.{refused.status}", refused.rule)
            response = json_response({"error": refused.rule}, status=refused.status)
        self._note(f"{target}{' ' + path.rsplit('/', 1)[-1] if path.endswith('/result') else ''}", None, "", caller)
        return Response(cut=True) if self.faults.take(target, "lost_answer") else response

    def _note(self, operation: str, message_id: str | None, code: str, caller: envelope.Caller) -> None:
        self._calls.append(
            {
                "at": self._now().isoformat(),
                "operation": operation,
                "message_id": message_id,
                "code": code,
                "caller": caller.common_name or "assertion",
            }
        )

    def _answer(self, request: Request, target: str, caller: envelope.Caller) -> Canned:
        style = replies.Style(
            plain_prefixes=self.faults.take(target, "plain_prefixes") is not None,
            history_dates_first=self.faults.take(target, "history_dates_first") is not None,
        )
        message_id = envelope.message_id_of(request.body)
        try:
            found = self._search(request, target, caller)
        except Refusal as refusal:
            self.refusals.record(target, refusal.code, refusal.rule)
            return Canned(500, replies.fault(refusal.code, message_id, style), refusal.code)
        scripted = self._script.answer(found, self._people, message_id or "")
        if scripted is not None:
            return scripted
        code = "00" if len(found) == 1 else ("02" if found else "01")
        return Canned(200, replies.result(found, style), code)

    def _search(self, request: Request, target: str, caller: envelope.Caller) -> list[people.Person]:
        content_type = request.headers.get("content-type", "")
        asked = envelope.read(request.body, content_type, caller, self._now())
        if asked.message_id in self._seen:
            raise Refusal("desir_9006", "wsa:MessageID is new for each call")
        self._seen.append(asked.message_id)
        if self._quota.spent():
            raise Refusal("desir_9008", "the quota of calls is not spent")
        scripted = self.faults.take(target, "soap_fault")
        if scripted is not None:
            raise Refusal(scripted.code or "desir_1020", "fault script")
        if target == "card":
            return search.by_card(asked.payload, self._people, asked.covered_number, asked.cover)
        return search.by_traits(asked.payload, self._people)


def _caller(peer: x509.Certificate | None) -> envelope.Caller:
    def first(oid: x509.ObjectIdentifier) -> str:
        found = peer.subject.get_attributes_for_oid(oid) if peer is not None else []
        return str(found[0].value) if found else ""

    return envelope.Caller(first(NameOID.COMMON_NAME), first(NameOID.ORGANIZATIONAL_UNIT_NAME))
