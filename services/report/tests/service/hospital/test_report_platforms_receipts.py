"""Receipts that wait for a person are closed by one; a receipt counts only from who may send it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from navette_chassis.testing import until
from navette_contracts.events import AccessRecorded

pytestmark = pytest.mark.asyncio(loop_scope="module")

OTHER = {
    "name": "clinique", "label": "PFI de la clinique", "kind": "pfi", "host": "127.0.0.1", "port": 1,
    "application": "PFI-CLINIQUE", "facility": "CLINIQUE", "sending_facility": "CENTRE",
    "certificates": ["pfi.clinique.example"],
}  # fmt: skip
REASON = "Accusé d’un ancien message, vu avec l’éditeur : Mme FICTIVE n’est pas concernée."


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(hospital_with: Any) -> AsyncIterator[Any]:
    async with hospital_with(certificates=["autre.exemple", "pfi-exemple"], platforms=[OTHER]) as hospital:
        yield hospital


@pytest_asyncio.fixture(loop_scope="module")
async def hospital(opened: Any) -> AsyncIterator[Any]:
    opened.in_order()
    yield opened
    opened.pfi.give_up()
    assert [one["rule"] for one in opened.pfi.refusals.entries] == []


def zam(sender: str, number: str, refers_to: str) -> str:
    return (
        f"MSH|^~\\&|{sender}|NAVETTE|CENTRE|20261123||ZAM^Z01^ZAM_Z01|{number}|T|2.6|||||FRA|UNICODE UTF-8\r"
        f"OBX|1|CWE|ACK_RECEPTION_DMP^x^AckMetierZAM|{refers_to}|Y^^expandedYes-NoIndicator||||||F\r"
    )


async def listed(hospital: Any, *states: str) -> list[dict[str, Any]]:
    async with hospital.world.caller("operator") as caller:
        answer = await caller.get("/platforms/receipts", params={"state": list(states)} if states else {})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["receipts"])


async def refused(hospital: Any, raw: str, reason: str) -> dict[str, Any]:
    """Send one; the row an operator sees of it."""
    before = len(await listed(hospital))
    hospital.pfi.commands()["receipt"]({"raw": raw})

    async def there() -> bool:
        return len(await listed(hospital)) > before

    await until(there, 30)
    hospital.pfi.give_up()
    row = (await listed(hospital))[0]
    assert row["reason"] == reason
    return row


async def close(hospital: Any, receipt_id: str, reason: str = REASON, *roles: str) -> Any:
    async with hospital.world.caller(*(roles or ("operator",))) as caller:
        return await caller.post(f"/platforms/receipts/{receipt_id}/close", json={"reason": reason})


async def test_a_receipt_that_was_looked_at_is_closed_with_its_reason_and_on_record(
    hospital: Any, outbox_events: Any
) -> None:
    row = await refused(hospital, zam("PFI-EXEMPLE|CH-EXEMPLE", "C1", "NEVER-SENT"), "message_unknown")
    answer = await close(hospital, row["id"])
    assert answer.status_code == 200, answer.text
    assert row["id"] not in {one["id"] for one in await listed(hospital)}
    (closed,) = [one for one in await listed(hospital, "closed") if one["id"] == row["id"]]
    assert (closed["state_label"], closed["closed_by"], closed["closed_because"]) == ("Clos", "user-1", REASON)
    assert closed["reason"] == "message_unknown"
    records = [event for event, _ in outbox_events.seen if isinstance(event, AccessRecorded)]
    told = [(one.action, one.object_id, one.outcome) for one in records if one.object_id == row["id"]]
    assert told == [("receipts.close", row["id"], "granted")]
    # What a person writes is kept sealed, and for a time only.
    kept = await hospital.world.service.database["platform_receipts"].find_one({"_id": row["id"]})
    assert "FICTIVE" not in repr(kept)
    assert kept["expires_at"] > kept["closed_at"]

    again = await close(hospital, row["id"])
    assert (again.status_code, again.json()["detail"]) == (
        409,
        "Cet accusé est déjà clos, ou pris en compte : il n’attend personne.",
    )


async def test_only_who_looks_after_the_links_closes_a_receipt_that_is_there_and_says_why(hospital: Any) -> None:
    row = await refused(hospital, zam("PFI-EXEMPLE|CH-EXEMPLE", "C2", "NEVER-SENT"), "message_unknown")
    assert (await close(hospital, row["id"], REASON, "secretary", "radiologist")).status_code == 403
    assert (await close(hospital, row["id"], "  ")).status_code == 422
    assert (await close(hospital, "unknown")).status_code == 404
    assert row["id"] in {one["id"] for one in await listed(hospital)}
    assert (await close(hospital, row["id"], REASON, "administrator")).status_code == 200


async def test_the_page_shows_what_waits_and_closes_it_with_a_reason(hospital: Any) -> None:
    row = await refused(hospital, zam("PFI-EXEMPLE|CH-EXEMPLE", "C4", "NEVER-SENT"), "message_unknown")
    where = f"/pages/receipts/{row['id']}"
    async with hospital.world.caller("operator") as caller:
        shown = (await caller.get("/pages/receipts")).text
        assert "PFI du CH d’Exemple" in shown
        assert f'action="receipts/{row["id"]}"' in shown
        assert "L’accusé cite un message que Navette n’a pas envoyé" in shown
        short = await caller.post(where, data={"reason": "-"})
        assert short.status_code == 422
        assert "de 3 à 500 caractères" in short.text
        done = await caller.post(where, data={"reason": "<b>Vu</b> avec l’éditeur"})
        assert (done.status_code, done.headers["location"]) == (303, "/pages/receipts")
        assert row["id"] not in (await caller.get("/pages/receipts")).text
        assert "&lt;b&gt;Vu&lt;/b&gt; avec l’éditeur" in (await caller.get("/pages/receipts?state=closed")).text
        again = await caller.post(where, data={"reason": "Encore"})
        assert again.status_code == 409
        assert "Cet accusé est déjà clos" in again.text
    async with hospital.world.caller("secretary") as caller:
        assert (await caller.get("/pages/receipts")).status_code == 403


async def test_a_receipt_that_is_on_the_journey_cannot_be_closed(hospital: Any) -> None:
    report_id = await hospital.report()
    # The platform of the site shows one of its certificates.
    await hospital.become(report_id, dmp="delivered", doctor="delivered", patient="delivered")
    folded = [one for one in await listed(hospital, "folded") if one["report_id"] == report_id]
    assert (await close(hospital, folded[0]["id"])).status_code == 409


async def test_a_platform_is_not_heard_in_the_name_of_another_one(hospital: Any) -> None:
    raw = zam("PFI-CLINIQUE|CLINIQUE", "C3", "NEVER-SENT")
    row = await refused(hospital, raw, "wrong_certificate")
    assert (row["state"], row["ack_code"], row["platform"]) == ("refused", "AR", "clinique")
    assert row["reason_label"].startswith("Le certificat présenté n’est pas l’un de ceux de la plateforme annoncée")
    # It comes again, and is counted, not kept again.
    known = len(await listed(hospital))
    asked = [one["answer"] for one in hospital.pfi.sent].count("AR")
    hospital.pfi.commands()["receipt"]({"raw": raw})
    await until(lambda: [one["answer"] for one in hospital.pfi.sent].count("AR") > asked, 30)
    hospital.pfi.give_up()
    rows = await listed(hospital)
    assert len(rows) == known
    assert rows[0]["repeats"] >= 1
