"""The acts of a report through its API: what leaves, what the journey says, what is refused and in which words."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from typing import Any

import pytest
from navette_chassis.testing import until
from navette_contracts.events import (
    Audience,
    DmpOperation,
    DmpPublished,
    DmpRejected,
    DmpVisibilityChanged,
    DmpWithdrawn,
    ErrorClass,
    MailKind,
    MssSent,
    RecipientRole,
    ReportAnnounced,
    ReportComposed,
    ReportSigned,
    ReportWithdrawn,
    WhoMustAct,
)
from navette_report.use_cases.read_reports import late_drafts
from pypdf import PdfReader

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def act(world: Any, report_id: str, name: str, **body: Any) -> Any:
    async with world.radiologist() as caller:
        return await caller.post(f"/reports/{report_id}/{name}", json=body)


async def done(world: Any, report_id: str, name: str, **body: Any) -> dict[str, Any]:
    answer = await act(world, report_id, name, **body)
    assert answer.status_code in (200, 201), answer.text
    return dict(answer.json())


async def refused(world: Any, report_id: str, name: str, **body: Any) -> str:
    answer = await act(world, report_id, name, **body)
    assert answer.status_code == 409, answer.text
    return str(answer.json()["detail"])


async def composed(world: Any, promised: Any, report_id: str, count: int) -> list[ReportComposed]:
    async def committed() -> bool:
        versions = (await world.journey(report_id))["report"]["versions"]
        return sum(len(one["unique_ids"]) for one in versions) >= count

    await until(committed)
    # A transaction that is run again promises again.
    return list({one.document.unique_id: one for one in promised.of(ReportComposed, report_id)}.values())


async def arrive(world: Any, event: ReportComposed) -> None:
    """The DMP and every mailbox accept an edition."""
    now = world.service.clock.now()
    ids = {"report_id": event.report_id, "version": event.version}
    if Audience.DMP in event.audience:
        await world.emit(
            DmpPublished(**ids, unique_id=event.document.unique_id, submission_unique_id="1.2.9", published_at=now)
        )
    for one in event.recipients:
        party = Audience.PATIENT if one.role is RecipientRole.PATIENT else Audience.PROFESSIONALS
        if party in event.audience:
            mail = ids | {"recipient_id": one.recipient_id, "role": one.role, "message_id": "<m@n.example>"}
            await world.emit(MssSent(**mail, sent_at=now))


async def qualified_report(world: Any, **choices: Any) -> str:
    patient = world.new_patient()
    await world.identify(patient, qualified=True)
    return str(await world.signed(patient, **choices))


async def replacement(world: Any, report_id: str, built_on: int, **changes: Any) -> dict[str, Any]:
    content = json.loads(world.samples.content(**changes).model_dump_json())
    return await done(world, report_id, "replace", built_on=built_on, content=content)


@pytest.mark.dsr("RIS.CRR.02", "RIS.CRR.03")
async def test_an_announcement_releases_the_dmp_and_the_mail_of_the_patient(world: Any, outbox_events: Any) -> None:
    report_id = await qualified_report(world, announcement_needed=True)
    (first,) = await composed(world, outbox_events, report_id, 1)
    assert first.visibility.hidden_from_patient
    assert Audience.PATIENT not in first.audience
    await arrive(world, first)
    lines = await world.become(report_id, dmp="delivered", corr_1="sent", patient="waiting")
    assert (lines["patient"]["reason"], lines["patient"]["who_must_act"]) == ("announcement_needed", "radiologist")

    answer = await done(world, report_id, "announce")
    assert "announce" not in [offer["act"] for offer in answer["offers"]]
    announced = outbox_events.of(ReportAnnounced, report_id)[-1]
    _, second = await composed(world, outbox_events, report_id, 2)
    assert announced.version == second.version == 1
    assert second.audience == (Audience.DMP, Audience.PATIENT)
    assert not second.visibility.hidden_from_patient
    assert second.replaces_unique_id == first.document.unique_id
    assert second.document.set_id == first.document.set_id

    await arrive(world, second)
    await world.emit(
        DmpVisibilityChanged(
            report_id=report_id, version=1, unique_id=second.document.unique_id, at=world.service.clock.now()
        )
    )
    await world.become(report_id, patient="sent")

    async def released() -> bool:
        lines = (await world.journey(report_id))["lines"]
        return any((one["kind"], one["state_label"]) == ("release", "Visible par le patient") for one in lines)

    await until(released)
    assert await refused(world, report_id, "announce") == "L’annonce au patient est déjà enregistrée."


@pytest.mark.dsr("RIS.DMP.02", "RIS.MSS.15")
async def test_a_new_version_replaces_the_one_before_wherever_it_went(world: Any, outbox_events: Any) -> None:
    report_id = await qualified_report(world)
    (first,) = await composed(world, outbox_events, report_id, 1)
    await arrive(world, first)
    await world.become(report_id, dmp="delivered")
    draft = await replacement(world, report_id, 1, conclusion="Conclusion corrigée.")
    assert (draft["version"], draft["state"]) == (2, "draft")
    await world.sign(report_id)
    _, second = await composed(world, outbox_events, report_id, 2)
    assert (second.version, second.document.version_number) == (2, 2)
    assert second.replaces_unique_id == first.document.unique_id
    assert second.document.set_id == first.document.set_id
    assert outbox_events.of(ReportSigned, report_id)[-1].replaces_version == 1
    journey = await world.journey(report_id)
    assert [(one["version"], one["state"]) for one in journey["report"]["versions"]] == [
        (1, "replaced"), (2, "composed"),
    ]  # fmt: skip
    assert {one["version"] for one in journey["lines"]} == {2}
    assert {one["version"] for one in journey["former_lines"]} == {1}


@pytest.mark.dsr("RIS.DMP.02")
async def test_a_version_the_dmp_refused_is_not_named_by_the_next(world: Any, outbox_events: Any) -> None:
    report_id = await qualified_report(world)
    (first,) = await composed(world, outbox_events, report_id, 1)
    now = world.service.clock.now()
    await world.emit(
        DmpRejected(
            report_id=report_id, version=1, unique_id=first.document.unique_id, error_class=ErrorClass.PERMANENT,
            code="DMPClosed", who_must_act=WhoMustAct.NOBODY, rejected_at=now,
        )
    )  # fmt: skip
    await world.become(report_id, dmp="refused")
    await replacement(world, report_id, 1)
    await world.sign(report_id)
    _, second = await composed(world, outbox_events, report_id, 2)
    assert second.replaces_unique_id is None


@pytest.mark.dsr("RIS.DMP.02")
async def test_a_correction_written_before_the_dmp_refused_the_first_version_gets_there_without_naming_it(
    world: Any, outbox_events: Any
) -> None:
    report_id = await qualified_report(world)
    (first,) = await composed(world, outbox_events, report_id, 1)
    await replacement(world, report_id, 1, conclusion="Conclusion corrigée.")
    await world.sign(report_id)
    _, second = await composed(world, outbox_events, report_id, 2)
    assert second.replaces_unique_id == first.document.unique_id  # nobody knows yet that it will be refused

    async def refuse(event: ReportComposed, code: str) -> None:
        await world.emit(
            DmpRejected(
                report_id=report_id, version=event.version, unique_id=event.document.unique_id,
                error_class=ErrorClass.PERMANENT, code=code, who_must_act=WhoMustAct.NOBODY,
                rejected_at=world.service.clock.now(),
            )
        )  # fmt: skip

    await refuse(first, "DMPClosed")
    await refuse(second, "replaced-document-absent")
    *_, third = await composed(world, outbox_events, report_id, 3)
    assert (third.version, third.audience, third.replaces_unique_id) == (2, (Audience.DMP,), None)
    assert third.document.set_id == first.document.set_id
    lines = await world.become(report_id, dmp="scheduled")
    assert lines["dmp"]["reason"] is None
    await arrive(world, third)
    await world.become(report_id, dmp="delivered")
    # A refusal for another reason is not answered with another document.
    await refuse(second, "replaced-document-absent")
    report = (await world.journey(report_id))["report"]
    assert sum(len(one["unique_ids"]) for one in report["versions"]) == 3


@pytest.mark.dsr("RIS.DMP.02", "RIS.DMP.03")
async def test_a_version_withheld_from_the_dmp_is_not_named_by_the_next_one(world: Any, outbox_events: Any) -> None:
    report_id = await qualified_report(world, withheld_from_dmp=True)
    (first,) = await composed(world, outbox_events, report_id, 1)
    assert Audience.DMP not in first.audience
    await replacement(world, report_id, 1)
    assert (await world.sign(report_id, withheld_from_dmp=False)).status_code == 200
    _, second = await composed(world, outbox_events, report_id, 2)
    assert Audience.DMP in second.audience
    assert second.replaces_unique_id is None


@pytest.mark.dsr("RIS.DMP.02")
async def test_a_replacement_built_on_anything_but_the_last_version_is_refused(world: Any, outbox_events: Any) -> None:
    report_id = await qualified_report(world)
    await composed(world, outbox_events, report_id, 1)
    content = json.loads(world.samples.content().model_dump_json())
    said = await refused(world, report_id, "replace", built_on=2, content=content)
    assert "doit partir de la dernière version validée" in said
    await replacement(world, report_id, 1)
    assert "déjà en cours d’écriture" in await refused(world, report_id, "replace", built_on=1, content=content)
    answer = await done(world, report_id, "abandon")
    assert (answer["version"], answer["state"]) == (1, "composed")


@pytest.mark.dsr("RIS.DMP.06")
async def test_what_was_visible_is_not_hidden_again_and_the_answer_says_what_to_do(
    world: Any, outbox_events: Any
) -> None:
    report_id = await qualified_report(world)
    await composed(world, outbox_events, report_id, 1)
    await replacement(world, report_id, 1)
    said = await refused(world, report_id, "sign", hidden_from_patient=True)
    assert "ne peut plus être masqué" in said
    assert "retirez" in said


@pytest.mark.dsr("RIS.DMP.02", "RIS.MSS.16")
async def test_a_withdrawal_is_told_everywhere_and_its_reason_to_nobody(world: Any, outbox_events: Any) -> None:
    report_id = await qualified_report(world)
    (first,) = await composed(world, outbox_events, report_id, 1)
    await arrive(world, first)
    await world.become(report_id, dmp="delivered", corr_1="sent", patient="sent")
    answer = await done(world, report_id, "withdraw", reason="Erreur de patient CANARI")
    assert (answer["state_label"], answer["offers"]) == ("Retiré", [])
    event = outbox_events.of(ReportWithdrawn, report_id)[-1]
    assert (event.version, event.unique_id) == (1, first.document.unique_id)
    assert "CANARI" not in event.model_dump_json()
    assert event.reason.open(world.service.keyring, str) == "Erreur de patient CANARI"
    row = await world.service.database["reports"].find_one({"_id": report_id})
    assert "CANARI" not in str(row)

    now = world.service.clock.now()
    await world.emit(DmpWithdrawn(report_id=report_id, version=1, unique_id=first.document.unique_id, at=now))
    await world.emit(
        MssSent(
            report_id=report_id, version=1, recipient_id="corr-1", role=RecipientRole.REQUESTER,
            kind=MailKind.WITHDRAWAL, message_id="<n@n.example>", sent_at=now,
        )
    )  # fmt: skip

    async def withdrawn() -> bool:
        lines = (await world.journey(report_id))["lines"]
        found = {(one["recipient_id"], one["state_label"]) for one in lines if one["kind"] == "withdrawal"}
        return found == {("dmp", "Supprimé"), ("corr-1", "Envoyé"), ("patient", "Retrait en cours")}

    await until(withdrawn)
    assert "a été retiré" in await refused(world, report_id, "withdraw")
    patient_id = (await world.journey(report_id))["report"]["patient_id"]
    async with world.caller("secretary") as caller:
        listed = (await caller.get(f"/pages/journey?patient_id={patient_id}")).text
    # Two lines for each recipient: what each is about is said.
    assert (listed.count(">Avis de retrait<"), listed.count(">Suppression<")) == (2, 1)


async def test_the_document_of_a_withdrawn_report_is_shown_with_the_withdrawal_across_it(
    world: Any, outbox_events: Any
) -> None:
    report_id = await qualified_report(world)
    await composed(world, outbox_events, report_id, 1)
    await done(world, report_id, "withdraw")
    async with world.caller("secretary") as caller:
        shown = await caller.get(f"/reports/{report_id}/document.pdf")
    text = "".join(page.extract_text() for page in PdfReader(io.BytesIO(shown.content)).pages)
    assert "RETIRÉ" in text
    files = world.service.database["documents.files"]
    assert await files.count_documents({"metadata.report_id": report_id}) == 2  # what was sent stays as it was


async def test_a_failed_deletion_is_shown_beside_the_deposit_it_could_not_undo(world: Any, outbox_events: Any) -> None:
    report_id = await qualified_report(world)
    (first,) = await composed(world, outbox_events, report_id, 1)
    await arrive(world, first)
    await world.become(report_id, dmp="delivered")
    await done(world, report_id, "withdraw")
    await world.emit(
        DmpRejected(
            report_id=report_id, version=1, unique_id=first.document.unique_id, error_class=ErrorClass.PERMANENT,
            code="LocalPolicyRestrictionError", who_must_act=WhoMustAct.ADMINISTRATOR,
            rejected_at=world.service.clock.now(), operation=DmpOperation.WITHDRAW,
        )
    )  # fmt: skip

    async def shown() -> bool:
        lines = (await world.journey(report_id))["lines"]
        states = {(one["kind"], one["state"]) for one in lines if one["channel"] == "dmp"}
        return states == {("report", "delivered"), ("withdrawal", "refused")}

    await until(shown)


async def test_what_waits_when_a_report_is_withdrawn_does_not_leave(world: Any, outbox_events: Any) -> None:
    report_id = await world.signed(world.new_patient())
    await done(world, report_id, "withdraw")
    lines = await world.become(report_id, dmp="cancelled", patient="cancelled")
    assert lines["dmp"]["reason_label"] == "Compte rendu retiré avant l’envoi"
    assert outbox_events.of(ReportComposed, report_id) == []


@pytest.mark.dsr("RIS.CRR.04")
async def test_a_provisional_report_waits_for_the_agreement_of_the_co_readers(world: Any, make_rpps: Any) -> None:
    report_id = await world.draft(world.new_patient())
    other = make_rpps(7)
    answer = await done(world, report_id, "propose", co_readers=[other])
    assert (answer["state_label"], answer["versions"][0]["missing_agreements"]) == ("Provisoire, non validé", [other])
    assert "accord" in await refused(world, report_id, "sign")
    async with world.radiologist(rpps=make_rpps(9), name="Lou TIERS-LECTEUR", sub="user-3") as caller:
        answer = await caller.post(f"/reports/{report_id}/agree", json={})
        assert answer.json()["detail"] == "Votre accord n’est pas demandé pour ce compte rendu."
    async with world.radiologist(rpps=other, name="Alex SECOND-LECTEUR", sub="user-2") as caller:
        assert (await caller.post(f"/reports/{report_id}/agree", json={})).status_code == 200
    assert (await world.sign(report_id)).status_code == 200


@pytest.mark.dsr("RIS.CRR.04")
async def test_only_who_asked_for_agreement_changes_whose_is_needed_unless_another_takes_over_and_is_named(
    world: Any, make_rpps: Any, outbox_events: Any
) -> None:
    report_id = await world.draft(world.new_patient())
    reader, other, friend = make_rpps(7), make_rpps(9), make_rpps(10)
    await done(world, report_id, "propose", co_readers=[reader])
    path, wanted = f"/reports/{report_id}/propose", {"co_readers": [friend]}
    async with world.radiologist(rpps=other, name="Lou TIERS-LECTEUR", sub="user-3") as caller:
        answer = await caller.post(path, json=wanted)
        assert answer.status_code == 409
        assert answer.json()["type"] == "urn:navette:problem:proposed-by-another"
        assert "reprenez explicitement la demande" in answer.json()["detail"]
        kept = (await world.journey(report_id))["report"]["versions"][0]
        assert kept["co_readers"] == [world.rpps, reader]
        taken = await caller.post(path, json=wanted | {"take_over": True})
    assert taken.status_code == 200, taken.text
    version = taken.json()["versions"][0]
    assert version["co_readers"] == [other, friend]
    assert version["missing_agreements"] == [friend]  # what was agreed before counts no more
    assert [(one["by"], one["co_readers"]) for one in version["proposals"]] == [
        (world.rpps, [world.rpps, reader]),
        (other, [other, friend]),
    ]
    async with world.caller("secretary") as caller:
        page = (await caller.get(f"/pages/reports/{report_id}")).text
    assert f"relecture reprise par RPPS {other}" in page
    actions = [one.action for one, _ in outbox_events.seen if getattr(one, "object_id", "") == report_id]
    assert [one for one in actions if one in ("report.propose", "report.take_over")] == [
        "report.propose",
        "report.take_over",
    ]


@pytest.mark.dsr("RIS.CRR.04")
async def test_who_asked_may_change_whose_agreement_is_needed(world: Any, make_rpps: Any) -> None:
    report_id = await world.draft(world.new_patient())
    await done(world, report_id, "propose", co_readers=[make_rpps(7)])
    again = await done(world, report_id, "propose", co_readers=[make_rpps(9)])
    assert again["versions"][0]["missing_agreements"] == [make_rpps(9)]


@pytest.mark.dsr("RIS.CRR.05", "RIS.CRR.06")
async def test_the_review_list_shows_what_is_not_validated_and_what_is_late(world: Any, make_rpps: Any) -> None:
    report_id = await world.draft(world.new_patient())
    await done(world, report_id, "propose", co_readers=[make_rpps(8)])
    async with world.caller("secretary") as caller:
        found = (await caller.get("/worklists/provisional")).json()
        assert report_id in [one["report"]["report_id"] for one in found["reports"]]
        assert report_id not in found["late"]
        old = world.service.clock.now() - timedelta(days=3)
        await _touch(world, report_id, old)
        found = (await caller.get("/worklists/provisional")).json()
        assert report_id in found["late"]
        page = (await caller.get("/pages/journey")).text
        assert "depuis plus de 48 h" in page
        assert "depuis plus de 48 h" in (await caller.get("/pages/journey?worklist=provisional")).text
        await _touch(world, report_id, world.service.clock.now() - timedelta(days=40))
        found = (await caller.get("/worklists/provisional?days=30")).json()
        assert report_id not in [one["report"]["report_id"] for one in found["reports"]]
        found = (await caller.get("/worklists/provisional?days=60")).json()
        assert report_id in [one["report"]["report_id"] for one in found["reports"]]
    assert await late_drafts(world.service.database, [world.other_site], before=world.service.clock.now()) == 0


async def _touch(world: Any, report_id: str, at: Any) -> None:
    """Make a report as old as `at`."""
    row = await world.service.database["reports"].find_one({"_id": report_id})
    row["report"]["updated_at"] = at.isoformat()
    await world.service.database["reports"].update_one(
        {"_id": report_id}, {"$set": {"updated_at": at, "report": row["report"]}}
    )


async def test_each_list_holds_what_waits_for_somebody_of_the_callers_sites(world: Any, outbox_events: Any) -> None:
    to_announce = await qualified_report(world, announcement_needed=True)
    patient = world.new_patient()
    await world.identify(patient, qualified=False)
    waiting = await world.signed(patient)
    failed = await qualified_report(world)
    for report_id in (to_announce, waiting, failed):
        await composed(world, outbox_events, report_id, 1)
    await world.emit(
        DmpRejected(
            report_id=failed, version=1, unique_id="1.2.3", error_class=ErrorClass.EXHAUSTED, code="x",
            who_must_act=WhoMustAct.OPERATOR, rejected_at=world.service.clock.now(),
        )
    )  # fmt: skip
    await world.become(failed, dmp="failed")
    expected = {"to-announce": to_announce, "waiting-ins": waiting, "failed": failed}
    for name, report_id in expected.items():
        async with world.caller("secretary") as caller:
            found = [one["report"]["report_id"] for one in (await caller.get(f"/worklists/{name}")).json()["reports"]]
        assert report_id in found
        assert not set(found) & (set(expected.values()) - {report_id})
        async with world.caller("secretary", sites=[world.other_site]) as stranger:
            assert (await stranger.get(f"/worklists/{name}")).json()["reports"] == []


async def test_reports_are_found_by_patient_date_site_and_state(world: Any) -> None:
    patient = world.new_patient()
    report_id = await world.draft(patient)

    async def found(**query: Any) -> list[str]:
        async with world.caller("secretary") as caller:
            answer = await caller.get("/reports", params={"patient_id": patient} | query)
        return [one["report"]["report_id"] for one in answer.json()["reports"]]

    day = {"examined_from": "2026-11-20", "examined_to": "2026-11-20"}
    assert await found() == await found(**day) == await found(state="draft", site_id=world.site) == [report_id]
    assert await found(examined_from="2026-11-21") == await found(examined_to="2026-11-19") == []
    assert await found(state="composed") == await found(site_id=world.other_site) == []


async def test_an_act_on_what_was_read_is_refused_once_somebody_changed_it(world: Any, make_rpps: Any) -> None:
    report_id = await world.draft(await world.known(world.new_patient()))
    other = world.samples.content(conclusion="Autre conclusion.").model_dump(mode="json")
    async with world.radiologist() as doctor, world.caller("secretary") as secretary:
        read = (await doctor.get(f"/reports/{report_id}")).headers["etag"]
        edited = await secretary.put(f"/reports/{report_id}/content", json=other, headers={"If-Match": read})
        assert (edited.status_code, edited.headers["etag"] != read) == (200, True)
        late = {"headers": {"If-Match": read}}
        for refused in (
            await doctor.post(f"/reports/{report_id}/sign", json={}, **late),
            await doctor.post(f"/reports/{report_id}/propose", json={"co_readers": [make_rpps(71)]}, **late),
            await secretary.put(f"/reports/{report_id}/content", json=other, **late),
        ):
            assert (refused.status_code, refused.json()["type"]) == (
                412, "urn:navette:problem:changed-since-it-was-shown",
            )  # fmt: skip
        fresh = {"headers": {"If-Match": edited.headers["etag"]}}
        signed = await doctor.post(f"/reports/{report_id}/sign", json={}, **fresh)
        assert signed.status_code == 200
        # A composition that finishes meanwhile is no change of what was read.
        await world.become(report_id, dmp="scheduled")
        withdrawn = await doctor.post(
            f"/reports/{report_id}/withdraw", json={}, headers={"If-Match": signed.headers["etag"]}
        )
        assert withdrawn.status_code == 200


@pytest.mark.dsr("RIS.CRR.02", "RIS.DMP.03")
async def test_what_was_flagged_on_the_draft_stands_at_validation_with_who_and_when(
    world: Any, outbox_events: Any
) -> None:
    patient = world.new_patient()
    await world.identify(patient, qualified=True)
    report_id = await world.draft(patient)
    async with world.caller("secretary", subject="secretary-9") as caller:
        answer = await caller.post(
            f"/reports/{report_id}/choices", json={"announcement_needed": True, "withheld_from_dmp": True}
        )
        assert answer.status_code == 200
    assert (await world.sign(report_id, withheld_from_dmp=False)).status_code == 200
    event = outbox_events.of(ReportSigned, report_id)[-1]
    assert (event.announcement_needed, event.withheld_from_dmp) == (True, False)
    choices = (await world.journey(report_id))["report"]["versions"][0]["choices"]
    assert [(one["name"], one["value"], one["by"]) for one in choices] == [
        ("announcement_needed", True, "secretary-9"),
        ("withheld_from_dmp", True, "secretary-9"),
        ("withheld_from_dmp", False, world.rpps),
    ]


@pytest.mark.dsr("RIS.CRR.02", "RIS.DMP.06", "RIS.DMP.07")
@pytest.mark.parametrize(
    ("asked", "age", "said"),
    [
        ({"hidden_from_professionals": True, "hidden_from_patient": True}, 40, "à la fois masqué aux professionnels"),
        ({"hidden_from_professionals": True, "announcement_needed": True}, 40, "d’abord invisible pour le patient"),
        ({"secret_connection": True}, 15, "cochez les deux"),
        ({"secret_connection": True, "hidden_from_representatives": True}, 40, "mineurs"),
    ],
)
async def test_choices_that_could_not_be_signed_are_refused_when_they_are_made_and_nothing_is_kept(
    world: Any, asked: dict[str, bool], age: int, said: str
) -> None:
    born = (world.service.clock.now().replace(day=1) - timedelta(days=365 * age)).strftime("%Y-%m-%d")
    report_id = await world.draft(await world.known(world.new_patient(), birth_date=born))
    before = await world.journey(report_id)
    async with world.caller("secretary") as caller:
        answer = await caller.post(f"/reports/{report_id}/choices", json=asked)
    assert answer.status_code == 409
    assert said in answer.json()["detail"]
    assert await world.journey(report_id) == before


@pytest.mark.dsr("RIS.DMP.06")
async def test_a_choice_that_does_not_go_with_an_earlier_one_is_refused_and_both_at_once_are_put_right(
    world: Any,
) -> None:
    report_id = await world.draft(await world.known(world.new_patient()))
    path = f"/reports/{report_id}/choices"
    async with world.caller("secretary") as caller:
        assert (await caller.post(path, json={"hidden_from_professionals": True})).status_code == 200
        assert (await caller.post(path, json={"announcement_needed": True})).status_code == 409
        instead = {"hidden_from_professionals": False, "announcement_needed": True}
        assert (await caller.post(path, json=instead)).status_code == 200
    assert (await world.sign(report_id)).status_code == 200


@pytest.mark.dsr("RIS.DMP.06")
async def test_a_correction_is_not_flagged_to_hide_what_was_visible(world: Any, outbox_events: Any) -> None:
    report_id = await qualified_report(world)
    await composed(world, outbox_events, report_id, 1)
    content = world.samples.content(title="Corrigé").model_dump(mode="json")
    async with world.radiologist() as doctor:
        assert (
            await doctor.post(f"/reports/{report_id}/replace", json={"built_on": 1, "content": content})
        ).status_code == 201
        answer = await doctor.post(f"/reports/{report_id}/choices", json={"hidden_from_patient": True})
    assert answer.status_code == 409
    assert "ne peut plus être masqué" in answer.json()["detail"]


@pytest.mark.dsr("RIS.DMP.07")
async def test_a_connexion_secrete_is_for_minors_hidden_from_their_representatives_and_kept_with_who_and_when(
    world: Any, outbox_events: Any
) -> None:
    adult = await world.draft(await world.known(world.new_patient()))
    secret = {"secret_connection": True, "hidden_from_representatives": True}
    assert "mineurs" in await refused(world, adult, "sign", **secret)
    born = (world.service.clock.now().replace(day=1) - timedelta(days=365 * 15)).strftime("%Y-%m-%d")
    minor = await world.draft(await world.known(world.new_patient(), birth_date=born))
    assert "cochez les deux" in await refused(world, minor, "sign", secret_connection=True)
    assert (await world.sign(minor, **secret)).status_code == 200
    (event,) = await composed(world, outbox_events, minor, 1)
    assert event.visibility.secret_connection
    assert Audience.PATIENT not in event.audience
    choices = (await world.journey(minor))["report"]["versions"][0]["choices"]
    assert ("secret_connection", True, world.rpps) in [(one["name"], one["value"], one["by"]) for one in choices]


@pytest.mark.parametrize("name", ["announce", "withdraw", "propose", "agree", "replace", "abandon", "sign"])
async def test_only_a_radiologist_of_the_site_does_what_binds_the_site(world: Any, name: str) -> None:
    report_id = await world.draft(world.new_patient())
    body = {"propose": {"co_readers": [world.rpps]}}.get(name, {})
    if name == "replace":
        body = {"built_on": 1, "content": json.loads(world.samples.content().model_dump_json())}
    async with world.caller("secretary") as caller:
        assert (await caller.post(f"/reports/{report_id}/{name}", json=body)).status_code == 403
    async with world.radiologist(sites=[world.other_site]) as caller:
        elsewhere = await caller.post(f"/reports/{report_id}/{name}", json=body)
        nowhere = await caller.post(f"/reports/unknown/{name}", json=body)
    assert (elsewhere.status_code, elsewhere.json()) == (404, nowhere.json()), "nobody learns which reports exist"


async def test_the_page_shows_the_chain_of_versions_and_the_acts_with_whose_they_are(
    world: Any, outbox_events: Any
) -> None:
    report_id = await qualified_report(world, announcement_needed=True)
    await composed(world, outbox_events, report_id, 1)
    async with world.caller("secretary") as caller:
        page = (await caller.get(f"/pages/reports/{report_id}")).text
        assert "enregistrer l’annonce au patient (radiologue)" in page
        assert "remplacer par une nouvelle version (radiologue)" in page
        assert "Masquer" not in page
        await done(world, report_id, "announce")
        await replacement(world, report_id, 1)
        page = (await caller.get(f"/pages/reports/{report_id}")).text
    assert "annoncée au patient le" in page
    assert "Brouillon" in page
    assert "version 1" in page
