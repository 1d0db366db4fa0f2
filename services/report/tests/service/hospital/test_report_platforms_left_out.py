"""Whom a platform refused, the next document of the same version serves: once, and without an operator."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from navette_chassis import UnitOfWork
from navette_chassis.testing import until
from navette_report.adapters.pfi_messages import PlatformMessages
from navette_report.domain.pfi.succession import MessageState
from navette_report.use_cases.refuse_platform_replay import TAKEN_OVER, refuse_platform_replay

pytestmark = pytest.mark.asyncio(loop_scope="module")

DOCTOR = "camille.exemple-martin@medecin.mssante.example"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(hospital_with: Any) -> AsyncIterator[Any]:
    async with hospital_with() as hospital:
        yield hospital


@pytest_asyncio.fixture(loop_scope="module")
async def hospital(opened: Any) -> AsyncIterator[Any]:
    opened.in_order()
    yield opened
    assert [one["rule"] for one in opened.pfi.refusals.entries] == []


@pytest.mark.dsr("RIS.INS.37", "RIS.INTRA.01")
async def test_a_doctor_who_was_refused_is_served_with_the_dmp_and_the_patient_once_the_ins_is_qualified(
    hospital: Any, said: Any
) -> None:
    hospital.pfi.faults.add({"kind": "ae", "code": "902", "count": 1})
    patient_id = hospital.world.new_patient()
    report_id = await hospital.report(qualified=False, patient_id=patient_id)
    await hospital.become(report_id, doctor="refused", ch_1="refused")
    await hospital.qualify(patient_id, 2)
    lines = await hospital.become(report_id, dmp="delivered", patient="delivered", doctor="delivered", ch_2="delivered")
    ((action, message),) = hospital.taken()
    assert (action, said(message)) == ("create", "YYY")
    assert (lines["ch/1"]["state"], lines["ch/1"]["who_must_act"]) == ("cancelled", "nobody")
    # The message that was refused must not write to the doctor a second time.
    assert await hospital.replay(report_id) == [TAKEN_OVER]
    await hospital.act(report_id, "withdraw")
    await hospital.become(report_id, "withdrawal", ch_2="delivered", dmp="delivered", doctor="delivered")
    assert hospital.documents() == ["deleted"]


@pytest.mark.parametrize("withheld", [False, True])
@pytest.mark.dsr("RIS.DMP.06", "RIS.INTRA.01")
async def test_what_was_hidden_and_refused_leaves_visible_once_it_is_announced(
    hospital: Any, said: Any, *, withheld: bool
) -> None:
    hospital.pfi.faults.add({"kind": "ae", "code": "906", "count": 1})
    report_id = await hospital.report(announcement_needed=True, withheld_from_patient=withheld)
    await hospital.become(report_id, dmp="refused", doctor="refused")
    await hospital.act(report_id, "announce")
    await hospital.become(report_id, dmp="delivered", doctor="delivered", ch_2="delivered")
    ((action, message),) = hospital.taken()
    assert (action, said(message)) == ("create", "YYN" if withheld else "YYY")
    hides = {one.value(3): one.value(5) for one in message.all("OBX")[1:]}["INVISIBLE_PATIENT"]
    assert hides == "N"
    # Replayed now, the former message would hide in the DMP what was announced.
    assert await hospital.replay(report_id) == [TAKEN_OVER]


async def test_what_the_platform_may_have_is_not_sent_to_the_same_people_by_the_next_document(
    hospital: Any, said: Any
) -> None:
    hospital.pfi.faults.add({"kind": "lost_answer", "count": 1})
    patient_id = hospital.world.new_patient()
    report_id = await hospital.report(qualified=False, patient_id=patient_id)
    rows = hospital.world.service.database["deliveries"]

    async def uncertain() -> bool:
        return await rows.find_one({"state": "unknown", "group": f"platform-ch/{report_id}"}) is not None

    await until(uncertain, 30)
    hospital.pfi.faults.add({"kind": "ae", "code": "906", "count": 1})
    await hospital.become(report_id, doctor="delivered")  # by its receipt

    async def refused() -> bool:
        row = await hospital.world.service.database["platform_messages"].find_one({"report_id": report_id})
        return row is not None and row["state"] == "doubtful"

    await until(refused, 30)
    await hospital.qualify(patient_id, 2)
    await hospital.become(report_id, dmp="delivered", patient="delivered", ch_2="delivered")
    assert [said(message) for _, message in hospital.taken()] == ["NYN", "YNY"]


async def test_a_receipt_about_a_refused_message_shows_that_the_platform_has_it(hospital: Any, said: Any) -> None:
    hospital.pfi.faults.add({"kind": "ae", "code": "906", "count": 1})
    patient_id = hospital.world.new_patient()
    report_id = await hospital.report(qualified=False, patient_id=patient_id)
    await hospital.become(report_id, doctor="refused")
    messages = hospital.world.service.database["platform_messages"]
    number = (await messages.find_one({"report_id": report_id}))["_id"]
    raw = (
        "MSH|^~\\&|PFI-EXEMPLE|CH-EXEMPLE|NAVETTE|CENTRE|20261123||ZAM^Z02^ZAM_Z01|S1|T|2.6|||||FRA|UNICODE UTF-8\r"
        f"OBX|1|CWE|ACK_RECEPTION_MSS^x^AckMetierZAM|{number}|Y^^expandedYes-NoIndicator||||||F\r"
        f"OBX|2|XTN|DESTINATAIRE_MSS^x^AckMetierZAM||^^X.400^{DOCTOR}||||||F\r"
    )
    hospital.pfi.commands()["receipt"]({"raw": raw})
    await hospital.become(report_id, doctor="delivered")
    await hospital.qualify(patient_id, 2)
    await hospital.become(report_id, dmp="delivered", patient="delivered", ch_2="delivered")
    assert [said(message) for _, message in hospital.taken()] == ["YNY"]


async def test_when_it_is_refused_again_only_the_last_document_can_be_replayed(hospital: Any, said: Any) -> None:
    hospital.pfi.faults.add({"kind": "ae", "code": "902"})
    patient_id = hospital.world.new_patient()
    report_id = await hospital.report(qualified=False, patient_id=patient_id)
    await hospital.become(report_id, doctor="refused")
    await hospital.qualify(patient_id, 2)
    await hospital.become(report_id, ch_2="refused", ch_1="cancelled", dmp="refused", patient="refused")
    await hospital.become(report_id, doctor="refused")
    hospital.pfi.faults.clear()
    assert await hospital.replay(report_id) == [TAKEN_OVER, "replayed"]
    await hospital.become(report_id, dmp="delivered", patient="delivered", doctor="delivered")
    assert [said(message) for _, message in hospital.taken()] == ["YYY"]


async def test_one_that_is_being_replayed_is_not_taken_over(hospital: Any, said: Any) -> None:
    hospital.pfi.faults.add({"kind": "ae", "code": "902", "count": 1})
    patient_id = hospital.world.new_patient()
    report_id = await hospital.report(qualified=False, patient_id=patient_id)
    await hospital.become(report_id, doctor="refused")
    hospital.pfi.faults.add({"kind": "down"})
    assert await hospital.replay(report_id) == ["replayed"]
    await hospital.qualify(patient_id, 2)
    await hospital.become(report_id, ch_2="scheduled")
    hospital.pfi.faults.clear()
    await hospital.become(report_id, dmp="delivered", patient="delivered", doctor="delivered")
    assert [said(message) for _, message in hospital.taken()] == ["NYN", "YNY"]


async def test_when_a_replay_and_the_next_document_meet_only_one_of_them_goes_on(hospital: Any) -> None:
    hospital.pfi.faults.add({"kind": "ae", "code": "902", "count": 1})
    report_id = await hospital.report(qualified=False)
    await hospital.become(report_id, doctor="refused")
    service = hospital.world.service
    number = (await service.database["platform_messages"].find_one({"report_id": report_id}))["_id"]
    begun, replaying, seen = asyncio.Event(), asyncio.Event(), list[MessageState]()

    async def next_document(uow: UnitOfWork) -> bool:
        messages = PlatformMessages(uow)
        message = await messages.get(number)
        assert message is not None
        seen.append(message.state)
        if message.state is not MessageState.REFUSED:
            return False
        begun.set()
        await replaying.wait()  # what it goes by was read before the replay
        await messages.take_over(number)
        return True

    composing = asyncio.create_task(service.transact(next_document))
    await begun.wait()
    assert await service.transact(lambda uow: refuse_platform_replay({"number": number}, uow)) is None
    replaying.set()
    assert await composing is False
    assert seen == [MessageState.REFUSED, MessageState.SCHEDULED]
