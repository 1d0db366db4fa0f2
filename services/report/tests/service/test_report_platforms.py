"""Reports handed to a PFI and to a DRIMbox over mutual TLS: what they get, what they answer, what the journey shows."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from navette_chassis.deliveries.model import DeliveryState
from navette_chassis.testing import until
from navette_contracts.events import ReportComposed
from navette_documents.cda_header import read_header
from navette_documents.hl7v2 import Message, parse
from navette_sandbox.pki import Pki
from navette_sandbox.ports import free_port
from navette_sandbox.simulators.common import SimulatorConfig
from navette_sandbox.simulators.pfi.server import PfiSimulator
from navette_sandbox.simulators.pfi.settings import PfiSettings

pytestmark = pytest.mark.asyncio(loop_scope="module")

DOCTOR = "camille.exemple-martin@medecin.mssante.example"
DRIMBOX, PFI = "DRIMbox du groupe", "PFI du CH d’Exemple"


@dataclass
class Hospital:
    """A running report service whose site hands everything to a PFI, with a copy to a DRIMbox."""

    world: Any
    pfi: PfiSimulator
    box: PfiSimulator

    async def report(self, *, qualified: bool = True, patient_id: str = "", **choices: Any) -> str:
        """A signed report."""
        patient_id = patient_id or self.world.new_patient()
        await self.world.identify(patient_id, qualified=qualified)
        return str(await self.world.signed(patient_id, **choices))

    async def act(self, report_id: str, verb: str, **body: Any) -> None:
        """An act of the radiologist."""
        async with self.world.radiologist() as caller:
            answer = await caller.post(f"/reports/{report_id}/{verb}", json=body)
        assert answer.status_code in (200, 201), answer.text

    async def replace(self, report_id: str, built_on: int) -> None:
        """A corrected version, signed."""
        content = json.loads(self.world.samples.content(conclusion="Corrigé.").model_dump_json())
        await self.act(report_id, "replace", built_on=built_on, content=content)
        assert (await self.world.sign(report_id)).status_code == 200

    async def lines(self, report_id: str, kind: str = "report") -> dict[str, dict[str, Any]]:
        """Lines of the version in force by who they are for."""
        found = (await self.world.journey(report_id))["lines"]
        names = {"dmp": "dmp", "patient": "patient", "corr-1": "doctor"}
        return {names.get(one["recipient_id"], one["recipient"]): one for one in found if one["kind"] == kind}

    async def become(self, report_id: str, kind: str = "report", **expected: str) -> dict[str, dict[str, Any]]:
        """Wait until these lines are in these states."""
        wanted = {{"pfi": PFI, "box": DRIMBOX}.get(name, name): state for name, state in expected.items()}

        async def reached() -> bool:
            states = {name: line["state"] for name, line in (await self.lines(report_id, kind)).items()}
            return wanted.items() <= states.items()

        try:
            await until(reached, 120)
        except AssertionError:
            raise AssertionError(f"wanted {wanted}, got {await self.world.journey(report_id)}") from None
        return await self.lines(report_id, kind)

    async def replay(self, report_id: str, channel: str = "platform-ch") -> list[str]:
        """The operator replays what ended without arriving, oldest first; why not, where it is refused."""
        said = []
        async with self.world.caller("operator") as caller:
            rows = (await caller.get("/ops/deliveries", params={"channel": channel, "limit": 500})).json()
            ours = [row for row in rows["deliveries"] if row["group"].endswith(report_id)]
            for row in sorted(ours, key=lambda one: str(one["id"])):
                if row["state"] in ("rejected", "failed", "cancelled"):
                    answer = await caller.post(f"/ops/deliveries/{row['id']}/replay")
                    said.append("replayed" if answer.status_code == 202 else answer.json()["detail"])
        return said

    async def receipts(self, **query: Any) -> list[dict[str, Any]]:
        """What an operator sees of receipts."""
        async with self.world.caller("operator") as caller:
            answer = await caller.get("/platforms/receipts", params=query)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["receipts"])


def taken(double: PfiSimulator) -> list[tuple[str, Message]]:
    """Action and content of every message a double took, in order."""
    rows = double.register.as_json("messages")
    folder = Path(double.config.state) / "messages"
    return [(row["action"], parse((folder / row["file"]).read_bytes())) for row in rows]


def said(message: Message) -> dict[str, str]:
    """The indicators of a message."""
    return {one.value(3): one.value(5) for one in message.all("OBX")[1:] if one.value(5) in ("Y", "N")}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hospital(world_with: Any, pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hospital]:
    folder, port = tmp_path_factory.mktemp("platforms"), free_port()
    certificate, key = pki.pair("ris-client")
    links = {"host": "localhost", "ca": str(pki.igc_ca), "cert": str(certificate), "key": str(key)}
    own = {"sending_application": "NAVETTE", "sending_facility": "CENTRE", "answer_seconds": 5, **links}
    async with AsyncExitStack() as stack:
        pfi = await stack.enter_async_context(
            PfiSimulator(SimulatorConfig(pki=pki.directory, state=folder / "pfi"), receipts_to=("localhost", port))
        )
        drim = PfiSettings(application="DRIMBOX", facility="GROUPE", receipts=False)
        box = await stack.enter_async_context(
            PfiSimulator(SimulatorConfig(pki=pki.directory, state=folder / "box"), drim)
        )
        described = {
            "platforms": [
                {"name": "ch", "label": PFI, "kind": "pfi", "port": pfi.ports()["port"], "family": "MDM"}
                | {"application": "PFI-EXEMPLE", "facility": "CH-EXEMPLE"}
                | own,
                {"name": "drim", "label": DRIMBOX, "kind": "drimbox", "port": box.ports()["port"], "family": "ORU"}
                | {"application": "DRIMBOX", "facility": "GROUPE"}
                | own,
            ],
            "sites": [
                {"site_id": "site-nord", "dmp": "ch", "professionals": "ch", "patient": "ch", "copies": ["drim"]}
            ],
        }
        (folder / "pfi.json").write_text(json.dumps(described))
        server_certificate, server_key = pki.pair("service-report")
        world = await stack.enter_async_context(
            world_with(
                pfi_file=folder / "pfi.json",
                pfi_port=port,
                pfi_cert=server_certificate,
                pfi_key=server_key,
                pfi_ca=pki.igc_ca,
                pfi_retry_first_seconds=0.2,
                pfi_probe_seconds=0.2,
                delivery_poll_seconds=0.1,
            )
        )
        yield Hospital(world, pfi, box)


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def in_order(hospital: Hospital) -> AsyncIterator[None]:
    """Each test begins with nothing on its way and doubles that know nothing and behave, and ends without a refusal
    nobody asked for."""
    for double in (hospital.pfi, hospital.box):
        double.faults.clear()

    async def quiet() -> bool:
        under_way = {"$in": [one.value for one in DeliveryState if not one.terminal]}
        rows = hospital.world.service.database["deliveries"].find({"state": under_way})
        return not [row async for row in rows if str(row["channel"]).startswith("platform-")]

    await until(quiet, 60)
    for double in (hospital.pfi, hospital.box):
        double.reset_state()
        double.refusals.entries.clear()
    hospital.pfi.commands()["refusals-to-come"]({})
    yield
    assert [one["rule"] for one in hospital.pfi.refusals.entries + hospital.box.refusals.entries] == []


@pytest.mark.dsr("RIS.INTRA.01", "DB/RIS.12")
async def test_a_report_goes_to_the_platform_only_and_its_receipts_fill_the_journey(
    hospital: Hospital, outbox_events: Any
) -> None:
    report_id = await hospital.report()
    lines = await hospital.become(
        report_id, pfi="delivered", box="sent", dmp="delivered", doctor="delivered", patient="delivered"
    )
    assert (lines[PFI]["state_label"], lines[DRIMBOX]["state_label"]) == ("Intégré", "Accepté")
    assert {lines[name]["carrier"] for name in ("dmp", "doctor", "patient")} == {PFI}
    # Navette's own services are told of the document and of nobody to send it to.
    (composed,) = outbox_events.of(ReportComposed, report_id)
    assert composed.audience == ()

    ((action, message),) = taken(hospital.pfi)
    ((copied, copy),) = taken(hospital.box)
    assert (action, message.msh.raw(9), copied, copy.msh.raw(9)) == (
        "create", "MDM^T02^MDM_T02", "create", "ORU^R01^ORU_R01",
    )  # fmt: skip
    assert said(message) == {
        "MASQUE_PS": "N", "INVISIBLE_PATIENT": "N", "INVISIBLE_REP_LEGAUX": "N", "CONNEXION_SECRETE": "N",
        "MODIF_CONF_CODE": "N", "DESTDMP": "Y", "DESTMSSANTEPS": "Y", "DESTMSSANTEPAT": "Y",
        "ACK_RECEPTION": "Y", "ACK_LECTURE_MSS": "N",
    }  # fmt: skip
    asked = said(copy)
    assert [asked[name] for name in ("DESTDMP", "DESTMSSANTEPS", "DESTMSSANTEPAT", "ACK_RECEPTION")] == list("YNNN")
    (document,) = hospital.pfi.register.as_json("documents")
    ins = hospital.world.samples.identity().ins
    assert document["mailed"] == [DOCTOR, f"{ins.matricule}@patient.mssante.fr"]
    assert document["sha256"] == composed.document.cda_sha256
    receipts = await hospital.receipts(state="folded")
    assert sorted(one["event"] for one in receipts if one["report_id"] == report_id) == ["Z01", "Z02", "Z02"]


@pytest.mark.dsr("RIS.INTRA.01", "DB/RIS.10", "DB/RIS.12")
async def test_a_correction_replaces_and_a_withdrawal_deletes_the_last_version(hospital: Hospital) -> None:
    report_id = await hospital.report()
    await hospital.become(report_id, pfi="delivered", box="sent", dmp="delivered", doctor="delivered")
    await hospital.replace(report_id, built_on=1)
    await hospital.become(
        report_id, pfi="delivered", box="sent", dmp="delivered", doctor="delivered", patient="delivered"
    )
    await hospital.act(report_id, "withdraw", reason="Erreur de patient")
    done = {"dmp": "delivered", "doctor": "delivered", "patient": "delivered"}
    lines = await hospital.become(report_id, "withdrawal", pfi="delivered", box="sent", **done)
    assert lines["dmp"]["state_label"] == "Supprimé"
    for double in (hospital.pfi, hospital.box):
        messages = taken(double)
        assert [action for action, _ in messages] == ["create", "replace", "delete"]
        assert [row["status"] for row in double.register.as_json("documents")] == ["replaced", "deleted"]
    (_, first), (_, second), (_, last) = taken(hospital.pfi)
    assert second.require("TXA").value(13) == first.require("TXA").value(12)
    assert last.require("TXA").value(12) == second.require("TXA").value(12)
    assert last.all("OBX")[0].raw(5) == second.all("OBX")[0].raw(5)
    assert "Erreur de patient" not in "".join(one.text for one in last)


@pytest.mark.dsr("RIS.INTRA.01", "RIS.DMP.06", "RIS.CRR.03", "DB/RIS.12", "DB.SO.97")
async def test_an_announcement_is_a_replacement_that_changes_visibility_only(hospital: Hospital) -> None:
    report_id = await hospital.report(announcement_needed=True)
    await hospital.become(report_id, pfi="delivered", dmp="delivered", doctor="delivered", patient="waiting")
    await hospital.act(report_id, "announce")
    await hospital.become(report_id, patient="delivered")
    lines = await hospital.become(report_id, "release", dmp="delivered")
    assert lines["dmp"]["state_label"] == "Visible par le patient"
    (_, hidden), (action, shown) = taken(hospital.pfi)
    names = ("INVISIBLE_PATIENT", "MODIF_CONF_CODE", "DESTDMP", "DESTMSSANTEPS", "DESTMSSANTEPAT")
    assert [said(hidden)[name] for name in names] == list("YNYYN")
    assert (action, [said(shown)[name] for name in names]) == ("replace", list("NYYNY"))
    await hospital.become(report_id, box="sent")
    (_, hidden), (action, shown) = taken(hospital.box)  # the DRIMbox shows the images to whom the report is shown
    assert [said(one)["INVISIBLE_PATIENT"] for one in (hidden, shown)] == list("YN")
    assert (action, said(shown)["MODIF_CONF_CODE"]) == ("replace", "Y")


@pytest.mark.dsr("RIS.INS.37", "RIS.INTRA.01", "DB.SO.11")
async def test_without_a_qualified_identity_only_the_doctor_is_written_to(hospital: Hospital) -> None:
    patient_id = hospital.world.new_patient()
    report_id = await hospital.report(qualified=False, patient_id=patient_id)
    lines = await hospital.become(report_id, doctor="delivered", dmp="waiting", patient="waiting")
    assert DRIMBOX not in lines  # nothing to share with the DMP, no KOS to publish
    ((_, message),) = taken(hospital.pfi)
    assert [said(message)[name] for name in ("DESTDMP", "DESTMSSANTEPS", "DESTMSSANTEPAT")] == list("NYN")
    matricule = hospital.world.samples.identity().ins.matricule
    assert matricule.encode() not in message.serialise()
    assert "PROV" in message.require("PID").raw(32)

    await hospital.world.identify(patient_id, qualified=True, revision=2)
    await hospital.become(report_id, dmp="delivered", patient="delivered", box="sent")
    (_, _), (action, second) = taken(hospital.pfi)
    # The DMP holds nothing to replace; the doctor, served already, is not written to again.
    assert action == "create"
    assert [said(second)[name] for name in ("DESTDMP", "DESTMSSANTEPS", "DESTMSSANTEPAT")] == list("YNY")


async def test_an_answer_that_is_lost_is_asked_for_with_the_same_message(hospital: Hospital) -> None:
    hospital.pfi.faults.add({"kind": "lost_answer", "count": 1})
    report_id = await hospital.report()
    await hospital.become(report_id, pfi="delivered", dmp="delivered")
    # A receipt may come before the message is asked about again.
    await until(lambda: [row["repeated"] for row in hospital.pfi.register.as_json("messages")] == [1], 30)


async def test_a_refusal_says_who_must_act_and_leaves_again_when_it_is_replayed(hospital: Hospital) -> None:
    hospital.pfi.faults.add({"kind": "ae", "code": "902"})
    report_id = await hospital.report()
    lines = await hospital.become(report_id, pfi="refused", dmp="refused", doctor="refused", patient="refused")
    assert (lines[PFI]["reason"], lines[PFI]["who_must_act"]) == ("AE.207.902", "secretary")
    assert lines["dmp"]["reason_label"] == "La plateforme ne connaît pas ce patient (AE.207.902)"
    hospital.pfi.faults.clear()
    assert await hospital.replay(report_id) == ["replayed"]
    await hospital.become(report_id, pfi="delivered", dmp="delivered", doctor="delivered", patient="delivered")


async def test_a_platform_that_asks_to_come_again_is_asked_again(hospital: Hospital) -> None:
    hospital.pfi.faults.add({"kind": "ar", "count": 2})
    report_id = await hospital.report()
    await hospital.become(report_id, pfi="delivered", dmp="delivered")
    assert [action for action, _ in taken(hospital.pfi)] == ["create"]


async def test_what_waits_for_a_platform_that_is_down_leaves_in_order(hospital: Hospital) -> None:
    hospital.pfi.faults.add({"kind": "down"})
    report_id = await hospital.report()
    await hospital.become(report_id, pfi="scheduled", box="sent")
    await hospital.replace(report_id, built_on=1)
    await hospital.become(report_id, pfi="scheduled", box="sent")
    hospital.pfi.faults.clear()
    await hospital.become(report_id, pfi="delivered", dmp="delivered", doctor="delivered")
    assert [action for action, _ in taken(hospital.pfi)] == ["create", "replace"]


async def test_a_report_withdrawn_before_the_platform_got_it_never_reaches_it(hospital: Hospital) -> None:
    hospital.pfi.faults.add({"kind": "ar"})
    report_id = await hospital.report()
    await hospital.become(report_id, pfi="scheduled", box="sent")
    await hospital.act(report_id, "withdraw")
    lines = await hospital.become(report_id, "withdrawal", pfi="cancelled", box="sent")
    assert lines[PFI]["reason_label"] == "La plateforme n’a jamais reçu ce compte rendu"
    await hospital.become(report_id, pfi="cancelled", dmp="cancelled", doctor="cancelled")
    hospital.pfi.faults.clear()
    assert taken(hospital.pfi) == []


@pytest.mark.parametrize("there", [True, False])
async def test_what_the_platform_may_have_is_deleted_in_any_case(hospital: Hospital, *, there: bool) -> None:
    # It heard the message and nobody heard its answer; or the message got lost on the way.
    hospital.pfi.faults.add({"kind": "lost_answer" if there else "silent"})
    report_id = await hospital.report()
    await delivery_in(hospital, report_id, "unknown")
    await hospital.act(report_id, "withdraw")
    hospital.pfi.faults.clear()
    await hospital.become(report_id, "withdrawal", pfi="delivered" if there else "cancelled", box="sent")
    assert [row["status"] for row in hospital.pfi.register.as_json("documents")] == (["deleted"] if there else [])
    if not there:
        assert hospital.pfi.refusals.rules == ["delete.target"]
        hospital.pfi.refusals.entries.clear()


@pytest.mark.dsr("RIS.MSS.18")
async def test_what_the_dmp_and_the_mail_servers_refused_comes_back_by_receipts(hospital: Hospital) -> None:
    matricule = hospital.world.samples.identity().ins.matricule
    hospital.pfi.commands()["refusals-to-come"]({"dmp": [matricule], "mail": {DOCTOR: "550"}})
    report_id = await hospital.report()
    lines = await hospital.become(report_id, dmp="refused", doctor="refused", patient="delivered", pfi="delivered")
    assert (lines["dmp"]["reason_label"], lines["dmp"]["who_must_act"]) == (
        "Le DMP du patient est fermé (DMPClosed)",
        "secretary",
    )
    assert (lines["doctor"]["reason"], lines["doctor"]["who_must_act"]) == ("smtp-550", "secretary")


@pytest.mark.dsr("RIS.MSS.18")
async def test_a_refusal_that_comes_before_the_answer_to_the_message_is_not_covered_by_it(hospital: Hospital) -> None:
    """The answer was lost and comes with the second sending; the receipts of the first came long before."""
    matricule = hospital.world.samples.identity().ins.matricule
    hospital.pfi.commands()["refusals-to-come"]({"dmp": [matricule], "mail": {DOCTOR: "550"}})
    hospital.pfi.faults.add({"kind": "lost_answer", "target": "mdm", "count": 1})
    report_id = await hospital.report()
    await hospital.become(report_id, dmp="refused", doctor="refused", patient="delivered", pfi="delivered")

    async def answered() -> bool:
        return "sent" in (await hospital.lines(report_id))["dmp"]["times"]

    await until(answered, 60)
    await hospital.become(report_id, dmp="refused", doctor="refused", patient="delivered", pfi="delivered")


async def by_hand(hospital: Hospital, **receipt: Any) -> str:
    """Send one receipt; what it was answered, whatever else the double sends meanwhile."""
    before = len(hospital.pfi.sent)
    number = receipt["raw"].split("|")[9] if "raw" in receipt else receipt.setdefault("number", uuid.uuid4().hex[:18])
    hospital.pfi.commands()["receipt"](receipt)

    def answers() -> list[str]:
        return [str(one["answer"]) for one in hospital.pfi.sent[before:] if one["number"] == number]

    await until(lambda: bool(answers()), 30)
    return answers()[0]


async def test_receipts_that_come_twice_early_or_for_nobody_are_recorded_and_answered(hospital: Hospital) -> None:
    hospital.pfi.faults.add({"kind": "held", "target": "zam"})
    report_id = await hospital.report()
    await hospital.become(report_id, pfi="sent", dmp="sent", doctor="sent")
    (row,) = hospital.pfi.register.as_json("messages")
    number = row["control_id"]
    hospital.pfi.give_up()  # what the double wanted to say itself
    hospital.pfi.faults.clear()

    reading = {"event": "Z03", "refers_to": number, "address": DOCTOR.upper()}
    assert await by_hand(hospital, **reading, number="R1") == "AA"
    assert await by_hand(hospital, event="Z02", refers_to=number, address=DOCTOR) == "AA"
    await hospital.become(report_id, doctor="read")  # read before delivered: it stays read

    assert await by_hand(hospital, event="Z01", refers_to="NEVER-SENT") == "AE"
    assert await by_hand(hospital, event="Z02", refers_to=number, address="x@y.example") == "AA"
    assert await by_hand(hospital, event="Z02", refers_to=number, address=DOCTOR, number="R1") == "AE"
    seen = {(one["state"], one["reason"], one["ack_code"]) for one in await hospital.receipts()}
    assert {
        ("refused", "message_unknown", "AE"),
        ("to-review", "mailbox_not_ours", "AA"),
        ("refused", "control_id_reused", "AE"),
    } <= seen

    raw = (
        "MSH|^~\\&|PFI-EXEMPLE|CH-EXEMPLE|NAVETTE|CENTRE|20261123||ZAM^Z01^ZAM_Z01|R2|T|2.6|||||FRA|UNICODE UTF-8\r"
        f"OBX|1|CWE|ACK_RECEPTION_DMP^x^AckMetierZAM|{number}|Y^^expandedYes-NoIndicator||||||F\r"
    )
    assert [await by_hand(hospital, raw=raw) for _ in range(3)] == ["AA"] * 3
    (again,) = [one for one in await hospital.receipts(state="folded") if one["repeats"]]
    assert again["repeats"] == 2
    assert await by_hand(hospital, raw=raw.replace("Y^^", "O^^").replace("|R2|", "|R3|")) == "AE"
    for broken, reason in (
        (raw.replace("ZAM^Z01^ZAM_Z01|R2", "ADT^A01^ADT_A01|R4"), "message_type"),
        (raw.replace("ZAM^Z01^ZAM_Z01|R2", "ZAM^Z09^ZAM_Z01|R5"), "event"),
        (raw.replace(number, "").replace("|R2|", "|R6|"), "message_referred_to"),
        (raw.replace("ACK_RECEPTION_DMP", "ACK_LECTURE_MSS").replace("|R2|", "|R7|"), "receipt_code"),
        (raw.split("OBX")[0].replace("|R2|", "|R8|"), "segment_missing"),
    ):
        assert await by_hand(hospital, raw=broken) == "AE"
        assert (await hospital.receipts())[0]["reason"] == reason


async def test_a_sender_nobody_configured_is_asked_to_come_again_and_recorded(hospital: Hospital) -> None:
    raw = "MSH|^~\\&|INCONNU|CH|NAVETTE|CENTRE|20261123||ZAM^Z01^ZAM_Z01|U1|T|2.6|||||FRA|UNICODE UTF-8\r"
    hospital.pfi.commands()["receipt"]({"raw": raw})
    await until(lambda: any(one["answer"] == "AR" for one in hospital.pfi.sent), 30)

    async def recorded() -> bool:
        return "unknown_sender" in {one["reason"] for one in await hospital.receipts()}

    await until(recorded, 30)
    hospital.pfi.give_up()  # it would come again for ever


async def test_a_doctor_without_a_known_mailbox_is_told_to_the_secretary(hospital: Hospital) -> None:
    patient_id = hospital.world.new_patient()
    await hospital.world.identify(patient_id, qualified=True)
    requester = hospital.world.samples.requester(mss_address=None)
    report_id = await hospital.world.draft(patient_id, correspondents=(requester,))
    assert (await hospital.world.sign(report_id)).status_code == 200
    lines = await hospital.become(report_id, doctor="refused", dmp="delivered", patient="delivered")
    assert (lines["doctor"]["reason"], lines["doctor"]["who_must_act"]) == ("mss_address_missing", "secretary")
    ((_, message),) = taken(hospital.pfi)
    assert said(message)["DESTMSSANTEPS"] == "N"


async def test_colleagues_who_share_a_mailbox_are_written_to_once_and_both_see_it(hospital: Hospital) -> None:
    patient_id = hospital.world.new_patient()
    await hospital.world.identify(patient_id, qualified=True)
    samples = hospital.world.samples
    colleague = samples.requester(recipient_id="corr-2", role="copy", mss_address=DOCTOR.upper(), given_name="Alex")
    report_id = await hospital.world.draft(patient_id, correspondents=(samples.requester(), colleague))
    assert (await hospital.world.sign(report_id)).status_code == 200
    await hospital.become(report_id, doctor="delivered", dmp="delivered", patient="delivered")
    states = await hospital.world.states(report_id)
    assert states["corr-2"] == "delivered"
    ((_, message),) = taken(hospital.pfi)
    written = [one.first(15).component(4).lower() for one in message.all("PRT") if one.first(4).component(1) == "RCT"]
    assert written.count(DOCTOR) == 1


async def test_the_document_is_the_one_that_was_composed(hospital: Hospital, outbox_events: Any) -> None:
    report_id = await hospital.report()
    await hospital.become(report_id, pfi="delivered")
    (composed,) = outbox_events.of(ReportComposed, report_id)
    async with hospital.world.caller(kind="service", subject="dmp") as dmp:
        cda = (await dmp.get(f"/internal/documents/{composed.document.document_id}/cda")).content
    header = read_header(cda)
    ((_, message),) = taken(hospital.pfi)
    assert message.require("TXA").value(12) == header.id.root


async def test_what_is_kept_of_messages_and_receipts_shows_no_identity(hospital: Hospital) -> None:
    report_id = await hospital.report()
    await hospital.become(report_id, pfi="delivered", patient="delivered")
    identity = hospital.world.samples.identity()
    database, kept = hospital.world.service.database, []
    for name in ("platform_messages", "platform_receipts", "deliveries", "deliveries_done", "journey_lines"):
        kept += [repr(row) async for row in database[name].find({})]
    assert kept
    for secret in (identity.ins.matricule, identity.traits.used_name, DOCTOR):
        assert not [row for row in kept if secret in row]


async def test_a_refused_report_that_was_withdrawn_since_is_not_replayed(hospital: Hospital) -> None:
    hospital.pfi.faults.add({"kind": "ae", "code": "902"})
    report_id = await hospital.report()
    await hospital.become(report_id, pfi="refused", box="sent")
    await hospital.act(report_id, "withdraw")
    hospital.pfi.faults.clear()
    assert await hospital.replay(report_id) == ["Ce compte rendu a été retiré : il ne doit plus être envoyé."]
    await hospital.become(report_id, "withdrawal", box="sent")
    assert taken(hospital.pfi) == []


@pytest.mark.dsr("RIS.INS.37", "RIS.INTRA.01")
async def test_a_doctor_the_platform_refused_is_served_with_the_dmp_and_the_patient(hospital: Hospital) -> None:
    hospital.pfi.faults.add({"kind": "ae", "code": "902", "count": 1})
    patient_id = hospital.world.new_patient()
    report_id = await hospital.report(qualified=False, patient_id=patient_id)
    await hospital.become(report_id, doctor="refused")
    await hospital.world.identify(patient_id, qualified=True, revision=2)
    await hospital.become(report_id, dmp="delivered", patient="delivered", box="sent")
    await hospital.become(report_id, doctor="delivered")


@pytest.mark.dsr("RIS.INS.37", "RIS.DMP.02", "DB/RIS.10")
async def test_a_withdrawal_deletes_the_documents_of_before_and_after_the_qualification(hospital: Hospital) -> None:
    patient_id = hospital.world.new_patient()
    report_id = await hospital.report(qualified=False, patient_id=patient_id)
    await hospital.become(report_id, doctor="delivered")
    await hospital.world.identify(patient_id, qualified=True, revision=2)
    await hospital.become(report_id, dmp="delivered", patient="delivered", box="sent")
    await hospital.act(report_id, "withdraw")
    await hospital.become(report_id, "withdrawal", pfi="delivered", dmp="delivered", patient="delivered")
    await hospital.become(report_id, "withdrawal", doctor="delivered")
    assert [row["status"] for row in hospital.pfi.register.as_json("documents")] == ["deleted", "deleted"]
    deletions = [said(message) for action, message in taken(hospital.pfi) if action == "delete"]
    names = ("DESTDMP", "DESTMSSANTEPS", "DESTMSSANTEPAT")
    assert [[one[name] for name in names] for one in deletions] == [list("NYN"), list("YNY")]


@pytest.mark.dsr("RIS.DMP.02", "RIS.DMP.06")
async def test_whoever_got_it_before_the_announcement_is_told_of_the_withdrawal_too(hospital: Hospital) -> None:
    report_id = await hospital.report(announcement_needed=True)
    await hospital.become(report_id, pfi="delivered", dmp="delivered", doctor="delivered")
    await hospital.act(report_id, "announce")
    await hospital.become(report_id, patient="delivered")
    await hospital.act(report_id, "withdraw")
    await hospital.become(report_id, "withdrawal", dmp="delivered", doctor="delivered", patient="delivered")


async def delivery_in(hospital: Hospital, report_id: str, state: str) -> None:
    """Wait until the PFI's channel has a delivery of this report in a state."""

    async def there() -> bool:
        rows = hospital.world.service.database["deliveries"].find({"state": state, "channel": "platform-ch"})
        return any([row["group"].endswith(report_id) async for row in rows])

    await until(there, 30)


