"""The whole service on an embedded broker and database: each mail reaches one end, and the report is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from navette_chassis.testing import running, until
from navette_contracts.events import MssDelivered, MssSent


@pytest.mark.dsr("RIS.MSS.18")
@pytest.mark.dsr("RIS.MSS.19")
@pytest.mark.dsr("RIS.MSS.22")
async def test_requester_and_patient_each_get_one_mail_and_the_facts_are_told(world: Any, matricule: str) -> None:
    event = world.composed(audience=["professionals", "patient"])
    async with running(world.service()):
        await world.send(event)
        told = await world.told(event, 4)
    kinds = {(type(one), one.recipient_id) for one in told}
    assert kinds == {(kind, who) for kind in (MssSent, MssDelivered) for who in (f"r-{world.CAMILLE[0]}", "patient")}
    for recipient in (f"r-{world.CAMILLE[0]}", "patient"):
        assert [type(one) for one in told if one.recipient_id == recipient] == [MssSent, MssDelivered]
    patient = f"{matricule}@patient.mssante.example"
    assert len(world.inbox(world.CAMILLE[1])) == len(world.inbox(patient)) == 1
    assert world.operator.refusals.entries == []
    assert world.directory.refusals.entries == []


async def test_the_same_fact_told_again_is_mailed_once(world: Any) -> None:
    event = world.composed()
    async with running(world.service()):
        event_id = await world.send(event)
        await world.send(event, event_id=event_id)
        await world.send(event)
        last = world.composed(report="b")
        await world.send(last)
        await world.told(event, 2)
        await world.told(last, 2)
    assert len(world.inbox(world.CAMILLE[1])) == 2
    assert world.operator.store.duplicates == []


@pytest.mark.dsr("RIS.MSS.12")
async def test_an_edition_without_qualified_identity_goes_to_professionals_only(world: Any) -> None:
    event = world.composed(cda={"ins": None}, ins_qualified=False)
    refused = world.composed(report="b", cda={"ins": None}, ins_qualified=False, audience=["patient"])
    async with running(world.service()):
        await world.send(event)
        await world.send(refused)
        await world.told(event, 2)
        (outcome,) = await world.told(refused, 1)
    assert world.failed(outcome) == ("ins-not-qualified", "permanent", "secretary")
    assert b"X-MSS-INS: N" in world.inbox(world.CAMILLE[1])[0]


@pytest.mark.parametrize(
    ("rpps", "code", "who"),
    [
        ("99700002092", "address-unknown", "secretary"),
        ("99700002100", "address-unknown", "secretary"),
        ("99700002084", "address-ambiguous", "secretary"),
        ("99700002134", "smtp-552", "secretary"),
        ("99700002142", "smtp-550", "secretary"),
        ("99700002167", "smtp-550", "secretary"),
    ],
)
async def test_a_recipient_who_cannot_receive_is_told_with_the_reason(
    world: Any, rpps: str, code: str, who: str
) -> None:
    event = world.composed(to=(rpps,))
    async with running(world.service()):
        await world.send(event)
        (outcome,) = await world.told(event, 1)
    assert world.failed(outcome) == (code, "permanent", who)


async def test_a_mail_that_is_returned_afterwards_is_told(world: Any) -> None:
    event = world.composed(to=("99700002159",))
    async with running(world.service()):
        await world.send(event)
        sent, returned = await world.told(event, 2)
    assert isinstance(sent, MssSent)
    assert world.failed(returned) == ("dsn-5.1.1", "permanent", "secretary")


@pytest.mark.parametrize(
    ("changes", "code", "error_class"),
    [
        ({"visibility": {"hidden_from_professionals": True}}, "hidden-from-professionals", "cancelled"),
        (
            {"visibility": {"hidden_from_patient": True}, "audience": ["patient"]},
            "hidden-from-patient",
            "cancelled",
        ),
        (
            {"visibility": {"hidden_from_representatives": True}, "audience": ["patient"]},
            "hidden-from-representatives",
            "cancelled",
        ),
        ({"site_id": "ailleurs"}, "site-unknown", "permanent"),
        ({"recipients": [{"recipient_id": "r-x", "role": "copy"}]}, "recipient-without-identifier", "permanent"),
    ],
)
async def test_what_must_not_leave_is_stopped_here_too(
    world: Any, changes: dict[str, Any], code: str, error_class: str
) -> None:
    event = world.composed(**changes)
    async with running(world.service()):
        await world.send(event)
        (outcome,) = await world.told(event, 1)
    assert world.failed(outcome)[:2] == (code, error_class)
    assert world.everything() == []


async def test_an_address_outside_the_trusted_domains_gets_nothing(world: Any) -> None:
    event = world.composed()
    async with running(world.service(recipient_domains=("*.mssante.fr",))):
        await world.send(event)
        (outcome,) = await world.told(event, 1)
    assert world.failed(outcome) == ("domain-not-trusted", "permanent", "administrator")
    assert world.everything() == []


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda document: document + b" ", "document-altered"),
        (lambda _: None, "document-not-found"),
    ],
)
async def test_a_document_that_is_not_the_promised_one_is_not_sent(
    world: Any, spoil: Callable[[bytes], bytes | None], code: str
) -> None:
    event = world.composed()
    name = f"{event.document.document_id}/cda"
    spoiled = spoil(world.neighbours.documents.pop(name))
    if spoiled is not None:
        world.neighbours.documents[name] = spoiled
    async with running(world.service()):
        await world.send(event)
        (outcome,) = await world.told(event, 1)
    assert world.failed(outcome) == (code, "permanent", "operator")


async def test_a_report_service_or_directory_in_trouble_only_delays(world: Any) -> None:
    event = world.composed()
    world.neighbours.down = True
    world.directory.faults.add({"kind": "http_error", "status": 503, "count": 1})
    service = world.service()
    async with running(service):
        await world.send(event)
        await until(lambda: world.neighbours.calls)
        world.neighbours.down = False
        told = await world.told(event, 2)
    assert [type(one) for one in told] == [MssSent, MssDelivered]
    assert len(world.inbox(world.CAMILLE[1])) == 1


async def test_what_matches_no_mail_of_ours_stays_visible(world: Any) -> None:
    service = world.service()
    mailbox = "comptes-rendus@imagerie-des-rives.mssante.example"
    world.operator.store.deliver(mailbox, b"From: a@b.example\r\nSubject: question\r\n\r\nBonjour\r\n", "a@b.example")
    async with running(service):
        row = await until(lambda: service.database["receipts"].find_one({"mail": None}))
    assert (row["kind"], row["status"]) == ("other", None)
