"""One attempt, with everything outside replaced: what it does after a doubt, and what it never does."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from navette_chassis import ManualClock
from navette_chassis.deliveries import Delivery, OutcomeKind
from navette_contracts.events import RecipientRole, WhoMustAct
from navette_documents.sites import Site
from navette_mss.domain.archive import Software
from navette_mss.domain.order import MailOrder
from navette_mss.domain.outcomes import Stage
from navette_mss.domain.receipts import Receipt, ReceiptKind
from navette_mss.domain.record import FrozenMail
from navette_mss.domain.resolution import Candidate, Decision, Resolution
from navette_mss.use_cases.ports import (
    DirectoryAnswerError,
    DirectoryUnavailableError,
    DocumentUnavailableError,
    Envelope,
    MailboxUnavailableError,
    MessageTooLargeError,
    TransmissionError,
)
from navette_mss.use_cases.send_mail import MailRules, SendMail

NOW = datetime(2026, 11, 22, 9, 15, tzinfo=UTC)


@dataclass
class World:
    """Fakes of report, directory, operator, mailbox and memory, in one object."""

    files: dict[str, bytes]
    site: Site
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOW))
    address: str = "a@m.mssante.fr"
    answer: int | Exception = 250
    directory_error: Exception | None = None
    receipt: Receipt | None = None
    mailbox_down: bool = False
    report_down: bool = False
    sent: list[tuple[Envelope, bytes]] = field(default_factory=list)
    memory: dict[str, FrozenMail] = field(default_factory=dict)
    earlier: tuple[str, ...] = ()
    forgotten: list[tuple[str | None, str | None]] = field(default_factory=list)

    async def fetch(self, document_id: str, kind: str, sha256: str, size: int) -> bytes:
        if self.report_down:
            raise DocumentUnavailableError("503")
        return self.files[kind]

    async def resolve(self, rpps: str | None, finess: str | None) -> Resolution:
        if self.directory_error is not None:
            raise self.directory_error
        return Resolution(Decision.AUTO, (Candidate(self.address, 100, "test"),))

    def forget(self, rpps: str | None, finess: str | None) -> None:
        self.forgotten.append((rpps, finess))

    async def send(self, envelope: Envelope, message: bytes) -> int:
        self.sent.append((envelope, message))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def refresh(self) -> None:
        if self.mailbox_down:
            raise MailboxUnavailableError("OSError")

    async def about(self, envelope_id: str, message_id: str) -> Receipt | None:
        return self.receipt

    async def frozen(self, key: str) -> FrozenMail | None:
        return self.memory.get(key)

    async def freeze(self, key: str, mail: FrozenMail) -> None:
        self.memory[key] = mail

    async def earlier_sent(self, report_id: str, recipient_id: str, key: str) -> tuple[str, ...]:
        return self.earlier

    def attempt(self) -> SendMail:
        rules = MailRules(
            recipient_domains=("*.mssante.fr",),
            patient_domain="patient.mssante.fr",
            production=True,
            product_reference="DEV000000",
            software=Software("Navette", "0.1"),
            receipt_grace=timedelta(seconds=60),
        )
        return SendMail(self, self, self, self, self, {"rives-a": self.site}, rules, self.clock)

    def delivery(self, *, must_query: bool = False, **changes: Any) -> Delivery:
        order = self.order(**changes)
        return Delivery("d1", "mss.send", order.key, order.group, order.to_payload(), 1, must_query, NOW, NOW)

    def order(self, **changes: Any) -> MailOrder:
        values: dict[str, Any] = {
            "report_id": "report-1",
            "version": 1,
            "site_id": "rives-a",
            "recipient_id": "r1",
            "role": RecipientRole.REQUESTER,
            "rpps": "99700002001",
            "finess": None,
            "document_id": "doc-1",
            "ins_qualified": True,
            "hidden_from_professionals": False,
            "hidden_from_patient": False,
            "hidden_from_representatives": False,
        }
        for kind, content in self.files.items():
            values[f"{kind}_sha256"] = hashlib.sha256(content).hexdigest()
            values[f"{kind}_size"] = len(content)
        return MailOrder(**values | changes)


@pytest.fixture
def world(cda: Callable[..., bytes], pdf: bytes, site: Site) -> World:
    return World({"cda": cda(), "pdf": pdf}, site)


LOST = TransmissionError(Stage.DATA, "answer-lost", ambiguous=True)


async def doubtful(world: World) -> None:
    """A first attempt whose answer was lost."""
    world.answer = LOST
    outcome = await world.attempt()(world.delivery())
    assert (outcome.kind, outcome.code) == (OutcomeKind.AMBIGUOUS, "answer-lost")
    world.answer = 250


async def test_a_mail_is_remembered_before_it_leaves(world: World) -> None:
    outcome = await world.attempt()(world.delivery())
    (frozen,) = world.memory.values()
    (envelope, message) = world.sent[0]
    assert outcome.remote_ids == {"message_id": frozen.message_id}
    assert frozen.sha256 == hashlib.sha256(message).hexdigest()
    assert (frozen.address, envelope.recipient) == (world.address, world.address)


async def test_the_address_of_a_patient_is_not_remembered(world: World, matricule: str) -> None:
    await world.attempt()(world.delivery(role=RecipientRole.PATIENT, recipient_id="patient"))
    (frozen,) = world.memory.values()
    assert world.sent[0][0].recipient == f"{matricule}@patient.mssante.fr"
    assert frozen.address is None
    assert matricule not in repr(world.memory)


async def test_after_a_doubt_silence_waits_then_sends_the_same_bytes(world: World) -> None:
    await doubtful(world)
    waiting = await world.attempt()(world.delivery(must_query=True))
    assert (waiting.kind, waiting.code) == (OutcomeKind.AMBIGUOUS, "awaiting-notification")
    assert len(world.sent) == 1
    world.clock.advance(timedelta(seconds=61))
    world.address = "demenage@m.mssante.fr"
    done = await world.attempt()(world.delivery(must_query=True))
    assert done.kind is OutcomeKind.DELIVERED
    assert world.sent[0] == world.sent[1]


async def test_a_refused_address_is_forgotten_and_a_replay_uses_the_corrected_one(world: World) -> None:
    world.answer = TransmissionError(Stage.RECIPIENT, "smtp-550", smtp_code=550)
    refused = await world.attempt()(world.delivery())
    assert (refused.kind, world.forgotten) == (OutcomeKind.PERMANENT, [("99700002001", None)])
    world.answer, world.address = 250, "corrigee@m.mssante.fr"
    done = await world.attempt()(world.delivery())
    assert done.kind is OutcomeKind.DELIVERED
    (first, before), (second, after) = world.sent
    assert (first.recipient, second.recipient) == ("a@m.mssante.fr", "corrigee@m.mssante.fr")
    assert (first.envelope_id, first.mailbox) == (second.envelope_id, second.mailbox)
    assert before.replace(b"a@m.mssante.fr", b"corrigee@m.mssante.fr") == after


async def test_after_a_doubt_a_notification_of_delivery_ends_it(world: World) -> None:
    await doubtful(world)
    world.receipt = Receipt(ReceiptKind.DELIVERED, "2.0.0", None, None)
    outcome = await world.attempt()(world.delivery(must_query=True))
    assert (outcome.kind, outcome.code, len(world.sent)) == (OutcomeKind.DELIVERED, "notified", 1)


async def test_after_a_doubt_a_notification_of_failure_ends_it(world: World) -> None:
    await doubtful(world)
    world.receipt = Receipt(ReceiptKind.FAILED, "5.1.1", None, None)
    outcome = await world.attempt()(world.delivery(must_query=True))
    assert (outcome.kind, outcome.code) == (OutcomeKind.PERMANENT, "dsn-5.1.1")
    assert (outcome.who_must_act, len(world.sent)) == (WhoMustAct.SECRETARY, 1)


async def test_after_a_doubt_a_mailbox_that_cannot_be_read_keeps_it_a_doubt(world: World) -> None:
    await doubtful(world)
    world.mailbox_down = True
    world.clock.advance(timedelta(hours=1))
    outcome = await world.attempt()(world.delivery(must_query=True))
    assert (outcome.kind, outcome.endpoint_down, len(world.sent)) == (OutcomeKind.AMBIGUOUS, True, 1)


async def test_a_crash_before_anything_was_remembered_sends_at_once(world: World) -> None:
    outcome = await world.attempt()(world.delivery(must_query=True))
    assert (outcome.kind, len(world.sent)) == (OutcomeKind.DELIVERED, 1)


@pytest.mark.parametrize(
    "trouble",
    [
        {"report_down": True},
        {"answer": TransmissionError(Stage.CONNECT, "unreachable")},
        {"answer": TransmissionError(Stage.RECIPIENT, "smtp-450", smtp_code=450)},
    ],
)
async def test_trouble_during_a_resend_leaves_the_doubt(world: World, trouble: dict[str, Any]) -> None:
    await doubtful(world)
    world.clock.advance(timedelta(seconds=61))
    for name, value in trouble.items():
        setattr(world, name, value)
    outcome = await world.attempt()(world.delivery(must_query=True))
    assert outcome.kind is OutcomeKind.AMBIGUOUS


@pytest.mark.parametrize(
    ("answer", "kind", "down"),
    [
        (TransmissionError(Stage.CONNECT, "unreachable"), OutcomeKind.TRANSIENT, True),
        (TransmissionError(Stage.SESSION, "smtp-535", smtp_code=535), OutcomeKind.TRANSIENT, True),
        (TransmissionError(Stage.SESSION, "smtp-451", smtp_code=451), OutcomeKind.TRANSIENT, True),
        (TransmissionError(Stage.RECIPIENT, "smtp-450", smtp_code=450), OutcomeKind.TRANSIENT, False),
        (TransmissionError(Stage.RECIPIENT, "smtp-550", smtp_code=550), OutcomeKind.PERMANENT, False),
        (TransmissionError(Stage.DATA, "smtp-554", smtp_code=554), OutcomeKind.PERMANENT, False),
        (MessageTooLargeError(), OutcomeKind.PERMANENT, False),
    ],
)
async def test_each_answer_has_its_class(world: World, answer: Exception, kind: OutcomeKind, down: bool) -> None:
    world.answer = answer
    outcome = await world.attempt()(world.delivery())
    assert (outcome.kind, outcome.endpoint_down) == (kind, down)


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (DirectoryUnavailableError("directory-unavailable"), OutcomeKind.TRANSIENT, "directory-unavailable"),
        (DirectoryAnswerError(), OutcomeKind.PERMANENT, "directory-answer-refused"),
    ],
)
async def test_the_directory_decides_nothing_by_silence(
    world: World, error: Exception, kind: OutcomeKind, code: str
) -> None:
    world.directory_error = error
    outcome = await world.attempt()(world.delivery())
    assert (outcome.kind, outcome.code, world.sent) == (kind, code, [])


async def test_a_document_that_cannot_be_read_is_not_sent(world: World) -> None:
    for broken in (b"<x/>", b"no xml", world.files["cda"].replace(b"<documentationOf>", b"<other>")):
        world.files["cda"] = broken
        outcome = await world.attempt()(world.delivery())
        assert (outcome.code, outcome.who_must_act) == ("document-unreadable", WhoMustAct.OPERATOR)
    assert world.sent == []


@pytest.mark.dsr("RIS.MSS.12")
async def test_the_patient_gets_nothing_when_the_edition_was_not_made_for_a_qualified_identity(world: World) -> None:
    patient = {"role": RecipientRole.PATIENT, "recipient_id": "patient", "ins_qualified": False}
    outcome = await world.attempt()(world.delivery(**patient))
    assert (outcome.code, outcome.who_must_act, world.sent) == ("ins-not-qualified", WhoMustAct.SECRETARY, [])


async def test_a_replacement_stays_one_over_its_attempts(world: World) -> None:
    world.earlier = ("<premier@rives.mssante.example>",)
    await doubtful(world)
    world.earlier = ()
    world.clock.advance(timedelta(seconds=61))
    await world.attempt()(world.delivery(must_query=True))
    assert world.sent[0] == world.sent[1]
    assert b"ANNULE ET REMPLACE" in world.sent[1][1]


async def test_bytes_of_another_release_still_leave_under_the_same_id(world: World) -> None:
    await doubtful(world)
    key, frozen = next(iter(world.memory.items()))
    world.memory[key] = replace(frozen, sha256="0" * 64)
    world.clock.advance(timedelta(seconds=61))
    outcome = await world.attempt()(world.delivery(must_query=True))
    assert outcome.remote_ids == {"message_id": frozen.message_id}
