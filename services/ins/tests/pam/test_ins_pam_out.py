"""Connected systems are told of every change of an identity, in order, over mutual TLS (RIS.INS.34, .36, .37, .51)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from navette_documents.hl7v2 import read_identifiers, read_ins, read_pid, read_proofs
from navette_ins.domain.pam.destinations import load_systems
from pydantic import ValidationError

INS = "268043818590119"


async def told_so_far(wait: Any, receiver: Any, number: int) -> list[str]:
    await wait(lambda: len(receiver.messages) >= number)
    assert len(receiver.messages) == number
    shown: list[str] = receiver.told()
    return shown


@pytest.mark.dsr("RIS.INS.34", "RIS.INS.36", "RIS.INS.37", "RIS.INS.51")
async def test_the_ins_leaves_with_qualified_identities_only_and_is_taken_back(
    told: Any, receiver: Any, wait: Any
) -> None:
    patient_id = await told.qualify(local_id="100200", used_name="MODELE")
    assert await told_so_far(wait, receiver, 3) == ["A28 PROV", "A31 VALI", "A31 VALI INS"]
    await told.act(patient_id, "attributes", attribute="douteuse")
    assert (await told_so_far(wait, receiver, 4))[-1] == "A47 PROV~DOUT -INS"

    qualified, withdrawn = receiver.messages[2], receiver.messages[3]
    pid = read_pid(qualified)
    assert pid.used_name is not None
    assert (pid.used_name.family, pid.birth_place_code, pid.sex) == ("MODELE", "38185", "F")
    assert [one.kind for one in pid.identifiers] == ["PI", "PI", "INS"]
    assert pid.identifiers[0].value == "100200"
    assert (read_proofs(qualified).mode, read_proofs(qualified).document) == ("INSI", "CN")
    assert qualified.msh.raw(12) == "2.5^FRA^2.11"
    assert qualified.msh.raw(21) == "2.11^IHE_FRANCE-2.11-PAM"
    assert len({one.control_id for one in receiver.messages}) == 4
    (old,) = read_identifiers(withdrawn.require("MRG"), 1)
    assert (old.value, old.kind) == (INS, "INS")

    (row,) = (await told.ask("GET", f"/pam/ins-recipients/{patient_id}"))["recipients"]
    assert row["destination"] == "dpi"
    await wait(lambda: withdrawal_arrived(told, patient_id))


async def withdrawal_arrived(told: Any, patient_id: str) -> bool:
    (row,) = (await told.ask("GET", f"/pam/ins-recipients/{patient_id}"))["recipients"]
    return bool(row["delivered_at"] and row["withdrawal_delivered_at"])


@pytest.mark.dsr("RIS.INS.37")
async def test_a_recovered_identity_is_told_as_provisional_without_its_ins(told: Any, receiver: Any, wait: Any) -> None:
    patient_id = await told.qualify()
    await told_so_far(wait, receiver, 3)
    await told.act(patient_id, "check-withdrawal", reason="autre personne")
    assert (await told_so_far(wait, receiver, 4))[-1] == "A47 PROV -INS"
    assert INS not in receiver.messages[3].require("PID").text


@pytest.mark.dsr("RIS.INS.34")
async def test_a_strict_trait_edited_takes_the_ins_back_and_tells_the_new_trait(
    told: Any, receiver: Any, wait: Any
) -> None:
    patient_id = await told.qualify()
    await told_so_far(wait, receiver, 3)
    await told.act(patient_id, "traits", method="PATCH", birth_date="1968-04-18", confirm=True, reason="erreur")
    assert (await told_so_far(wait, receiver, 5))[-2:] == ["A47 VALI -INS", "A31 VALI"]
    assert read_pid(receiver.messages[4]).birth_date == "1968-04-18"


async def test_a_used_name_that_is_given_up_is_erased_there_too(told: Any, receiver: Any, wait: Any) -> None:
    patient_id = (await told.create(**person(used_name="MODELE")))["patient_id"]
    await told.act(patient_id, "traits", method="PATCH", used_name=None)
    assert await told_so_far(wait, receiver, 2) == ["A28 PROV", "A31 PROV"]
    used = read_pid(receiver.messages[1]).used_name
    assert used is not None
    assert used.family == '""'


def person(**traits: str) -> dict[str, str]:
    known = {"birth_name": "ESSAI", "first_birth_given_name": "ZOÉ", "birth_date": "1990-01-02", "sex": "F"}
    return known | {"birth_place_code": "38185"} | traits


async def test_a_merge_is_told_with_the_survivor_and_what_it_took_in(told: Any, receiver: Any, wait: Any) -> None:
    survivor = (await told.create(**person(local_id="1")))["patient_id"]
    absorbed = (await told.create(**person(local_id="2")))["patient_id"]
    await told_so_far(wait, receiver, 2)
    await told.ask("POST", "/merges", surviving_id=survivor, absorbed_id=absorbed, reason="même personne")
    assert (await told_so_far(wait, receiver, 3))[-1] == "A40 PROV"
    message = receiver.messages[2]
    assert [one.value for one in read_pid(message).identifiers] == ["1", survivor]
    assert [one.value for one in read_identifiers(message.require("MRG"), 1)] == ["2", absorbed]


async def test_a_merge_undone_is_put_before_the_operator_because_pam_has_no_event_for_it(
    told: Any, receiver: Any, wait: Any
) -> None:
    survivor = (await told.create(**person(local_id="1")))["patient_id"]
    absorbed = (await told.create(**person(local_id="2")))["patient_id"]
    merge = await told.ask("POST", "/merges", surviving_id=survivor, absorbed_id=absorbed)
    await told.ask("POST", f"/merges/{merge['merge_id']}/undo", reason="deux personnes")
    (notice,) = (await told.http.get("/ops/notices")).json()["notices"]
    assert (notice["endpoint"], notice["kind"], notice["patient_id"]) == ("pam-out-dpi", "unmerge_by_hand", absorbed)
    assert await told_so_far(wait, receiver, 3) == ["A28 PROV", "A28 PROV", "A40 PROV"]


async def test_a_system_that_does_not_answer_gets_everything_later_in_order(
    told: Any, receiver: Any, wait: Any
) -> None:
    receiver.code = "AR"
    patient_id = (await told.create(**person()))["patient_id"]
    await wait(lambda: receiver.messages)
    await told.act(patient_id, "identity-checks", document_kind="CN")
    receiver.code = "AA"
    await wait(lambda: "A31 VALI" in receiver.told())
    numbers = list(dict.fromkeys(one.control_id for one in receiver.messages))
    assert len(numbers) == 2
    events = receiver.told()
    assert events == sorted(events)
    assert len({one.serialise() for one in receiver.messages if one.event == "A28"}) == 1


async def test_a_refused_message_is_seen_and_can_be_replayed(told: Any, receiver: Any, wait: Any) -> None:
    receiver.code = "AE"
    await told.create(**person())

    async def rejected() -> list[dict[str, Any]]:
        answer = await told.http.get("/ops/deliveries?state=rejected&channel=pam-out-dpi")
        return list(answer.json()["deliveries"])

    (row,) = await wait(rejected)
    assert (row["code"], row["who_must_act"]) == ("AE", "operator")
    assert "ESSAI" not in str(row)
    receiver.code = "AA"
    assert (await told.http.post(f"/ops/deliveries/{row['id']}/replay")).status_code == 202
    assert await told_so_far(wait, receiver, 2) == ["A28 PROV", "A28 PROV"]


async def test_what_a_system_said_is_not_told_to_it_again(
    told: Any, receiver: Any, wait: Any, open_links: Callable[..., Any], folder: Any
) -> None:
    data = next(folder.glob("pam-fr*/adt_a28_create_provisional*")).read_bytes()
    assert (await told.send(data)).code == "AA"
    assert await told_so_far(wait, receiver, 1) == ["A28 PROV"]
    systems = [{"name": "gam", "host": "127.0.0.1", "port": 1, "application": "GAM", "facility": "CH-TEST"}]
    echo = [one | {"sending_facility": "LILAS", "echo_of": "ch-test"} for one in systems]
    async with open_links(echo, mongo_database=told.settings.mongo_database + "e") as other:
        assert (await other.send(data)).code == "AA"
        assert await other.service.database["deliveries"].count_documents({}) == 0
        await other.create(**person())
        assert await other.service.database["deliveries"].count_documents({}) == 1


async def test_a_message_waiting_to_leave_shows_nothing_of_the_person(open_links: Callable[..., Any]) -> None:
    system = {"name": "gam", "host": "127.0.0.1", "port": 1, "application": "GAM", "facility": "F"}
    async with open_links([system | {"sending_facility": "LILAS"}]) as links:
        await links.qualify()
        rows = await links.service.database["deliveries"].find({}).to_list()
        rows += await links.service.database["ins_recipients"].find({}).to_list()
        assert len(rows) == 4
        assert "DUVAL" not in str(rows)
        assert INS not in str(rows)


@pytest.mark.parametrize("change", [{"cert": "/x"}, {"port": 0}, {"unknown": 1}, {"name": "Majuscule"}, {"echo": 1}])
def test_a_system_that_cannot_be_is_refused(change: dict[str, object]) -> None:
    import json

    one = {"name": "gam", "host": "h", "port": 1, "application": "A", "facility": "F", "sending_facility": "S"}
    with pytest.raises(ValidationError):
        load_systems(json.dumps([one | change]).encode())
    with pytest.raises(ValueError, match="given twice"):
        load_systems(json.dumps([one, one]).encode())


async def test_a_qualified_identity_that_came_from_outside_is_passed_on_qualified(
    told: Any, receiver: Any, wait: Any, folder: Any
) -> None:
    data = next(folder.glob("pam-fr*/adt_a28_create_qualified*")).read_bytes()
    assert (await told.send(data)).code == "AA"
    assert await told_so_far(wait, receiver, 1) == ["A28 VALI INS"]
    ins = read_ins(read_pid(receiver.messages[0]).identifiers)
    assert ins is not None
    assert ins.oid == "1.2.250.1.213.1.4.10"
    removed = next(folder.glob("pam-fr*/adt_a47*")).read_bytes()
    assert (await told.send(removed)).code == "AA"
    assert (await told_so_far(wait, receiver, 2))[-1] == "A47 PROV -INS"