async def test_withdrawn_while_its_answer_is_on_the_way_it_is_deleted_even_if_that_answer_is_lost(
    hospital: Hospital,
) -> None:
    hospital.pfi.faults.add({"kind": "stalled", "target": "mdm"})
    report_id = await hospital.report()
    await delivery_in(hospital, report_id, "in_progress")
    await until(lambda: taken(hospital.pfi), 30)
    await hospital.act(report_id, "withdraw")
    hospital.pfi.faults.add({"kind": "lost_answer", "target": "mdm", "count": 1})
    hospital.pfi.faults.lift("stalled")
    await hospital.become(report_id, "withdrawal", pfi="delivered", box="sent")
    assert [row["status"] for row in hospital.pfi.register.as_json("documents")] == ["deleted"]


@pytest.mark.parametrize("end", ["refused", "failed"])
async def test_what_the_platform_may_have_in_spite_of_its_last_answer_is_deleted_too(
    hospital: Hospital, end: str
) -> None:
    hospital.pfi.faults.add({"kind": "lost_answer"})
    report_id = await hospital.report()
    await delivery_in(hospital, report_id, "unknown")
    if end == "refused":
        # Taken and not answered; asked again, the platform does not recognise the message.
        hospital.pfi.faults.clear()
        hospital.pfi.faults.add({"kind": "ae", "code": "906"})
    else:
        long_ago = {"$set": {"first_attempt_at": hospital.world.service.clock.now() - timedelta(hours=73)}}
        await hospital.world.service.database["deliveries"].update_many({"state": "unknown"}, long_ago)
    await hospital.become(report_id, pfi="delivered")  # by its receipts

    async def ended() -> bool:
        rows = hospital.world.service.database["platform_messages"].find({"report_id": report_id, "platform": "ch"})
        return [row["state"] for row in await rows.to_list()] == ["doubtful"]

    await until(ended, 30)
    await hospital.act(report_id, "withdraw")
    hospital.pfi.faults.clear()
    await hospital.become(report_id, "withdrawal", pfi="delivered", box="sent")
    assert [row["status"] for row in hospital.pfi.register.as_json("documents")] == ["deleted"]


