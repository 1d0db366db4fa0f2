"""Identities received over MLLP: each reference message has its effect, each bad one its answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from navette_documents.hl7v2 import parse, read_ack
from navette_ins.domain.traits import Traits

Adt = Callable[..., bytes]
INS = "284053818504213"
pytestmark = [pytest.mark.conformance, pytest.mark.dsr("RIS.INS.55", "RIS.INS.56", "RIS.INS.57")]

QUALIFIED, PROVISIONAL = "adt_a28_create_qualified", "adt_a28_create_provisional"


@pytest.mark.parametrize(
    "name",
    ["adt_a01_admission", "adt_a01_dmp_consult-yes_feed-ok", "adt_a01_dmp_consult-no_feed", "adt_a01_dmp_not-coll"],
)
async def test_an_admission_of_a_hospital_creates_a_qualified_identity(links: Any, adt: Adt, name: str) -> None:
    assert (await links.send(adt(name))).code == "AA"
    identity = await links.identity()
    assert identity.status == "qualifiee"
    assert (identity.traits.birth_name, identity.traits.first_birth_given_name) == ("PAT-TROIS", "DOMINIQUE")
    assert (identity.traits.birth_date, identity.traits.birth_place_code) == ("1979-03-28", "63220")
    assert identity.traits.local_id == "000003"
    assert identity.recovery.ins.matricule == "279035121518989"
    assert identity.recovery.accepted_by == "pam:chu-x"


async def test_a_created_identity_carries_both_names_and_the_document_that_was_held(links: Any, adt: Adt) -> None:
    assert (await links.send(adt(QUALIFIED))).code == "AA"
    identity = await links.identity()
    assert identity.traits == Traits(
        birth_name="EXEMPLE",
        first_birth_given_name="ALIX",
        birth_given_names="ALIX MARIE-LOU",
        birth_date="1984-05-12",
        sex="F",
        birth_place_code="38185",
        used_name="MODELE",
        used_given_name="ALIX",
        local_id="100200",
    )
    assert identity.status == "qualifiee"
    assert (identity.check.document_kind, identity.recovery.oid) == ("CN", "1.2.250.1.213.1.4.10")


async def test_an_update_removes_the_used_name_and_a_pending_one_changes_nothing_else(links: Any, adt: Adt) -> None:
    await links.send(adt(QUALIFIED))
    assert (await links.send(adt("adt_a31_update_traits"))).code == "AA"
    identity = await links.identity()
    assert (identity.traits.used_name, identity.traits.used_given_name) == (None, None)
    assert (identity.status, identity.revision) == ("qualifiee", 2)


async def test_a_provisional_identity_keeps_its_accents(links: Any, adt: Adt) -> None:
    assert (await links.send(adt(PROVISIONAL))).code == "AA"
    identity = await links.identity()
    assert (identity.status, identity.traits.birth_given_names) == ("provisoire", "JEAN-RENÉ")


@pytest.mark.dsr("RIS.INS.37")
async def test_a_matricule_without_vali_is_left_out(links: Any, adt: Adt) -> None:
    await links.send(adt(PROVISIONAL))
    assert (await links.send(adt("adt_a31_ins_but_prov"))).code == "AA"
    identity = await links.identity()
    assert (identity.status, identity.recovery) == ("provisoire", None)


async def test_names_in_8859_15_arrive_with_their_ligatures_and_the_answer_is_in_8859_15(links: Any, adt: Adt) -> None:
    answer = await links.raw(adt("adt_a28_iso8859-15"))
    assert (read_ack(answer).code, parse(answer).msh.value(18)) == ("AA", "8859/15")
    assert (await links.identity()).traits.birth_name == "LŒUVEN"


async def test_an_outpatient_and_a_corrected_movement_update_the_identity_alone(links: Any, adt: Adt) -> None:
    assert (await links.send(adt("adt_a04_outpatient"))).code == "AA"
    assert (await links.identity()).status == "qualifiee"
    assert (await links.send(adt("adt_z99_correct_a04"))).code == "AA"
    assert (await links.identity()).revision == 1


@pytest.mark.parametrize("event", ["A05", "A14"])
async def test_planned_stays_bring_their_identity_too(links: Any, adt: Adt, event: str) -> None:
    sent = adt("adt_a04_outpatient", MSH_9=f"ADT^{event}^ADT_A05")
    assert (await links.send(sent)).code == "AA"
    assert (await links.identity()).status == "qualifiee"


async def test_a_cancelled_stay_is_acknowledged_and_changes_no_identity(links: Any, adt: Adt) -> None:
    await links.send(adt(QUALIFIED))
    assert (await links.send(adt("adt_a11_cancel_admit"))).code == "AA"
    assert (await links.identity()).revision == 1
    assert [one["event"] for one in await links.messages("ignored")] == ["A11"]


@pytest.mark.dsr("RIS.INS.35")
async def test_a_withdrawn_ins_is_removed_with_its_history(links: Any, adt: Adt) -> None:
    await links.send(adt(QUALIFIED))
    assert (await links.send(adt("adt_a47_ins_removed"))).code == "AA"
    identity = await links.identity()
    assert (identity.status, identity.recovery, identity.former_ins) == ("provisoire", None, ())


async def test_a_new_matricule_takes_the_place_of_the_old_one(links: Any, adt: Adt) -> None:
    await links.send(adt(QUALIFIED))
    ids = "100200^^^CH-TEST&990000019&M^PI~184053818504294^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.10&ISO^INS"
    key = f"{97 - 1840538185042 % 97:02d}"
    changed = adt("adt_a47_ins_removed", PID_3=ids.replace("184053818504294", f"1840538185042{key}"), PID_32="VALI")
    assert (await links.send(changed)).code == "AA"
    identity = await links.identity()
    assert identity.recovery.ins.matricule == f"1840538185042{key}"
    assert [one.matricule for one in identity.former_ins] == [INS]


async def test_a_merge_closes_the_second_record_and_its_identifier_leads_to_the_first(links: Any, adt: Adt) -> None:
    other = "100777^^^CH-TEST&990000019&M^PI"
    await links.send(adt(QUALIFIED))
    await links.send(adt(PROVISIONAL, MSH_10="P77", PID_3=other))
    assert len(await links.identities()) == 2
    assert (await links.send(adt("adt_a40_merge"))).code == "AA"
    survivor = await links.identity()
    assert (survivor.traits.local_id, survivor.status) == ("100200", "qualifiee")
    late = adt("adt_a31_update_traits", MSH_10="P78", PID_3=f"{other}~{INS}^^^A&1.2.250.1.213.1.4.10&ISO^INS")
    assert (await links.send(late)).code == "AA"
    assert (await links.identity()).patient_id == survivor.patient_id


async def test_a_merge_of_an_unknown_record_is_remembered_for_later(links: Any, adt: Adt) -> None:
    await links.send(adt(QUALIFIED))
    assert (await links.send(adt("adt_a40_merge"))).code == "AA"
    late = adt(PROVISIONAL, MSH_10="P79", PID_3="100777^^^CH-TEST&990000019&M^PI", PID_32="")
    assert (await links.send(late)).code == "AA"
    assert len(await links.identities()) == 1


async def test_a_person_recorded_at_the_desk_with_the_same_ipp_is_found_again(links: Any, adt: Adt) -> None:
    created = await links.create(
        birth_name="DUPOND",
        first_birth_given_name="JEAN-RENÉ",
        birth_date="1971-06-18",
        sex="M",
        birth_place_code="38185",
        local_id="100201",
    )
    assert (await links.send(adt(PROVISIONAL, PID_5="DUPONT^JEAN-RENÉ^JEAN-RENÉ^^M.^^L"))).code == "AA"
    identity = await links.identity()
    assert (identity.patient_id, identity.traits.birth_name) == (created["patient_id"], "DUPONT")


async def test_a08_is_refused_as_excluded_unless_the_sender_is_known_to_be_old(links: Any, adt: Adt) -> None:
    said = await links.send(adt("adt_a08"))
    assert (said.code, said.conditions) == ("AE", ("201",))
    (kept,) = await links.messages("refused")
    assert "A31" in kept["reason_label"]
    rows = json.loads(links.senders_file.read_text())
    links.senders_file.write_text(json.dumps([one | {"takes_a08": True} for one in rows]))
    assert (await links.replay(kept["id"]))["state"] == "replayed"
    identity = await links.identity()
    assert identity.status == "qualifiee"
    assert await links.messages() == []


async def test_the_same_message_is_answered_the_same_and_done_once(links: Any, adt: Adt) -> None:
    first, second = await links.raw(adt(QUALIFIED)), await links.raw(adt(QUALIFIED))
    assert first == second
    assert (await links.identity()).revision == 1
    other = await links.send(adt(QUALIFIED, PID_8="M"))
    assert (other.code, other.conditions) == ("AE", ("199",))


async def test_the_same_message_over_two_connections_at_once_is_done_once(links: Any, adt: Adt) -> None:
    answers = await asyncio.gather(*(links.send(adt(QUALIFIED)) for _ in range(4)))
    assert {one.code for one in answers} == {"AA"}
    assert (await links.identity()).revision == 1


async def test_an_unknown_sender_is_told_to_come_again_and_is_taken_once_configured(links: Any, adt: Adt) -> None:
    stranger = adt(QUALIFIED, MSH_4="AILLEURS")
    assert (await links.send(stranger)).code == "AR"
    (kept,) = await links.messages()
    assert (kept["reason"], kept["facility"], kept["location"]) == ("unknown_sender", "AILLEURS", "MSH^1^3")
    assert says_nothing_of_the_person(kept)
    assert (await links.replay(kept["id"], expect=409))["detail"]
    rows = json.loads(links.senders_file.read_text())
    new = rows[1] | {"name": "ailleurs", "facility": "AILLEURS"}
    links.senders_file.write_text(json.dumps([*rows, new]))
    assert (await links.send(stranger)).code == "AA"
    assert len(await links.identities()) == 1


def says_nothing_of_the_person(shown: dict[str, Any]) -> bool:
    text = json.dumps(shown, ensure_ascii=False)
    return "EXEMPLE" not in text and INS not in text


@pytest.mark.parametrize(
    ("changes", "code", "condition", "place"),
    [
        ({"MSH_9": "ORU^R01^ORU_R01"}, "AE", "200", "MSH^1^9^1^1"),
        ({"MSH_9": "ADT^A99^ADT_A01"}, "AE", "201", "MSH^1^9^1^2"),
        ({"MSH_10": ""}, "AE", "101", "MSH^1^10"),
        ({"PID_3": "100200^^^AUTRE&1&M^PI"}, "AE", "101", "PID^1^3"),
        ({"PID_5": ""}, "AE", "101", "PID^1^5^1^1"),
        ({"PID_5": "EX3MPLE^ALIX^ALIX^^^^L"}, "AE", "102", "PID^1^5^1^1"),
        ({"PID_7": ""}, "AE", "101", "PID^1^7"),
        ({"PID_7": "hier"}, "AE", "102", "PID^1^7"),
        ({"PID_7": "21000101"}, "AE", "102", "PID^1^7"),
        ({"PID_8": "X"}, "AE", "103", "PID^1^8"),
        ({"PID_11": "^^^^^^BDL^^38"}, "AE", "102", "PID^1^11^1^9"),
        ({"MSH_9": "ADT^A40^ADT_A39"}, "AE", "100", "MRG^1"),
        ({"PID_3": "~" * 3000}, "AE", "198", "PID^1^3"),
        ({"PID_3": "a&" * 3000}, "AE", "198", "PID^1^3"),
    ],
)
async def test_what_the_sender_must_correct_is_refused_with_its_place(
    links: Any, adt: Adt, changes: dict[str, str], code: str, condition: str, place: str
) -> None:
    answer = parse(await links.raw(adt(QUALIFIED, **changes)))
    said = read_ack(answer.serialise())
    assert (said.code, said.conditions) == (code, (condition,))
    assert answer.require("ERR").raw(2) == place
    assert await links.identities() == []
    (kept,) = await links.messages()
    assert (kept["ack_code"], kept["condition"], kept["location"]) == (code, condition, place)
    assert says_nothing_of_the_person(kept)


@pytest.mark.parametrize(
    ("changes", "remark"),
    [
        ({"PID_11": "1 RUE^^GRENOBLE^^38000^FRA^H"}, "ins_traits_missing"),
        ({"PID_8": "U"}, "ins_traits_missing"),
        ({"ZFD_4": "Y"}, "ins_birth_date_completed"),
        ({"PID_32": "VALI~DOUT"}, "ins_doubtful_or_fictive"),
        ({"PID_3": f"100200^^^CH-TEST&990000019&M^PI~{INS[:-2]}99^^^A&1.2.250.1.213.1.4.8&ISO^INS"}, "ins_key"),
    ],
)
@pytest.mark.dsr("RIS.INS.37")
async def test_an_ins_that_may_not_be_taken_is_left_out_and_the_sender_is_told(
    links: Any, adt: Adt, changes: dict[str, str], remark: str
) -> None:
    answer = parse(await links.raw(adt(QUALIFIED, **changes)))
    assert answer.require("MSA").value(1) == "AA"
    assert (answer.require("ERR").value(4), answer.require("ERR").first(5).component(2)) == ("W", remark)
    assert (await links.identity()).recovery is None
    (kept,) = await links.messages("to_review")
    assert kept["remarks"] == [remark]


async def test_an_unknown_day_of_birth_is_completed_by_the_rule_and_forbids_the_ins(links: Any, adt: Adt) -> None:
    await links.send(adt(QUALIFIED, PID_7="1984"))
    identity = await links.identity()
    assert (identity.traits.birth_date, identity.traits.birth_date_completed) == ("1984-12-31", True)
    assert identity.recovery is None


@pytest.mark.dsr("RIS.INS.38")
async def test_a_third_party_does_not_qualify_and_insi_is_asked(links: Any, adt: Adt) -> None:
    assert (await links.send(adt(QUALIFIED, MSH_4="AUTRE", PID_3=own("AUTRE")))).code == "AA"
    identity = await links.identity()
    assert (identity.status, identity.recovery, identity.check) == ("provisoire", None, None)
    assert await links.service.database["insi_searches"].count_documents({"patient_id": identity.patient_id}) == 1
    assert (await links.send(adt(QUALIFIED, MSH_4="AUTRE", MSH_10="P95", PID_3=own("AUTRE")))).code == "AA"
    assert await links.messages() == []


def own(facility: str) -> str:
    return f"100200^^^{facility}&990000019&M^PI~{INS}^^^A&1.2.250.1.213.1.4.10&ISO^INS"


@pytest.mark.dsr("RIS.INS.39")
async def test_a_sender_under_contract_qualifies(links: Any, adt: Adt) -> None:
    assert (await links.send(adt(QUALIFIED, MSH_4="LABO", PID_3=own("LABO")))).code == "AA"
    identity = await links.identity()
    assert (identity.status, identity.check.by) == ("qualifiee", "pam:labo")


async def test_one_ins_is_never_on_two_records_and_a_case_asks_which(links: Any, adt: Adt) -> None:
    await links.send(adt(QUALIFIED))
    second = adt(QUALIFIED, MSH_10="P90", PID_3=own("CH-TEST").replace("100200", "100999"))
    assert (await links.send(second)).code == "AA"
    first, other = await links.identities()
    assert (first.status, other.recovery) == ("qualifiee", None)
    (kept,) = await links.messages("to_review")
    assert "ins_held_by_another" in kept["remarks"]
    assert await links.service.database["identity_cases"].count_documents({"kind": "duplicate"}) == 1


async def test_a_doubt_held_here_is_not_lifted_by_a_message(links: Any, adt: Adt) -> None:
    await links.send(adt(PROVISIONAL))
    await links.act((await links.identity()).patient_id, "attributes", attribute="douteuse")
    again = adt(PROVISIONAL, MSH_10="P91", PID_32="VALI")
    assert (await links.send(again)).code == "AA"
    identity = await links.identity()
    assert (identity.status, identity.check) == ("provisoire", None)
    assert (await links.messages("to_review"))[0]["remarks"] == ["doubtful_here"]


async def test_hostile_bytes_are_refused_and_recorded_and_the_same_connection_goes_on(
    open_links: Callable[..., Any], adt: Adt
) -> None:
    async with open_links(pam_max_message_bytes=20_000) as links:
        reader, writer = await asyncio.open_connection("127.0.0.1", links.port)
        for piece in (b"GET / HTTP/1.1\r\n", b"\x0b" + b"A" * 60_000 + b"\x1c\r", b"\x0b\xff\xfe\x00garbage\x1c\r"):
            writer.write(piece)
        writer.write(b"\x0b" + adt(QUALIFIED) + b"\x1c\r")
        codes = []
        for _ in range(3):
            data = await asyncio.wait_for(reader.readuntil(b"\x1c\r"), 60)
            codes.append(read_ack(data[1:-2]).code)
        writer.close()
        assert codes == ["AR", "AR", "AA"]
        kept = {one["reason"] for one in await links.messages("refused")}
        assert kept == {"framing_outside_frame", "framing_too_large", "null_byte"}
        assert (await links.identity()).status == "qualifiee"


async def test_an_old_message_is_not_replayed_over_a_newer_one(links: Any, adt: Adt) -> None:
    stranger = adt(QUALIFIED, MSH_4="AILLEURS", PID_5="ANCIEN^ALIX^ALIX^^^^L", PID_3=own("CH-TEST"))
    await links.send(stranger)
    (kept,) = await links.messages()
    await links.send(adt(QUALIFIED, MSH_10="P92"))
    rows = json.loads(links.senders_file.read_text())
    links.senders_file.write_text(json.dumps([*rows, rows[1] | {"name": "ailleurs", "facility": "AILLEURS"}]))
    refused = await links.replay(kept["id"], expect=409)
    assert "plus récent" in refused["detail"]
    assert (await links.identity()).traits.birth_name == "EXEMPLE"


async def test_messages_are_for_those_who_look_after_the_links(links: Any, token: Callable[..., str]) -> None:
    for role, status in (("administrator", 200), ("operator", 200), ("secretary", 403), ("radiologist", 403)):
        headers = {"Authorization": f"Bearer {token(role)}"}
        assert (await links.http.get("/pam/messages", headers=headers)).status_code == status
    assert (await links.http.post("/pam/messages/none/replay")).status_code == 404


async def test_a_sender_file_that_breaks_keeps_the_senders_there_were(links: Any, adt: Adt) -> None:
    links.senders_file.write_text("[{")
    assert (await links.send(adt(QUALIFIED))).code == "AA"


async def test_nothing_of_a_message_is_stored_or_logged_in_clear(
    links: Any, adt: Adt, capsys: pytest.CaptureFixture[str]
) -> None:
    await links.send(adt(QUALIFIED))
    await links.send(adt(QUALIFIED, MSH_10="P93", PID_8="X"))
    await links.send(adt(QUALIFIED, MSH_4="EXEMPLE Alix, " + INS, MSH_10=INS))
    output = "".join(capsys.readouterr())
    assert not [word for word in ("EXEMPLE", INS) if word in output]
    for name in ("pam_messages", "local_ids", "identities", "history"):
        rows = await links.service.database[name].find({}).to_list()
        assert rows
        assert "EXEMPLE" not in str(rows)
        assert INS not in str(rows)
        assert "100200" not in str(rows)


async def test_a_message_survives_as_long_as_somebody_must_look_at_it(links: Any, adt: Adt) -> None:
    await links.send(adt(QUALIFIED))
    await links.send(adt(QUALIFIED, MSH_10="P94", PID_8="X"))
    rows = await links.service.database["pam_messages"].find({}).to_list()
    ends = {row["state"]: row["expires_at"] for row in rows}
    assert ends["refused"] is None
    assert (ends["integrated"] - datetime.now(UTC)).days in (89, 90)


def test_the_folder_holds_what_this_file_covers(folder: Path) -> None:
    names = {one.stem for one in folder.glob("pam-fr*/*")}
    assert len(names) == 15
