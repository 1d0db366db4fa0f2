"""What the reception and the cellule d'identitovigilance do with identities, over HTTP, each in its role."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer
from navette_chassis.testing import until
from navette_contracts.events import Ins, PatientIdentified, PatientMerged
from navette_ins.adapters import identities
from navette_sandbox.embedded.broker import EmbeddedBroker

MATRICULE = "268043818590119"


class Person:
    """Somebody with a role at the desk of the service."""

    def __init__(self, desk: Any, token: Callable[..., str], *roles: str, sites: tuple[str, ...] = ("lilas",)) -> None:
        self._desk = desk
        self._headers = {"Authorization": f"Bearer {token(*roles, sites=sites)}"}

    async def ask(self, method: str, path: str, expect: int = 200, **body: Any) -> dict[str, Any]:
        kind = {"json": body} if method in ("POST", "PATCH") else {}
        answer: httpx.Response = await self._desk.http.request(method, path, headers=self._headers, **kind)
        assert answer.status_code == expect, answer.text
        return dict(answer.json())


@pytest.fixture
def supervisor(desk: Any, token: Callable[..., str]) -> Person:
    return Person(desk, token, "identity-supervisor")


@pytest.fixture
def secretary(desk: Any, token: Callable[..., str]) -> Person:
    return Person(desk, token, "secretary")


async def qualified(desk: Any, **changes: Any) -> str:
    """The id of a qualified identity."""
    patient = await desk.create(**changes)
    await desk.act(patient["patient_id"], "identity-checks", document_kind="CN")
    assert (await desk.search(patient["patient_id"]))["state"] == "accepted"
    return str(patient["patient_id"])


async def events(broker: EmbeddedBroker, topic: str, key: str) -> AsyncIterator[bytes]:
    """Bodies of a topic that carry this key."""
    async with AIOKafkaConsumer(
        topic, bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest", fetch_max_wait_ms=20
    ) as consumer:
        while True:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                for record in records:
                    if record.key == key.encode():
                        yield record.value


async def told(broker: EmbeddedBroker, patient_id: str, revision: int) -> PatientIdentified:
    """The event of a revision."""
    async with asyncio.timeout(60):
        async for body in events(broker, "patient.identified", patient_id):
            event = PatientIdentified.parse(body)
            if event.revision == revision:
                return event
    raise AssertionError


# Locked traits


@pytest.mark.dsr("RIS.INS.29", "RIS.INS.30")
async def test_a_secretary_sees_the_lock_and_cannot_change_what_insi_gave(desk: Any, secretary: Person) -> None:
    patient_id = await qualified(desk)
    assert (await desk.read(patient_id))["strict_traits_locked"]
    path = f"/patients/{patient_id}/traits"
    refused = await secretary.ask("PATCH", path, 403, birth_name="AUTRE-FICTIF", confirm=True)
    assert "identitovigilance" in refused["detail"]
    assert (await desk.read(patient_id))["traits"]["birth_name"] == "DUVAL-FICTIF"


@pytest.mark.dsr("RIS.INS.32", "RIS.INS.33", "RIS.INS.34", "RIS.INS.35", "RIS.INS.36")
async def test_a_super_user_changes_a_birth_name_and_the_ins_goes_here_and_everywhere(
    desk: Any, supervisor: Person, kafka_broker: EmbeddedBroker
) -> None:
    patient_id = await qualified(desk)
    path = f"/patients/{patient_id}/traits"
    asked = await supervisor.ask("PATCH", path, 409, birth_name="AUTRE-FICTIF")
    assert "abaisse le statut" in asked["detail"]
    edited = await supervisor.ask("PATCH", path, birth_name="AUTRE-FICTIF", confirm=True, reason="Erreur de saisie")
    assert (edited["status"], edited["ins"], edited["strict_traits_locked"]) == ("validee", None, False)
    event = await told(kafka_broker, patient_id, 4)
    assert (event.status.value, event.ins) == ("validee", None)
    history = (await desk.read(patient_id, "/history"))["changes"]
    assert (history[-1]["action"], history[-1]["told"]) == ("strict_traits_edited", "A47")
    assert {"birth_name", "recovery"} <= set(history[-1]["changed_fields"])


@pytest.mark.dsr("RIS.INS.33")
async def test_a_check_that_does_not_say_the_new_name_goes_with_the_old_one(desk: Any, supervisor: Person) -> None:
    patient_id = await qualified(desk)
    path = f"/patients/{patient_id}/traits"
    edited = await supervisor.ask("PATCH", path, birth_name="AUTRE-FICTIF", confirm=True, check_still_holds=False)
    assert (edited["status"], edited["check"]) == ("provisoire", None)


@pytest.mark.dsr("RIS.INS.31")
async def test_a_used_name_stays_open_is_kept_by_insi_and_can_be_taken_away(desk: Any, secretary: Person) -> None:
    patient_id = await qualified(desk, used_name="Épouse-Fictif", used_given_name="Cam")
    traits = (await desk.read(patient_id))["traits"]
    assert (traits["used_name"], traits["used_given_name"]) == ("Épouse-Fictif", "Cam")
    path = f"/patients/{patient_id}/traits"
    changed = await secretary.ask("PATCH", path, used_name="Nouveau-Fictif")
    assert (changed["status"], changed["traits"]["used_name"]) == ("qualifiee", "Nouveau-Fictif")
    removed = await secretary.ask("PATCH", path, used_name=None)
    assert (removed["status"], removed["traits"]["used_name"]) == ("qualifiee", None)
    assert removed["ins"]["matricule"] == MATRICULE


async def test_open_traits_are_corrected_by_the_reception_and_bad_ones_refused(desk: Any, secretary: Person) -> None:
    patient = await desk.create()
    path = f"/patients/{patient['patient_id']}/traits"
    assert (await secretary.ask("PATCH", path, birth_name="JUSTE-FICTIF"))["traits"]["birth_name"] == "JUSTE-FICTIF"
    refused = await secretary.ask("PATCH", path, 422, birth_date="2031-01-01")
    assert refused["errors"] == [{"field": "birth_date", "rule": "la date de naissance est dans le futur"}]
    nothing = await secretary.ask("PATCH", path, 409, birth_name="JUSTE-FICTIF")
    assert nothing["type"].endswith("nothing-changes")


async def test_a_date_completed_later_forbids_the_matricule(desk: Any, supervisor: Person) -> None:
    patient_id = await qualified(desk)
    path = f"/patients/{patient_id}/traits"
    changes = {"birth_date": "1968-04-01", "birth_date_on_document": "1968-04-00", "birth_date_completed": True}
    edited = await supervisor.ask("PATCH", path, confirm=True, **changes)
    assert (edited["status"], edited["ins"]) == ("validee", None)
    assert "date_completed" in [one["code"] for one in (await desk.read(patient_id))["warnings"]]
    await desk.act(patient_id, "insi-search", expect=409)


async def test_a_date_the_document_does_not_know_is_completed_and_kept_beside(desk: Any, secretary: Person) -> None:
    patient = await desk.create(birth_date=None, birth_date_on_document="1968-00-00")
    traits = patient["traits"]
    assert (traits["birth_date"], traits["birth_date_completed"]) == ("1968-12-31", True)
    assert traits["birth_date_on_document"] == "1968-00-00"
    path = f"/patients/{patient['patient_id']}/traits"
    edited = (await secretary.ask("PATCH", path, birth_date_on_document="1968-04-00"))["traits"]
    assert (edited["birth_date"], edited["birth_date_on_document"]) == ("1968-04-01", "1968-04-00")
    known = {"birth_date": "1968-04-17", "birth_date_completed": False, "birth_date_on_document": None}
    assert (await secretary.ask("PATCH", path, **known))["traits"]["birth_date_completed"] is False
    await secretary.ask("PATCH", path, 422, birth_date_on_document="0000-04-17")
    unknown = {"site_id": "lilas", "birth_name": "X", "first_birth_given_name": "Y", "sex": "F"}
    refused = await secretary.ask("POST", "/patients", 422, **unknown, birth_place_code="99999")
    assert refused["errors"] == [{"field": "birth_date", "rule": "obligatoire"}]


# Proofs


@pytest.mark.dsr("RIS.INS.18", "RIS.INS.19")
async def test_a_document_of_low_trust_is_recorded_and_validates_nothing(desk: Any) -> None:
    patient = await desk.create()
    shown = await desk.act(patient["patient_id"], "identity-checks", document_kind="PC")
    assert (shown["status"], shown["proof"]["document_kind"]) == ("provisoire", "PC")
    assert "proof_of_low_trust" in [one["code"] for one in (await desk.read(patient["patient_id"]))["warnings"]]
    refused = await desk.act(patient["patient_id"], "validation", expect=409)
    assert "haut niveau de confiance" in refused["detail"]
    await desk.act(patient["patient_id"], "identity-checks", expect=422, document_kind="ZZ")
    expired = await desk.act(
        patient["patient_id"], "identity-checks", expect=422, document_kind="CN", document_expires_on="2020-01-01"
    )
    assert expired["errors"][0]["field"] == "document_expires_on"


@pytest.mark.dsr("RIS.INS.20", "RIS.INS.21")
async def test_where_validation_is_not_automatic_a_person_validates_in_a_second_act(
    settings: Any, open_desk: Any, insi: Any, token: Callable[..., str], tmp_path: Any
) -> None:
    policy = {"sites": {"lilas": {"automatic_validation": False, "rights": {"identity.qualify": ["technologist"]}}}}
    (tmp_path / "policy.json").write_text(json.dumps(policy | {"default": {}}))
    own = settings.model_copy(update={"identity_policy_file": tmp_path / "policy.json"})
    async with open_desk(own, insi) as desk:
        technologist = Person(desk, token, "technologist")
        patient_id = (await desk.create())["patient_id"]
        await desk.act(patient_id, "identity-checks", expect=403, document_kind="CN")
        path = f"/patients/{patient_id}"
        shown = await technologist.ask("POST", f"{path}/identity-checks", document_kind="CN")
        assert shown["status"] == "provisoire"
        assert (await desk.read(patient_id))["warnings"][0]["code"] == "to_validate"
        validated = await technologist.ask("POST", f"{path}/validation")
        assert (validated["status"], validated["check"]["document_kind"]) == ("validee", "CN")
        proofs = await technologist.ask("GET", "/sites/lilas/proofs")
        assert proofs["automatic_validation"] is False
        assert {"code": "PC", "label": "Permis de conduire", "confidence": "low"} in proofs["proofs"]


async def test_a_check_of_a_wrong_document_is_withdrawn_and_the_ins_stays_home(
    desk: Any, secretary: Person, kafka_broker: EmbeddedBroker
) -> None:
    patient_id = await qualified(desk)
    path = f"/patients/{patient_id}/check-withdrawal"
    withdrawn = await secretary.ask("POST", path, reason="Carte d’un tiers")
    assert (withdrawn["status"], withdrawn["ins"]) == ("recuperee", None)
    assert (await told(kafka_broker, patient_id, 4)).ins is None
    again = await secretary.ask("POST", path, 409)
    assert "contrôle" in again["detail"]


# The INS of somebody else


async def test_an_ins_of_another_person_is_removed_with_its_history_by_a_super_user(
    desk: Any, supervisor: Person, secretary: Person
) -> None:
    patient_id = await qualified(
        desk,
        birth_name="CHANGEANT-FICTIF",
        first_birth_given_name="ALEX",
        birth_given_names="ALEX DOMINIQUE",
        birth_date="1990-10-20",
        birth_place_code="06088",
    )
    await secretary.ask("POST", f"/patients/{patient_id}/ins-removal", 403)
    removed = await supervisor.ask("POST", f"/patients/{patient_id}/ins-removal", reason="INS d’un homonyme")
    assert (removed["status"], removed["ins"]) == ("validee", None)
    values = await supervisor.ask("GET", f"/patients/{patient_id}/history/4")
    fields = {one["field"]: one for one in values["fields"]}
    assert fields["recovery"]["before"]["matricule"].startswith("29010")
    assert (fields["recovery"]["after"], fields["former_ins"]["after"]) == (None, [])
    assert len(fields["former_ins"]["before"]) == 1
    assert values["reason"] == "INS d’un homonyme"
    await supervisor.ask("POST", f"/patients/{patient_id}/ins-removal", 409)


@pytest.mark.dsr("RIS.INS.17", "RIS.INS.26")
async def test_the_history_holds_who_when_before_and_after_and_shows_values_to_super_users_only(
    desk: Any, supervisor: Person, secretary: Person
) -> None:
    patient_id = await qualified(desk)
    lines = (await secretary.ask("GET", f"/patients/{patient_id}/history"))["changes"]
    assert [(one["action"], one["status_before"], one["status_after"], one["by"]) for one in lines] == [
        ("created", None, "provisoire", "user-1"),
        ("checked", "provisoire", "validee", "user-1"),
        ("recovered", "validee", "qualifiee", "insi-auto"),
    ]
    assert "DUVAL" not in json.dumps(lines)
    await secretary.ask("GET", f"/patients/{patient_id}/history/3", 403)
    values = await supervisor.ask("GET", f"/patients/{patient_id}/history/3")
    recovery = next(one for one in values["fields"] if one["field"] == "recovery")
    assert (recovery["before"], recovery["after"]["matricule"]) == (None, MATRICULE)
    await supervisor.ask("GET", f"/patients/{patient_id}/history/9", 404)


# INSi's answer beside the record


@pytest.mark.dsr("RIS.INS.13", "RIS.INS.14")
async def test_a_differing_answer_is_shown_side_by_side_and_each_difference_confirmed(
    desk: Any, secretary: Person
) -> None:
    patient = await desk.create(
        birth_name="DUVAL-FICTIF", first_birth_given_name="ROSE", birth_given_names="ROSE CAMILLE"
    )
    search = await desk.search(patient["patient_id"])
    assert search["state"] == "to_decide"
    calls = f"/patients/{patient['patient_id']}/insi-calls/{search['call_id']}"
    comparison = await secretary.ask("GET", f"{calls}/comparison")
    rows = {one["field"]: one for one in comparison["traits"]}
    first = rows["first_birth_given_name"]
    assert (first["local"], first["insi"], first["differs"], first["decisive"]) == ("ROSE", "CAMILLE", True, True)
    assert not rows["birth_name"]["differs"]
    assert comparison["masked_matricule"] == "2 68 04 ** *** *** **"
    assert comparison["decided_by"] is None
    refused = await secretary.ask("POST", f"{calls}/decision", 409, accepted=True)
    assert "confirmer chaque différence" in refused["detail"]
    done = await secretary.ask("POST", f"{calls}/decision", accepted=True, confirmed=["first_birth_given_name"])
    assert (done["state"], done["decided_by"]) == ("accepted", "user-1")
    assert (await secretary.ask("GET", f"{calls}/comparison"))["decided_by"] == "user-1"
    assert (await desk.read(patient["patient_id"]))["traits"]["birth_given_names"] == "CAMILLE ROSE"


async def test_a_person_insi_does_not_know_has_nothing_to_compare_and_is_warned_about(
    desk: Any, secretary: Person
) -> None:
    patient = await desk.create(birth_name="INTROUVABLE-FICTIF")
    search = await desk.search(patient["patient_id"])
    await secretary.ask("GET", f"/patients/{patient['patient_id']}/insi-calls/{search['call_id']}/comparison", 404)
    warnings = (await desk.read(patient["patient_id"]))["warnings"]
    assert [one["code"] for one in warnings] == ["used_name_as_birth_name"]
    assert "nom utilisé" in warnings[0]["message"]


async def test_insi_asked_again_about_a_qualified_person_changes_nothing_when_it_says_the_same(
    desk: Any, secretary: Person
) -> None:
    patient_id = await qualified(desk)
    before = await desk.read(patient_id)
    asked = await secretary.ask("POST", f"/patients/{patient_id}/insi-search?again=true", 202)

    async def ended() -> str | None:
        state = (await desk.read(patient_id, f"/insi-calls/{asked['call_id']}"))["state"]
        return None if state == "requested" else str(state)

    assert await until(ended) == "accepted"
    assert await desk.read(patient_id) == before


# Duplicates, homonyms, collisions


async def test_the_same_person_recorded_twice_opens_a_duplicate_case_at_once(desk: Any, supervisor: Person) -> None:
    first, second = await desk.create(), await desk.create(used_name="EPOUX-FICTIF")
    cases = (await supervisor.ask("GET", "/cases"))["cases"]
    assert [(one["kind"], one["pam_code"], one["reason"]) for one in cases] == [("duplicate", "DPOT", "look_alike")]
    assert set(cases[0]["patient_ids"]) == {first["patient_id"], second["patient_id"]}
    assert cases[0]["score"] >= 0.92


async def test_on_a_birth_date_that_very_many_share_those_with_names_alike_are_still_compared(
    desk: Any, supervisor: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identities, "COMPARED", 2)
    for name in ("ZWIRN-FICTIF", "QUAST-FICTIF", "OTT-FICTIF"):
        await desk.create(birth_name=name, first_birth_given_name=name[:3], birth_given_names=name[:3])
    one, other = await desk.create(), await desk.create(birth_name="DUVALE-FICTIF")
    cases = (await supervisor.ask("GET", "/cases"))["cases"]
    pairs = [set(case["patient_ids"]) for case in cases if case["kind"] == "duplicate"]
    assert pairs == [{one["patient_id"], other["patient_id"]}]


@pytest.mark.dsr("RIS.INS.27")
async def test_a_homonym_is_confirmed_by_a_person_and_both_records_say_so(
    desk: Any, supervisor: Person, secretary: Person
) -> None:
    one = await desk.create()
    other = await desk.create(birth_name="DURAND-FICTIF", first_birth_given_name="CAROLE", birth_given_names="CAROLE")
    case = (await supervisor.ask("GET", "/cases"))["cases"][0]
    assert (case["kind"], case["pam_code"]) == ("homonym", "HOMD")
    await secretary.ask("POST", f"/cases/{case['case_id']}/decision", 403, decision="confirm")
    decided = await supervisor.ask("POST", f"/cases/{case['case_id']}/decision", decision="confirm")
    assert (decided["state"], decided["pam_code"]) == ("resolved", "HOMA")
    for patient in (one, other):
        assert (await desk.read(patient["patient_id"]))["attributes"] == ["homonyme"]
    await supervisor.ask("POST", f"/cases/{case['case_id']}/decision", 409, decision="dismiss")


async def test_a_dismissed_resemblance_is_not_asked_again(desk: Any, supervisor: Person, secretary: Person) -> None:
    await desk.create()
    twin = await desk.create()
    case = (await supervisor.ask("GET", "/cases"))["cases"][0]
    await supervisor.ask("POST", f"/cases/{case['case_id']}/decision", decision="dismiss", reason="Jumeaux")
    await secretary.ask("PATCH", f"/patients/{twin['patient_id']}/traits", birth_place_code="38053")
    assert (await supervisor.ask("GET", "/cases"))["cases"] == []


async def test_a_collision_confirmed_makes_the_record_doubtful_and_takes_its_ins(
    desk: Any, supervisor: Person, secretary: Person
) -> None:
    patient_id = await qualified(desk)
    case = await secretary.ask("POST", "/cases", 201, kind="collision", patient_ids=[patient_id])
    again = await secretary.ask("POST", "/cases", 201, kind="collision", patient_ids=[patient_id])
    assert again["case_id"] == case["case_id"]
    await supervisor.ask("POST", f"/cases/{case['case_id']}/decision", decision="confirm")
    doubtful = await desk.read(patient_id)
    assert (doubtful["status"], doubtful["attributes"], doubtful["ins"]) == ("provisoire", ["douteuse"], None)
    await desk.act(patient_id, "attributes", expect=403, attribute="douteuse", present=False)
    lifted = await supervisor.ask("POST", f"/patients/{patient_id}/attributes", attribute="douteuse", present=False)
    assert (lifted["status"], lifted["attributes"]) == ("provisoire", [])


async def test_a_case_about_too_few_records_is_refused(desk: Any, secretary: Person) -> None:
    patient = await desk.create()
    ids = [patient["patient_id"]] * 2
    await secretary.ask("POST", "/cases", 409, kind="duplicate", patient_ids=ids)
    await secretary.ask("POST", "/cases", 404, kind="collision", patient_ids=["nobody"])
    await secretary.ask("GET", "/cases/nothing", 404)


# Merges


async def test_a_matricule_on_two_records_becomes_a_case_a_merge_and_can_be_undone(
    desk: Any, supervisor: Person, secretary: Person, kafka_broker: EmbeddedBroker
) -> None:
    kept = await qualified(desk, local_id="IPP-1")
    other = await desk.create(local_id="IPP-2", used_name="EPOUX-FICTIF")
    gone = other["patient_id"]
    assert (await desk.search(gone))["state"] == "duplicate"
    case = (await supervisor.ask("GET", "/cases"))["cases"][0]
    await supervisor.ask("POST", f"/cases/{case['case_id']}/decision", decision="confirm")
    assert (await supervisor.ask("GET", f"/cases/{case['case_id']}"))["pam_code"] == "DOUA"

    both = {"surviving_id": kept, "absorbed_id": gone}
    await secretary.ask("POST", "/merges", 403, **both)
    merge = await supervisor.ask("POST", "/merges", 201, **both, reason="Même personne")
    survivor, closed = await desk.read(kept), await desk.read(gone)
    assert (survivor["status"], survivor["ins"]["matricule"]) == ("qualifiee", MATRICULE)
    assert (closed["status"], closed["merged_into"]) == ("provisoire", kept)
    assert closed["traits"]["used_name"] == "EPOUX-FICTIF"
    assert (await supervisor.ask("GET", f"/cases/{case['case_id']}"))["state"] == "resolved"
    refused = await desk.act(gone, "identity-checks", expect=409, document_kind="CN")
    assert "fusionné" in refused["detail"]
    async with asyncio.timeout(60):
        async for body in events(kafka_broker, "patient.merged", kept):
            event = PatientMerged.parse(body)
            assert (event.absorbed_id, event.revision) == (gone, survivor["revision"])
            break

    undone = await supervisor.ask("POST", f"/merges/{merge['merge_id']}/undo", reason="Deux sœurs")
    assert undone["undone_by"] == "user-1"
    back = await desk.read(gone)
    assert (back["merged_into"], back["traits"]) == (None, other["traits"])
    assert (await desk.read(kept))["ins"]["matricule"] == MATRICULE
    assert (await supervisor.ask("GET", f"/cases/{case['case_id']}"))["state"] == "open"
    await supervisor.ask("POST", f"/merges/{merge['merge_id']}/undo", 409)
    assert (await supervisor.ask("GET", f"/merges/{merge['merge_id']}"))["undone_by"] == "user-1"


async def test_the_survivor_gains_the_ins_of_the_same_person_and_gives_it_back_when_the_merge_is_undone(
    desk: Any, supervisor: Person, kafka_broker: EmbeddedBroker
) -> None:
    holder = await qualified(desk)
    kept = (await desk.create())["patient_id"]
    merge = await supervisor.ask("POST", "/merges", 201, surviving_id=kept, absorbed_id=holder)
    assert (await desk.read(kept))["ins"]["matricule"] == MATRICULE
    await supervisor.ask("POST", f"/patients/{kept}/attributes", attribute="homonyme")
    await supervisor.ask("POST", f"/merges/{merge['merge_id']}/undo")
    assert ((await desk.read(kept))["status"], (await desk.read(kept))["attributes"]) == ("provisoire", ["homonyme"])
    restored = await desk.read(holder)
    assert (restored["status"], restored["ins"]["matricule"]) == ("qualifiee", MATRICULE)
    event = await told(kafka_broker, holder, restored["revision"])
    assert event.ins is not None
    assert event.ins.open(desk.keyring, Ins).matricule == MATRICULE


# Worklists


async def names(person: Person, worklist: str) -> list[tuple[str, str]]:
    answer = await person.ask("GET", f"/sites/lilas/worklists/{worklist}")
    return [(one["patient_id"], one["step"]) for one in answer["items"]]


async def test_the_reception_sees_who_is_present_today_and_what_to_do_until_they_leave(
    desk: Any, secretary: Person
) -> None:
    new = (await desk.create())["patient_id"]
    done = await qualified(desk, birth_name="DUVAL-FICTIF")
    absent = (await desk.create(birth_name="ABSENT-FICTIF"))["patient_id"]
    for patient_id in (new, done):
        await secretary.ask("POST", f"/patients/{patient_id}/venues", 201, venue_id=f"V-{patient_id[-6:]}")
    assert await names(secretary, "to_qualify") == [(new, "hold_document_then_search")]
    assert await names(secretary, "ins_to_search") == [(new, "search_ins")]
    answer = await secretary.ask("GET", "/sites/lilas/worklists/to_qualify")
    assert answer["items"][0]["next_step"].startswith("Contrôler une pièce d’identité")
    await secretary.ask("POST", f"/patients/{absent}/venues", 409, venue_id=f"V-{new[-6:]}")
    await secretary.ask("POST", f"/patients/{new}/venues/V-{new[-6:]}/close")
    assert await names(secretary, "to_qualify") == []
    await secretary.ask("POST", f"/patients/{absent}/venues/V-{new[-6:]}/close", 404)


async def test_each_ending_of_a_search_waits_on_its_list_until_the_record_changes(desk: Any, secretary: Person) -> None:
    unknown = (await desk.create(birth_name="INTROUVABLE-FICTIF"))["patient_id"]
    assert (await desk.search(unknown))["state"] == "not_found"
    twins = await desk.create(
        birth_name="HOMONYME-FICTIF",
        first_birth_given_name="LEA",
        birth_given_names="LEA",
        birth_date="1985-02-14",
        birth_place_code="99999",
    )
    assert (await desk.search(twins["patient_id"]))["state"] == "several"
    differs = await desk.create(first_birth_given_name="ROSE", birth_given_names="ROSE CAMILLE")
    assert (await desk.search(differs["patient_id"]))["state"] == "to_decide"
    assert await names(secretary, "not_found") == [(unknown, "check_birth_name")]
    assert await names(secretary, "several_answers") == [(twins["patient_id"], "add_given_names_or_place")]
    assert await names(secretary, "to_decide") == [(differs["patient_id"], "compare_and_decide")]
    await secretary.ask("PATCH", f"/patients/{unknown}/traits", birth_name="TROUVABLE-FICTIF")
    assert await names(secretary, "not_found") == []


async def test_doubtful_records_and_cases_wait_on_theirs(desk: Any, secretary: Person, supervisor: Person) -> None:
    one, other = (await desk.create())["patient_id"], (await desk.create())["patient_id"]
    assert await names(secretary, "duplicates") == [(other, "look_and_decide")]
    case = (await supervisor.ask("GET", "/cases"))["cases"][0]
    await supervisor.ask("POST", f"/cases/{case['case_id']}/decision", decision="confirm")
    assert await names(secretary, "duplicates") == [(other, "merge")]
    await desk.act(one, "attributes", attribute="douteuse")
    assert await names(secretary, "doubtful") == [(one, "lift_doubt")]
    assert await names(secretary, "verification_ko") == []
    await secretary.ask("GET", "/sites/rives/worklists/doubtful", 403)
    await secretary.ask("GET", "/sites/lilas/worklists/nothing", 422)


async def test_two_searches_accepted_at_the_same_instant_never_store_one_matricule_twice(desk: Any) -> None:
    records = [(await desk.create())["patient_id"] for _ in range(4)]
    states = await asyncio.gather(*(desk.search(one) for one in records))
    assert sorted(one["state"] for one in states) == ["accepted", "duplicate", "duplicate", "duplicate"]
    held = await desk.service.database["identities"].count_documents({"ins_index": {"$exists": True}})
    assert held == 1