@pytest.mark.dsr("RIS.INTRA.01")
async def test_after_two_refused_versions_only_the_last_one_can_be_replayed(hospital: Hospital) -> None:
    hospital.pfi.faults.add({"kind": "ae", "code": "902"})
    report_id = await hospital.report()
    await hospital.become(report_id, pfi="refused", box="sent")
    await hospital.replace(report_id, built_on=1)
    await hospital.become(report_id, pfi="refused")
    hospital.pfi.faults.clear()
    first, second = await hospital.replay(report_id)
    assert first.startswith("Une version plus récente")
    assert second == "replayed"
    await hospital.become(report_id, pfi="delivered", dmp="delivered", doctor="delivered", patient="delivered")
    assert [row["status"] for row in hospital.pfi.register.as_json("documents")] == ["current"]


@pytest.mark.dsr("DB/RIS.12")
async def test_a_copy_that_was_refused_can_be_made_up_for_after_a_correction(hospital: Hospital) -> None:
    hospital.box.faults.add({"kind": "ae", "code": "906", "count": 1})
    report_id = await hospital.report()
    await hospital.become(report_id, pfi="delivered", box="refused")
    await hospital.replace(report_id, built_on=1)
    lines = await hospital.become(report_id, pfi="delivered", box="refused")
    assert (lines[DRIMBOX]["reason"], lines[DRIMBOX]["who_must_act"]) == ("AE.207.900", "operator")
    assert hospital.box.refusals.rules == ["replace.target"]
    hospital.box.refusals.entries.clear()
    assert await hospital.replay(report_id, "platform-drim") == ["replayed", "replayed"]
    await hospital.become(report_id, box="sent")
    assert [row["status"] for row in hospital.box.register.as_json("documents")] == ["replaced", "current"]


