"""An identity that loses its qualification between two versions: the DMP's copy stays within reach."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(hospital_with: Any) -> AsyncIterator[Any]:
    async with hospital_with() as hospital:
        yield hospital


@pytest_asyncio.fixture(loop_scope="module")
async def hospital(opened: Any) -> AsyncIterator[Any]:
    opened.in_order()
    yield opened
    assert [one["rule"] for one in opened.pfi.refusals.entries] == []


async def corrected_without_ins(hospital: Any) -> tuple[str, str]:
    """Version 1 in the DMP under the INS; version 2, made since the INS is not qualified, at the doctor's."""
    patient_id = hospital.world.new_patient()
    report_id = await hospital.report(patient_id=patient_id)
    await hospital.become(report_id, dmp="delivered", doctor="delivered", patient="delivered")
    await hospital.qualify(patient_id, 2, qualified=False)
    await hospital.replace(report_id, built_on=1)
    await hospital.become(report_id, doctor="delivered", dmp="waiting", patient="waiting")
    return patient_id, report_id


@pytest.mark.dsr("RIS.DMP.02", "DB/RIS.10", "RIS.INS.37")
async def test_withdrawn_when_the_ins_is_not_qualified_any_more_it_leaves_the_dmp_all_the_same(
    hospital: Any, said: Any
) -> None:
    _, report_id = await corrected_without_ins(hospital)
    await hospital.act(report_id, "withdraw")
    everyone = {"dmp": "delivered", "doctor": "delivered", "patient": "delivered"}
    lines = await hospital.become(report_id, "withdrawal", ch_1="delivered", ch_2="delivered", **everyone)
    assert lines["dmp"]["state_label"] == "Supprimé"
    assert hospital.documents() == ["deleted", "deleted"]
    matricule = hospital.world.samples.identity().ins.matricule
    orders = [message for action, message in hospital.taken() if action == "delete"]
    # Each order is written under the identity its document was handed over with.
    assert sorted((said(one), matricule in one.require("PID").raw(3)) for one in orders) == [
        ("NYN", False),
        ("YYY", True),
    ]


@pytest.mark.dsr("RIS.INS.37", "RIS.DMP.02")
async def test_qualified_again_the_correction_replaces_in_the_dmp_what_the_dmp_holds(hospital: Any, said: Any) -> None:
    patient_id, report_id = await corrected_without_ins(hospital)
    await hospital.qualify(patient_id, 3)
    await hospital.become(report_id, dmp="delivered", patient="delivered", doctor="delivered")
    (_, first), (_, second), (action, third) = hospital.taken()
    assert (action, said(third)) == ("replace", "YNY")
    assert third.require("TXA").value(13) == first.require("TXA").value(12)
    assert said(second) == "NYN"
    assert hospital.documents() == ["replaced", "current", "current"]


async def test_whoever_the_correction_does_not_name_any_more_is_told_of_it_too(hospital: Any) -> None:
    patient_id = hospital.world.new_patient()
    report_id = await hospital.report(patient_id=patient_id)
    await hospital.become(report_id, doctor="delivered")
    await hospital.qualify(patient_id, 2, qualified=False)
    other = hospital.world.samples.requester(
        recipient_id="corr-2", mss_address="alex.exemple@medecin.mssante.example", given_name="Alex"
    )
    await hospital.replace(report_id, built_on=1, correspondents=(other,))
    await hospital.become(report_id, **{"doctor": "delivered", "corr-2": "delivered", "ch_2": "delivered"})
