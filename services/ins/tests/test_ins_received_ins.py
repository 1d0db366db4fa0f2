"""An INS that came from elsewhere is verified before it is used (RIS.INS.46, RIS.INS.48)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from navette_ins.settings import InsSettings
from navette_sandbox.simulators.insi.server import InsiSimulator

CAME = {
    "site_id": "lilas",
    "matricule": "268043818590119",
    "oid": "1.2.250.1.213.1.4.8",
    "birth_name": "Duval-Fictif",
    "birth_given_names": "Camille Rose",
    "sex": "F",
    "birth_date": "1968-04-17",
    "birth_place_code": "38185",
}


@pytest.fixture
async def verifying(settings: InsSettings, insi: InsiSimulator, open_desk: Any) -> AsyncIterator[Any]:
    changes = {
        "insi_verification": "sandbox",
        "insi_verification_url": f"https://127.0.0.1:{insi.ports()['port']}",
    }
    async with open_desk(InsSettings.model_validate(settings.model_dump() | changes), insi) as desk:
        yield desk


async def ask(desk: Any, expect: int = 200, **changes: Any) -> dict[str, Any]:
    answer = await desk.http.post("/received-ins/verification", json=CAME | changes)
    assert answer.status_code == expect, answer.text
    return dict(answer.json())


@pytest.mark.dsr("RIS.INS.42", "RIS.INS.46", "RIS.INS.48")
async def test_an_ins_that_insi_confirms_may_be_used_and_the_call_is_on_record(verifying: Any) -> None:
    assert (await ask(verifying))["verdict"] == "ok"
    (call,) = verifying.insi.views()["calls"](())
    assert (call["operation"], call["caller"]) == ("unit", "INSI-MANU")
    (row,) = await verifying.service.database["verification_answers"].find().to_list()
    assert (row["operation"], row["code"], row["requested_by"]) == ("verify_received", "OK", "user-1")
    assert "26804" not in repr(row)


@pytest.mark.parametrize("changes", [{"birth_name": "AUTRE-FICTIF"}, {"oid": "1.2.250.1.213.1.4.9"}])
async def test_an_ins_that_insi_does_not_confirm_is_not_to_be_used(verifying: Any, changes: dict[str, Any]) -> None:
    said = await ask(verifying, **changes)
    assert said["verdict"] == "ko"
    assert "ne pas classer" in said["what_to_do"]


@pytest.mark.dsr("RIS.INS.46")
async def test_an_ins_already_held_with_the_same_traits_is_not_asked_about(verifying: Any) -> None:
    patient = await verifying.create()
    assert (await verifying.search(patient["patient_id"]))["state"] == "accepted"
    before = len(verifying.insi.views()["calls"](()))
    assert (await ask(verifying))["verdict"] == "held"
    assert len(verifying.insi.views()["calls"](())) == before
    assert (await ask(verifying, birth_date="1968-04-18"))["verdict"] == "ko"


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"matricule": "268043818590118"}, 422),
        ({"matricule": "2680438185901"}, 422),
        ({"oid": "1.2.3"}, 422),
        ({"sex": "I"}, 422),
        ({"birth_date": "17/04/1968"}, 422),
        ({"birth_name": "Петров"}, 422),
        ({"site_id": "rives"}, 403),
        ({"unknown": 1}, 422),
    ],
)
async def test_what_cannot_be_an_ins_is_refused_before_any_call(
    verifying: Any, changes: dict[str, Any], status: int
) -> None:
    refused = await ask(verifying, expect=status, **changes)
    assert "26804" not in str(refused)
    assert verifying.insi.views()["calls"](()) == []


@pytest.mark.parametrize(
    "fault", [{"kind": "verification_technical"}, {"kind": "http_error", "status": 502}, {"kind": "lost_answer"}]
)
async def test_without_a_verdict_the_ins_is_not_to_be_used(verifying: Any, fault: dict[str, Any]) -> None:
    verifying.insi.faults.add({"target": "unit", "count": 1} | fault)
    assert "ne pas utiliser" in (await ask(verifying, expect=503))["detail"]


async def test_an_installation_without_verification_uses_nothing_received(desk: Any) -> None:
    assert "Vérification non configurée" in (await ask(desk, expect=503))["detail"]