async def test_a_receipt_of_the_dmp_for_a_message_that_was_not_for_the_dmp_is_for_a_person(hospital: Hospital) -> None:
    report_id = await hospital.report(withheld_from_dmp=True)
    await hospital.become(report_id, pfi="delivered", doctor="delivered", dmp="cancelled")
    (row,) = hospital.pfi.register.as_json("messages")
    assert await by_hand(hospital, event="Z01", refers_to=row["control_id"]) == "AA"
    assert (await hospital.lines(report_id))["dmp"]["state"] == "cancelled"
    reasons = [one["reason"] for one in await hospital.receipts() if one["report_id"] == report_id]
    assert reasons == ["recipient_not_asked"]


async def test_a_stranger_who_comes_again_is_counted_not_kept_again(hospital: Hospital) -> None:
    raw = "MSH|^~\\&|INCONNU|CH|NAVETTE|CENTRE|20261123||ZAM^Z01^ZAM_Z01|U2|T|2.6|||||FRA|UNICODE UTF-8\r"
    before = len(await hospital.receipts())
    hospital.pfi.commands()["receipt"]({"raw": raw})
    await until(lambda: [one["answer"] for one in hospital.pfi.sent].count("AR") > 2, 30)
    hospital.pfi.give_up()
    (row, *known) = await hospital.receipts()
    assert (row["reason"], len(known)) == ("unknown_sender", before)
    assert row["repeats"] >= 2
