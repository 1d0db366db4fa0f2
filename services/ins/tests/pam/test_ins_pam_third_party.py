"""Another domain sends an INS: INSi verifies it before anything of it counts (RIS.INS.38, .44 to .46)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from navette_chassis.testing import until
from navette_sandbox.simulators.insi.server import InsiSimulator

Adt = Callable[..., bytes]
INS = "268043818590119"
OWN = f"100200^^^AUTRE&990000019&M^PI~{INS}^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.8&ISO^INS"
PERSON = {
    "MSH_4": "AUTRE",
    "PID_3": OWN,
    "PID_5": "DUVAL-FICTIF^CAMILLE^CAMILLE ROSE^^^^L",
    "PID_7": "19680417",
    "PID_8": "F",
    "PID_11": "^^^^^FRA^BDL^^38185",
}
QUALIFIED = "adt_a28_create_qualified"


@pytest.fixture
async def verifying(open_links: Callable[..., Any], insi: InsiSimulator) -> AsyncIterator[Any]:
    url = f"https://127.0.0.1:{insi.ports()['port']}"
    async with open_links(insi_verification="sandbox", insi_verification_url=url) as links:
        yield links


async def settled(links: Any) -> str:
    """The state of the only message, once INSi has spoken."""

    async def state() -> str | None:
        (row,) = await links.service.database["pam_messages"].find({}).sort("received_at", -1).limit(1).to_list()
        return str(row["state"]) if row["state"] != "waiting" else None

    return await until(state)


async def calls(links: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = await links.service.database["verification_answers"].find({}).to_list()
    return rows


@pytest.mark.dsr("RIS.INS.38", "RIS.INS.42", "RIS.INS.46")
async def test_an_ins_that_insi_confirms_is_taken_over_and_the_check_stays_to_be_made(verifying: Any, adt: Adt) -> None:
    assert (await verifying.send(adt(QUALIFIED, **PERSON))).code == "AA"
    assert await settled(verifying) == "integrated"
    identity = await verifying.identity()
    assert (identity.status, identity.recovery.matricule, identity.check) == ("recuperee", INS, None)
    (call,) = await calls(verifying)
    assert (call["operation"], call["code"], call["requested_by"]) == ("verify_received", "OK", "pam:autre")
    assert await verifying.service.database["insi_searches"].count_documents({}) == 0


@pytest.mark.dsr("RIS.INS.45", "RIS.INS.47")
async def test_an_unknown_person_whose_ins_is_not_confirmed_is_recorded_without_it(
    verifying: Any, insi: InsiSimulator, adt: Adt
) -> None:
    insi.faults.add({"kind": "verification_ko", "target": "unit"})
    assert (await verifying.send(adt(QUALIFIED, **PERSON))).code == "AA"
    assert await settled(verifying) == "to_review"
    identity = await verifying.identity()
    assert (identity.status, identity.recovery, identity.former_ins) == ("provisoire", None, ())
    (message,) = await verifying.messages("to_review")
    assert message["remarks"] == ["ins_not_confirmed"]
    assert message["remark_labels"] == ["INS non reprise : INSi ne la confirme pas, un cas est ouvert."]
    (item,) = (await verifying.act_on_site("verification_ko"))["items"]
    assert "prévenir l’émetteur" in item["next_step"]
    record = await verifying.ask("GET", f"/patients/{identity.patient_id}")
    assert "received_ins_not_confirmed" in {one["code"] for one in record["warnings"]}


@pytest.mark.dsr("RIS.INS.44", "RIS.INS.47")
@pytest.mark.parametrize("confirmed", [True, False])
async def test_a_person_known_here_is_changed_only_by_what_insi_confirms(
    verifying: Any, insi: InsiSimulator, adt: Adt, confirmed: bool
) -> None:
    await verifying.send(adt(QUALIFIED, **PERSON | {"PID_5": "DUVAL^CAMILLE^^^^^L", "PID_32": "PROV", "MSH_10": "K1"}))
    before = await verifying.identity()
    assert (before.traits.birth_name, before.recovery) == ("DUVAL", None)
    if not confirmed:
        insi.faults.add({"kind": "verification_ko", "target": "unit"})
    await verifying.send(adt("adt_a31_update_traits", **PERSON | {"MSH_10": "K2", "PID_32": "VALI"}))
    state = await settled(verifying)
    identity = await verifying.identity()
    if confirmed:
        assert (state, identity.traits.birth_name, identity.status) == ("integrated", "DUVAL-FICTIF", "recuperee")
    else:
        assert (state, identity) == ("to_review", before)


@pytest.mark.dsr("RIS.INS.46")
async def test_an_ins_that_is_recovered_here_already_is_not_asked_about(verifying: Any, adt: Adt) -> None:
    await verifying.send(adt(QUALIFIED, **PERSON))
    await settled(verifying)
    assert (await verifying.send(adt(QUALIFIED, **PERSON | {"MSH_10": "K3"}))).code == "AA"
    assert await settled(verifying) == "integrated"
    assert len(await calls(verifying)) == 1


async def test_what_a_person_established_here_meanwhile_is_kept(verifying: Any, insi: InsiSimulator, adt: Adt) -> None:
    insi.faults.add({"kind": "down"})
    await verifying.send(adt(QUALIFIED, **PERSON))
    patient_id = (await verifying.identity()).patient_id
    await verifying.act(patient_id, "attributes", attribute="douteuse")
    insi.faults.clear()
    assert await settled(verifying) == "to_review"
    identity = await verifying.identity()
    assert (identity.status, identity.recovery) == ("provisoire", None)
    assert (await verifying.messages("to_review"))[0]["remarks"] == ["doubtful_here"]


async def test_a_newer_message_of_the_same_person_speaks_for_itself(
    verifying: Any, insi: InsiSimulator, adt: Adt
) -> None:
    insi.faults.add({"kind": "down"})
    await verifying.send(adt(QUALIFIED, **PERSON))
    await verifying.send(adt(QUALIFIED, **PERSON | {"MSH_10": "K4", "PID_32": "PROV"}))
    insi.faults.clear()

    async def done() -> bool:
        return await verifying.service.database["pam_messages"].count_documents({"state": "waiting"}) == 0

    await until(done)
    assert (await verifying.identity()).recovery is None


async def test_an_ins_that_another_record_holds_is_a_question_for_the_cell(verifying: Any, adt: Adt) -> None:
    await verifying.qualify()
    await verifying.send(adt(QUALIFIED, **PERSON))
    assert await settled(verifying) == "to_review"
    assert (await verifying.messages("to_review"))[0]["remarks"] == ["ins_held_by_another"]
    assert [one.recovery is None for one in await verifying.identities()] == [False, True]


async def test_nothing_of_the_person_waits_in_clear(verifying: Any, insi: InsiSimulator, adt: Adt) -> None:
    insi.faults.add({"kind": "down"})
    await verifying.send(adt(QUALIFIED, **PERSON))
    rows = await verifying.service.database["deliveries"].find({}).to_list()
    assert rows
    assert not [word for word in (INS, INS[:13], "DUVAL", "1968") if word in str([row["payload"] for row in rows])]
