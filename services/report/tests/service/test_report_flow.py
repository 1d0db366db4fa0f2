"""From signature to documents and journey, through the embedded broker and database."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from typing import Any

import pytest
from navette_chassis import Received
from navette_chassis.testing import until
from navette_contracts.events import (
    DmpPublished,
    DmpRejected,
    ErrorClass,
    MssDelivered,
    MssFailed,
    MssRead,
    MssSent,
    PatientMerged,
    RecipientRole,
    ReportAnnounced,
    ReportComposed,
    ReportSigned,
    WhoMustAct,
)
from navette_documents.cda_header import read_header
from navette_report.adapters.journeys import JourneyRepository
from navette_report.adapters.workshop import Workshop
from navette_report.domain.report import Finding

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    ("skills", "code", "label"),
    [
        (["SM28"], "G15_10/SM28", "Médecin - Médecine nucléaire (SM)"),
        ([], "G15_10/SM74", "Médecin - Radiologie et imagerie médicale (SM)"),  # what the site says of its own
    ],
)
async def test_the_document_calls_the_signatory_what_the_sign_on_says_they_are(
    world, outbox_events, skills, code, label
):
    report_id = await world.draft(await world.known(world.new_patient()), site_id=world.other_site)
    async with world.radiologist(skills=skills, sites=[world.other_site]) as doctor:
        assert (await doctor.post(f"/reports/{report_id}/sign", json={})).status_code == 200
    event = (await until(lambda: outbox_events.of(ReportComposed, report_id)))[0]

    async def fetched():
        async with world.caller(kind="service", subject="dmp") as dmp:
            answer = await dmp.get(f"/internal/documents/{event.document.document_id}/cda")
        return answer.content if answer.status_code == 200 else None

    header = read_header(await until(fetched))
    named = (header.authors[0], header.legal_authenticator)
    assert {(one.specialty.code, one.specialty.display) for one in named} == {(code, label)}


@pytest.mark.dsr("RIS.DOC.01", "RIS.DOC.02")
async def test_a_signed_report_of_a_qualified_patient_goes_to_everyone(world, outbox_events):
    patient_id = world.new_patient()
    await world.identify(patient_id, qualified=True)
    report_id = await world.signed(patient_id)
    await world.become(report_id, dmp="scheduled", corr_1="scheduled", patient="scheduled")

    (signed,) = outbox_events.of(ReportSigned, report_id)
    assert signed.signed_by_rpps == world.rpps
    (composed,) = outbox_events.of(ReportComposed, report_id)
    assert composed.ins_qualified
    assert [party.value for party in composed.audience] == ["dmp", "professionals", "patient"]
    assert composed.replaces_unique_id is None
    assert {one.recipient_id for one in composed.recipients} == {"corr-1", "patient"}
    sequences = [number for event, number in outbox_events.seen if getattr(event, "report_id", "") == report_id]
    assert sequences == [1, 2]

    async with world.caller(kind="service", subject="dmp") as dmp:
        cda = await dmp.get(f"/internal/documents/{composed.document.document_id}/cda")
        pdf = await dmp.get(f"/internal/documents/{composed.document.document_id}/pdf")
    assert (cda.status_code, pdf.status_code) == (200, 200)
    assert hashlib.sha256(cda.content).hexdigest() == composed.document.cda_sha256
    assert hashlib.sha256(pdf.content).hexdigest() == composed.document.pdf_sha256
    assert (len(cda.content), len(pdf.content)) == (composed.document.cda_size, composed.document.pdf_size)
    assert read_header(cda.content).id.root == composed.document.unique_id


@pytest.mark.dsr("RIS.INS.37")
async def test_an_unqualified_patient_is_sent_to_professionals_and_released_by_itself(world, outbox_events):
    patient_id = world.new_patient()
    await world.identify(patient_id, qualified=False)
    report_id = await world.signed(patient_id)
    lines = await world.become(report_id, dmp="waiting", corr_1="scheduled", patient="waiting")
    for name in ("dmp", "patient"):
        assert (lines[name]["reason"], lines[name]["who_must_act"]) == ("ins_not_qualified", "secretary")
    sent = MssSent(
        report_id=report_id, version=1, recipient_id="corr-1", role=RecipientRole.REQUESTER,
        message_id="<a@b.example>", sent_at=world.service.clock.now(),
    )  # fmt: skip
    await world.emit(sent)
    await world.become(report_id, corr_1="sent")

    await world.identify(patient_id, qualified=True, revision=2)
    await world.become(report_id, dmp="scheduled", corr_1="sent", patient="scheduled")

    first, second = outbox_events.of(ReportComposed, report_id)
    assert [party.value for party in first.audience] == ["professionals"]
    assert [party.value for party in second.audience] == ["dmp", "patient"]
    assert (first.ins_qualified, second.ins_qualified) == (False, True)
    assert first.document.set_id == second.document.set_id
    assert (first.document.version_number, second.document.version_number) == (1, 2)
    assert first.version == second.version == 1
    async with world.caller(kind="service", subject="mss") as mss:
        old = await mss.get(f"/internal/documents/{first.document.document_id}/cda")
        new = await mss.get(f"/internal/documents/{second.document.document_id}/cda")
    matricule = world.samples.identity().ins.matricule.encode()
    assert matricule not in old.content
    assert matricule in new.content
    # The DMP refuses to replace a document it does not hold.
    assert second.replaces_unique_id is None
    assert read_header(new.content).replaces == ()


async def test_a_report_signed_before_its_patient_is_known_waits_visibly_then_leaves(world):
    patient_id = world.new_patient()
    report_id = await world.signed(patient_id)

    async def waits() -> bool:
        return (await world.journey(report_id))["report"]["state"] == "waiting"

    await until(waits)
    lines = await world.lines(report_id)
    assert {line["reason"] for line in lines.values()} == {"identity_unknown"}
    assert lines["corr-1"]["reason_label"] == "Identité du patient pas encore reçue"

    await world.identify(patient_id, qualified=True)
    await world.become(report_id, dmp="scheduled", corr_1="scheduled", patient="scheduled")


async def test_signing_and_identifying_at_the_same_moment_never_loses_the_report(world):
    pairs = []
    for _ in range(6):
        patient_id = world.new_patient()
        pairs.append((patient_id, await world.draft(patient_id)))
    work = []
    for patient_id, report_id in pairs:
        work += [world.sign(report_id), world.identify(patient_id, qualified=True)]
    await asyncio.gather(*work)
    for _, report_id in pairs:
        await world.become(report_id, dmp="scheduled", corr_1="scheduled", patient="scheduled")
        assert len((await world.journey(report_id))["report"]["editions"]) == 1


async def test_a_repeated_or_older_identity_makes_no_further_document(world, outbox_events):
    patient_id = world.new_patient()
    await world.identify(patient_id, qualified=True, revision=5)
    report_id = await world.signed(patient_id)
    await world.become(report_id, dmp="scheduled")
    for revision, qualified in ((5, True), (4, False), (6, True)):
        await world.identify(patient_id, qualified=qualified, revision=revision)

    async def followed() -> bool:
        row = await world.service.database["patients"].find_one({"_id": patient_id})
        return row["revision"] == 6

    await until(followed)
    assert len(outbox_events.of(ReportComposed, report_id)) == 1


async def test_a_report_of_a_merged_record_waits_and_says_so(world):
    absorbed, surviving = world.new_patient(), world.new_patient()
    report_id = await world.signed(absorbed)
    await world.emit(PatientMerged(surviving_id=surviving, absorbed_id=absorbed, revision=2))

    async def told() -> bool:
        return (await world.lines(report_id))["dmp"]["reason"] == "identity_merged"

    await until(told)
    await world.identify(absorbed, qualified=True)
    await world.identify(surviving, qualified=True)
    assert (await world.states(report_id))["dmp"] == "waiting"


async def test_a_merge_after_the_first_edition_is_told_on_the_lines_that_still_wait(world):
    absorbed, surviving = await world.known(world.new_patient(), qualified=False), world.new_patient()
    report_id = await world.signed(absorbed, announcement_needed=True)
    lines = await world.become(report_id, corr_1="scheduled", dmp="waiting", patient="waiting")
    assert lines["dmp"]["reason"] == "ins_not_qualified"

    async def reasons(*expected: str) -> None:
        async def told() -> bool:
            lines = await world.lines(report_id)
            return (lines["dmp"]["reason"], lines["patient"]["reason"]) == expected

        await until(told)

    await world.emit(PatientMerged(surviving_id=surviving, absorbed_id=absorbed, revision=2, absorbed_revision=2))
    await reasons("identity_merged", "identity_merged")
    assert (await world.states(report_id))["corr-1"] == "scheduled"
    await world.identify(absorbed, qualified=False, revision=3)
    await reasons("ins_not_qualified", "ins_not_qualified")
    await world.identify(absorbed, qualified=True, revision=4)
    await world.become(report_id, dmp="scheduled", patient="waiting")


async def test_an_announcement_heard_of_after_the_withdrawal_changes_nothing(world):
    report_id = await world.signed(world.new_patient(), announcement_needed=True)
    await world.become(report_id, dmp="waiting")

    async def waits() -> bool:
        return (await world.lines(report_id))["dmp"]["reason"] == "identity_unknown"

    await until(waits)
    async with world.radiologist() as caller:
        assert (await caller.post(f"/reports/{report_id}/announce")).status_code == 200
        assert (await caller.post(f"/reports/{report_id}/withdraw", json={})).status_code == 200
    now = world.service.clock.now()
    await handled(world, ReportAnnounced(report_id=report_id, version=1, announced_by="user-1", announced_at=now))
    journey = await world.journey(report_id)
    assert journey["report"]["state"] == "withdrawn"
    assert {line["state"] for line in journey["lines"]} == {"cancelled"}


async def handled(world, event):
    """The event as the service would handle it, without its way through the broker."""
    subscription = next(one for one in world.service.subscriptions if one.event_class is type(event))
    received = Received(
        event=event, id=uuid.uuid4().hex, time=world.service.clock.now(), subject=event.key, sequence=None,
        correlation_id="test", causation_id=None,
    )  # fmt: skip

    async def work(uow):
        await subscription.handler(received, uow)

    await world.service.transact(work)


async def test_a_merge_that_is_undone_releases_what_waited_for_it(world):
    absorbed, surviving = world.new_patient(), world.new_patient()
    report_id = await world.signed(absorbed)
    await world.emit(PatientMerged(surviving_id=surviving, absorbed_id=absorbed, revision=2, absorbed_revision=4))

    async def told() -> bool:
        return (await world.lines(report_id))["dmp"]["reason"] == "identity_merged"

    await until(told)
    await world.identify(absorbed, qualified=False, revision=4)
    await world.identify(absorbed, qualified=True, revision=5)
    await world.become(report_id, dmp="scheduled", corr_1="scheduled")


async def test_a_merge_heard_of_after_its_undoing_holds_nothing_back(world):
    absorbed, surviving = world.new_patient(), world.new_patient()
    await world.identify(absorbed, qualified=True, revision=5)
    await world.emit(PatientMerged(surviving_id=surviving, absorbed_id=absorbed, revision=2, absorbed_revision=4))
    marker = world.new_patient()
    await world.emit(PatientMerged(surviving_id=surviving, absorbed_id=marker, revision=3))

    async def heard() -> bool:
        row = await world.service.database["patients"].find_one({"_id": marker})
        return row is not None and row.get("merged_into") == surviving

    await until(heard)
    report_id = await world.signed(absorbed)
    await world.become(report_id, dmp="scheduled")


@pytest.mark.dsr("RIS.CRR.02")
async def test_a_report_to_be_announced_is_hidden_in_the_dmp_and_not_mailed_to_the_patient(world, outbox_events):
    patient_id = world.new_patient()
    await world.identify(patient_id, qualified=True)
    report_id = await world.signed(patient_id, announcement_needed=True)
    lines = await world.become(report_id, dmp="scheduled", corr_1="scheduled", patient="waiting")
    assert (lines["patient"]["reason"], lines["patient"]["who_must_act"]) == ("announcement_needed", "radiologist")
    (composed,) = outbox_events.of(ReportComposed, report_id)
    assert composed.visibility.hidden_from_patient


async def test_withheld_recipients_are_shown_as_a_decision(world):
    patient_id = world.new_patient()
    await world.identify(patient_id, qualified=True)
    report_id = await world.signed(patient_id, withheld_from_dmp=True, withheld_from_patient=True)
    lines = await world.become(report_id, dmp="cancelled", corr_1="scheduled", patient="cancelled")
    assert lines["dmp"]["reason"] == "withheld_from_dmp"
    assert lines["patient"]["reason_label"] == "Non envoyé au patient, sur décision du radiologue"


async def test_a_document_that_fails_its_checks_is_held_visibly_and_leaves_once_it_passes(
    world, outbox_events, monkeypatch
):
    make = Workshop.make

    def spoilt(self: Any, document: Any) -> Any:
        made = make(self, document)
        object.__setattr__(made, "findings", (Finding(rule="time_zone", path="effectiveTime"),))
        return made

    monkeypatch.setattr(Workshop, "make", spoilt)
    patient_id = world.new_patient()
    await world.identify(patient_id, qualified=True)
    report_id = await world.signed(patient_id)

    async def held() -> bool:
        return (await world.journey(report_id))["report"]["state"] == "held"

    await until(held)
    journey = await world.journey(report_id)
    (found,) = journey["report"]["findings"]
    assert (found["rule"], found["path"]) == ("time_zone", "effectiveTime")
    assert found["label"].endswith("prévenez l’exploitation.")
    assert {line["reason"] for line in journey["lines"]} == {"document_held"}
    assert outbox_events.of(ReportComposed, report_id) == []
    assert await world.service.database["documents.files"].count_documents({"metadata.report_id": report_id}) == 0

    monkeypatch.setattr(Workshop, "make", make)
    await world.identify(patient_id, qualified=True, revision=2)
    await world.become(report_id, dmp="scheduled", corr_1="scheduled", patient="scheduled")
    assert (await world.journey(report_id))["report"]["findings"] == []


async def test_a_composition_that_is_interrupted_leaves_nothing_behind_and_is_done_again(
    world, outbox_events, monkeypatch
):
    put = JourneyRepository.put
    failures = []
    patient_id = world.new_patient()
    report_id = await world.draft(patient_id)

    async def failing(self: Any, line: Any) -> None:
        if line.report_id == report_id and line.shown.state.value == "scheduled" and len(failures) < 2:
            files = await world.service.database["documents.files"].count_documents({"metadata.report_id": report_id})
            failures.append(files)
            raise ConnectionError("database went away")
        await put(self, line)

    monkeypatch.setattr(JourneyRepository, "put", failing)
    await world.identify(patient_id, qualified=True)
    assert (await world.sign(report_id)).status_code == 200
    await world.become(report_id, dmp="scheduled", corr_1="scheduled", patient="scheduled")
    assert failures == [0, 0]
    database = world.service.database
    assert await database["documents.files"].count_documents({"metadata.report_id": report_id}) == 2
    report = (await world.journey(report_id))["report"]
    assert len(report["editions"]) == 1


async def test_outcomes_of_the_dmp_and_the_mails_move_the_lines(world):
    patient_id = world.new_patient()
    await world.identify(patient_id, qualified=True)
    report_id = await world.signed(patient_id)
    await world.become(report_id, dmp="scheduled")
    now = world.service.clock.now()
    mail: dict[str, Any] = {"report_id": report_id, "version": 1, "message_id": "<m@n.example>"}
    requester = mail | {"recipient_id": "corr-1", "role": RecipientRole.REQUESTER}
    await world.emit(
        DmpPublished(report_id=report_id, version=1, unique_id="1.2.3", submission_unique_id="1.2.4", published_at=now)
    )
    await world.emit(MssRead(**requester, at=now))
    await world.emit(MssDelivered(**requester, at=now))
    await world.emit(MssSent(**requester, sent_at=now))
    await world.emit(
        MssFailed(
            report_id=report_id, version=1, recipient_id="whatever-mss-calls-them", role=RecipientRole.PATIENT,
            error_class=ErrorClass.PERMANENT, code="550", who_must_act=WhoMustAct.SECRETARY, failed_at=now,
        )
    )  # fmt: skip
    lines = await world.become(report_id, dmp="delivered", corr_1="read", patient="refused")
    assert lines["dmp"]["state_label"] == "Déposé"
    assert lines["patient"]["reason_label"] == "L’adresse n’existe pas ou refuse les messages (550)"
    assert lines["patient"]["who_must_act"] == "secretary"

    async def all_told() -> bool:
        return {"sent", "delivered", "read"} <= set((await world.lines(report_id))["corr-1"]["times"])

    await until(all_told)


async def test_a_refusal_of_the_dmp_is_shown_with_who_must_act(world):
    patient_id = world.new_patient()
    await world.identify(patient_id, qualified=True)
    report_id = await world.signed(patient_id)
    await world.emit(
        DmpRejected(
            report_id=report_id, version=1, unique_id="1.2.3", error_class=ErrorClass.EXHAUSTED,
            code="timeout", who_must_act=WhoMustAct.OPERATOR, rejected_at=world.service.clock.now(),
        )
    )  # fmt: skip
    lines = await world.become(report_id, dmp="failed")
    assert lines["dmp"]["who_must_act"] == "operator"
