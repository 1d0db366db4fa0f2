"""The service whole, on the embedded broker and database: from draft to documents and journey."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio
from joserfc import jwt
from joserfc.jwk import ECKey
from navette_chassis import Service, UnitOfWork
from navette_chassis.auth.jwks import JwksCache
from navette_chassis.auth.tokens import TokenVerifier
from navette_chassis.http import build_app
from navette_chassis.testing import running, until
from navette_contracts.catalogue import TOPICS
from navette_contracts.events import (
    DmpPublished,
    DmpRejected,
    ErrorClass,
    Event,
    IdentityStatus,
    Ins,
    MssDelivered,
    MssFailed,
    MssRead,
    MssSent,
    PatientIdentified,
    PatientMerged,
    RecipientRole,
    ReportComposed,
    ReportSigned,
    Traits,
    WhoMustAct,
)
from navette_contracts.sealed import Sealed
from navette_documents.cda_header import read_header
from navette_report.adapters.workshop import Workshop
from navette_report.app import create_service
from navette_report.domain.report import Finding
from navette_report.settings import ReportSettings

pytestmark = pytest.mark.asyncio(loop_scope="module")

SITE, OTHER_SITE = "site-nord", "site-sud"
UNKNOWN = "Identité du patient pas encore reçue"


def service_settings(kafka_broker: Any, mongo_server: Any, samples: Any, folder: Any, **changes: Any) -> ReportSettings:
    keyring = {"current": "k1", "keys": [{"kty": "oct", "kid": "k1", "k": "A" * 43, "alg": "A256GCM"}]}
    (folder / "keyring.json").write_text(json.dumps(keyring))
    sites = [samples.site(), samples.site(site_id=OTHER_SITE, oid_root="1.2.250.1.999.7.2")]
    (folder / "sites.json").write_text(json.dumps([site.model_dump(mode="json") for site in sites]))
    values: dict[str, Any] = {
        "environment": "development",
        "kafka_bootstrap": kafka_broker.bootstrap,
        "kafka_idempotent": kafka_broker.idempotent,
        "kafka_session_seconds": 2.0,
        "kafka_fetch_wait_ms": 10,
        "mongo_uri": mongo_server.uri,
        "mongo_database": f"test_{uuid.uuid4().hex[:12]}",
        "psc_auth_url": "http://127.0.0.1:1",
        "keyring": folder / "keyring.json",
        "sites_file": folder / "sites.json",
        "lease_ttl_seconds": 1.0,
        "outbox_poll_seconds": 0.2,
        "graceful_stop_seconds": 5.0,
    }
    return ReportSettings.model_validate(values | changes)


@dataclass
class World:
    """A running report service, callers of its API, and the rest of the platform played by hand."""

    service: Service
    app: Any
    key: ECKey
    samples: Any
    rpps: str

    def caller(self, *roles: str, kind: str = "user", subject: str = "user-1", **claims: Any) -> httpx.AsyncClient:
        now = int(time.time())
        values = {
            "iss": "navette-psc-auth", "sub": subject, "aud": "report", "iat": now, "exp": now + 60,
            "jti": uuid.uuid4().hex, "kind": kind, "roles": list(roles), "sites": [SITE],
        } | claims  # fmt: skip
        token = jwt.encode({"alg": "ES256", "kid": "test"}, values, self.key)
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self.app),
            base_url="http://report",
            headers={"Authorization": f"Bearer {token}"},
        )

    def radiologist(self, **claims: Any) -> httpx.AsyncClient:
        return self.caller("radiologist", **({"rpps": self.rpps, "name": "Dominique FICTIF-DURAND"} | claims))

    async def draft(self, patient_id: str, **content: Any) -> str:
        body = {
            "patient_id": patient_id,
            "site_id": SITE,
            "content": self.samples.content(**content).model_dump(mode="json"),
        }
        async with self.caller("secretary") as caller:
            answer = await caller.post("/reports", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["report_id"])

    async def sign(self, report_id: str, **choices: Any) -> httpx.Response:
        async with self.radiologist() as caller:
            return await caller.post(f"/reports/{report_id}/sign", json=choices)

    async def signed(self, patient_id: str, **choices: Any) -> str:
        report_id = await self.draft(patient_id)
        assert (await self.sign(report_id, **choices)).status_code == 200
        return report_id

    async def emit(self, event: Event) -> None:
        async def work(uow: Any) -> None:
            await uow.emit(event, subject=event.key)

        await self.service.transact(work)

    async def identify(self, patient_id: str, *, qualified: bool, revision: int = 1) -> None:
        keyring = self.service.keyring
        known = self.samples.identity()
        await self.emit(
            PatientIdentified(
                patient_id=patient_id,
                revision=revision,
                status=IdentityStatus.QUALIFIEE if qualified else IdentityStatus.PROVISOIRE,
                site_id=SITE,
                traits=Sealed[Traits].seal(known.traits, keyring),
                ins=Sealed[Ins].seal(known.ins, keyring) if qualified else None,
            )
        )

    async def journey(self, report_id: str) -> dict[str, Any]:
        async with self.caller("secretary") as caller:
            answer = await caller.get(f"/reports/{report_id}/journey")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def lines(self, report_id: str) -> dict[str, dict[str, Any]]:
        return {line["recipient_id"]: line for line in (await self.journey(report_id))["lines"]}

    async def states(self, report_id: str) -> dict[str, str]:
        return {name: line["state"] for name, line in (await self.lines(report_id)).items()}

    async def become(self, report_id: str, **expected: str) -> dict[str, dict[str, Any]]:
        """Wait until the lines have these states ("corr_1" for "corr-1"), then return them."""
        wanted = {name.replace("_", "-"): state for name, state in expected.items()}

        async def reached() -> bool:
            return wanted.items() <= (await self.states(report_id)).items()

        try:
            await until(reached)
        except AssertionError:
            raise AssertionError(f"wanted {wanted}, got {await self.journey(report_id)}") from None
        return await self.lines(report_id)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(
    kafka_broker: Any, mongo_server: Any, samples: Any, make_rpps: Any, tmp_path_factory: Any
) -> AsyncIterator[World]:
    names = [topic.name for topic in TOPICS]
    kafka_broker.create_topics([*names, *(f"{name}.dlq" for name in names)], partitions=2)
    settings = service_settings(kafka_broker, mongo_server, samples, tmp_path_factory.mktemp("report"))
    service = create_service(settings)
    key = ECKey.generate_key("P-256", {"kid": "test", "use": "sig"})

    async def jwks() -> Any:
        return {"keys": [key.as_dict(private=False)]}

    verifier = TokenVerifier(audience="report", jwks=JwksCache(jwks), clock=service.clock)
    async with running(service, seconds=60):
        yield World(service, build_app(service, verifier=verifier), key, samples, make_rpps(1))


@pytest_asyncio.fixture(loop_scope="module")
async def outbox_events(world: World) -> AsyncIterator[Any]:
    """Events the service promised, as they are promised: the relay removes the rows once published."""
    seen: list[tuple[Event, int | None]] = []
    original = UnitOfWork.emit

    async def emit(self: Any, event: Event, *, subject: str, sequence: int | None = None) -> None:
        seen.append((event, sequence))
        await original(self, event, subject=subject, sequence=sequence)

    UnitOfWork.emit = emit  # type: ignore[method-assign]
    yield seen
    UnitOfWork.emit = original  # type: ignore[method-assign]


def patient() -> str:
    return f"patient-{uuid.uuid4().hex[:12]}"


def of(events: Any, kind: type[Event], report_id: str) -> list[Any]:
    return [event for event, _ in events if isinstance(event, kind) and event.report_id == report_id]


@pytest.mark.dsr("RIS.DOC.01", "RIS.DOC.02")
async def test_a_signed_report_of_a_qualified_patient_goes_to_everyone(world, outbox_events):
    patient_id = patient()
    await world.identify(patient_id, qualified=True)
    report_id = await world.signed(patient_id)
    await world.become(report_id, dmp="scheduled", corr_1="scheduled", patient="scheduled")

    (signed,) = of(outbox_events, ReportSigned, report_id)
    assert signed.signed_by_rpps == world.rpps
    (composed,) = of(outbox_events, ReportComposed, report_id)
    assert composed.ins_qualified
    assert [party.value for party in composed.audience] == ["dmp", "professionals", "patient"]
    assert composed.replaces_unique_id is None
    assert {one.recipient_id for one in composed.recipients} == {"corr-1", "patient"}
    sequences = [number for event, number in outbox_events if getattr(event, "report_id", "") == report_id]
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
    patient_id = patient()
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

    first, second = of(outbox_events, ReportComposed, report_id)
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
    patient_id = patient()
    report_id = await world.signed(patient_id)

    async def waits() -> bool:
        return (await world.journey(report_id))["report"]["state"] == "waiting"

    await until(waits)
    lines = await world.lines(report_id)
    assert {line["reason"] for line in lines.values()} == {"identity_unknown"}
    assert lines["corr-1"]["reason_label"] == UNKNOWN

    await world.identify(patient_id, qualified=True)
    await world.become(report_id, dmp="scheduled", corr_1="scheduled", patient="scheduled")


async def test_signing_and_identifying_at_the_same_moment_never_loses_the_report(world):
    pairs = []
    for _ in range(6):
        patient_id = patient()
        pairs.append((patient_id, await world.draft(patient_id)))
    work = []
    for patient_id, report_id in pairs:
        work += [world.sign(report_id), world.identify(patient_id, qualified=True)]
    await asyncio.gather(*work)
    for _, report_id in pairs:
        await world.become(report_id, dmp="scheduled", corr_1="scheduled", patient="scheduled")
        assert len((await world.journey(report_id))["report"]["editions"]) == 1


async def test_a_repeated_or_older_identity_makes_no_further_document(world, outbox_events):
    patient_id = patient()
    await world.identify(patient_id, qualified=True, revision=5)
    report_id = await world.signed(patient_id)
    await world.become(report_id, dmp="scheduled")
    for revision, qualified in ((5, True), (4, False), (6, True)):
        await world.identify(patient_id, qualified=qualified, revision=revision)

    async def followed() -> bool:
        row = await world.service.database["patients"].find_one({"_id": patient_id})
        return row["revision"] == 6

    await until(followed)
    assert len(of(outbox_events, ReportComposed, report_id)) == 1


async def test_a_report_of_a_merged_record_waits_and_says_so(world):
    absorbed, surviving = patient(), patient()
    report_id = await world.signed(absorbed)
    await world.emit(PatientMerged(surviving_id=surviving, absorbed_id=absorbed, revision=2))

    async def told() -> bool:
        return (await world.lines(report_id))["dmp"]["reason"] == "identity_merged"

    await until(told)
    await world.identify(absorbed, qualified=True)
    await world.identify(surviving, qualified=True)
    assert (await world.states(report_id))["dmp"] == "waiting"


@pytest.mark.dsr("RIS.CRR.02")
async def test_a_report_to_be_announced_is_hidden_in_the_dmp_and_not_mailed_to_the_patient(world, outbox_events):
    patient_id = patient()
    await world.identify(patient_id, qualified=True)
    report_id = await world.signed(patient_id, announcement_needed=True)
    lines = await world.become(report_id, dmp="scheduled", corr_1="scheduled", patient="waiting")
    assert (lines["patient"]["reason"], lines["patient"]["who_must_act"]) == ("announcement_needed", "radiologist")
    (composed,) = of(outbox_events, ReportComposed, report_id)
    assert composed.visibility.hidden_from_patient


async def test_withheld_recipients_are_shown_as_a_decision(world):
    patient_id = patient()
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
    patient_id = patient()
    await world.identify(patient_id, qualified=True)
    report_id = await world.signed(patient_id)

    async def held() -> bool:
        return (await world.journey(report_id))["report"]["state"] == "held"

    await until(held)
    journey = await world.journey(report_id)
    assert journey["report"]["findings"] == [{"rule": "time_zone", "path": "effectiveTime"}]
    assert {line["reason"] for line in journey["lines"]} == {"document_held"}
    assert of(outbox_events, ReportComposed, report_id) == []
    assert await world.service.database["documents.files"].count_documents({"metadata.report_id": report_id}) == 0

    monkeypatch.setattr(Workshop, "make", make)
    await world.identify(patient_id, qualified=True, revision=2)
    await world.become(report_id, dmp="scheduled", corr_1="scheduled", patient="scheduled")
    assert (await world.journey(report_id))["report"]["findings"] == []


async def test_a_composition_that_is_interrupted_leaves_nothing_behind_and_is_done_again(
    world, outbox_events, monkeypatch
):
    from navette_report.adapters.journeys import JourneyRepository

    put = JourneyRepository.put
    failures = []
    patient_id = patient()
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
    patient_id = patient()
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
    patient_id = patient()
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


# The API refuses


async def test_only_a_radiologist_with_an_rpps_from_the_sign_on_signs(world):
    report_id = await world.draft(patient())
    async with world.caller("secretary", rpps=world.rpps) as secretary:
        assert (await secretary.post(f"/reports/{report_id}/sign", json={})).status_code == 403
    async with world.radiologist(rpps=None) as nobody:
        refused = await nobody.post(f"/reports/{report_id}/sign", json={})
    assert refused.status_code == 409
    assert "RPPS" in refused.json()["detail"]
    async with world.radiologist() as radiologist:
        cheating = await radiologist.post(f"/reports/{report_id}/sign", json={"rpps": "99700000027"})
    assert cheating.status_code == 422
    assert (await world.journey(report_id))["report"]["state"] == "draft"


async def test_nobody_signs_twice(world):
    report_id = await world.signed(patient())
    again = await world.sign(report_id)
    assert again.status_code == 409
    assert again.json()["detail"] == "Ce compte rendu n’est plus un brouillon : il est déjà validé."


async def test_two_signatures_at_once_leave_one(world, outbox_events):
    report_id = await world.draft(patient())
    answers = await asyncio.gather(world.sign(report_id), world.sign(report_id))
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert len({event.signed_at for event in of(outbox_events, ReportSigned, report_id)}) >= 1
    assert (await world.journey(report_id))["report"]["version"] == 1


@pytest.mark.parametrize(
    ("choices", "sentence"),
    [
        ({"hidden_from_professionals": True, "hidden_from_patient": True}, "à la fois masqué"),
        ({"hidden_from_professionals": True, "announcement_needed": True}, "à annoncer"),
    ],
)
async def test_forbidden_choices_are_refused_with_the_reason(world, choices, sentence):
    report_id = await world.draft(patient())
    refused = await world.sign(report_id, **choices)
    assert refused.status_code == 409
    assert sentence in refused.json()["detail"]


async def test_an_incomplete_report_is_not_signed(world):
    report_id = await world.draft(patient(), conclusion="")
    refused = await world.sign(report_id)
    assert (refused.status_code, refused.json()["detail"]) == (409, "Le compte rendu n’a pas de conclusion.")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"{}", 422),
        (b'{"patient_id": "p", "site_id": "site-nord", "content": {}, "extra": 1}', 422),
    ],
)
async def test_malformed_drafts_are_refused(world, body, status):
    async with world.caller("secretary") as caller:
        refused = await caller.post("/reports", content=body, headers={"Content-Type": "application/json"})
    assert refused.status_code == status
    assert refused.headers["content-type"].startswith("application/problem+json")


async def test_an_invalid_field_is_named_and_its_value_is_not_repeated(world):
    content = world.samples.content().model_dump(mode="json")
    content["correspondents"][0]["rpps"] = "12345678901"
    async with world.caller("secretary") as caller:
        refused = await caller.post("/reports", json={"patient_id": "p", "site_id": SITE, "content": content})
    assert refused.status_code == 422
    assert "rpps" in refused.json()["errors"][0]["field"]
    assert "12345678901" not in refused.text


async def test_a_site_that_is_not_mine_is_closed_to_me(world):
    report_id = await world.draft(patient())
    content = world.samples.content().model_dump(mode="json")
    async with world.caller("radiologist", sites=[OTHER_SITE], rpps=world.rpps, name="Camille EXEMPLE") as stranger:
        for path in ("", "/journey", "/document.pdf"):
            assert (await stranger.get(f"/reports/{report_id}{path}")).status_code == 403
        assert (await stranger.get(f"/pages/reports/{report_id}")).status_code == 403
        assert (await stranger.post(f"/reports/{report_id}/sign", json={})).status_code == 403
        body = {"patient_id": "p", "site_id": SITE, "content": content}
        assert (await stranger.post("/reports", json=body)).status_code == 403
        listed = (await stranger.get("/reports")).json()["reports"]
    assert report_id not in {one["report"]["report_id"] for one in listed}


async def test_without_a_token_or_with_a_forged_one_nothing_is_answered(world):
    forger = World(world.service, world.app, ECKey.generate_key("P-256", {"kid": "test"}), world.samples, world.rpps)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=world.app), base_url="http://report") as anyone:
        assert (await anyone.get("/reports")).status_code == 401
        assert (await anyone.get("/pages/journey")).status_code == 401
    async with forger.caller("secretary") as caller:
        assert (await caller.get("/reports")).status_code == 401
    async with world.caller("secretary", exp=int(time.time()) - 60, iat=int(time.time()) - 120) as late:
        assert (await late.get("/reports")).status_code == 401


async def test_what_does_not_exist_is_not_found(world):
    async with world.caller("secretary") as caller:
        assert (await caller.get("/reports/none")).status_code == 404
        assert (await caller.get("/pages/assets/secret.js")).status_code == 404
        draft = await world.draft(patient())
        assert (await caller.get(f"/reports/{draft}/document.pdf")).status_code == 404
    async with world.caller(kind="service", subject="dmp") as dmp:
        assert (await dmp.get("/internal/documents/none/cda")).status_code == 404


async def test_documents_go_to_the_sending_services_only_and_each_access_is_audited(world, outbox_events):
    patient_id = patient()
    await world.identify(patient_id, qualified=True)
    report_id = await world.signed(patient_id)
    await world.become(report_id, dmp="scheduled")
    document_id = (await world.journey(report_id))["report"]["editions"][0]["document_id"]
    path = f"/internal/documents/{document_id}/pdf"
    async with world.radiologist() as person:
        assert (await person.get(path)).status_code == 403
    async with world.caller(kind="service", subject="ins") as ins:
        assert (await ins.get(path)).status_code == 403
    async with world.caller(kind="service", subject="mss") as mss:
        assert (await mss.get(path)).status_code == 200
    async with world.caller("secretary", subject="user-9") as secretary:
        pdf = await secretary.get(f"/reports/{report_id}/document.pdf")
    assert pdf.content.startswith(b"%PDF-1.4")
    recorded = [
        (event.actor, event.action, event.outcome)
        for event, _ in outbox_events
        if event.type == "access.recorded.v1" and event.object_id in (document_id, report_id)
    ]
    assert ("ins", "document.pdf", "refused") in recorded
    assert ("mss", "document.pdf", "granted") in recorded
    assert ("user-9", "document.read", "granted") in recorded
    assert ("user-1", "report.sign", "granted") in recorded


async def test_reports_are_listed_by_state_last_changed_first(world):
    first, second = await world.draft(patient()), await world.draft(patient())
    async with world.caller("technologist") as caller:
        drafts = (await caller.get("/reports", params={"state": "draft", "limit": 2})).json()["reports"]
        assert (await caller.get("/reports", params={"state": "nonsense"})).status_code == 422
    assert [one["report"]["report_id"] for one in drafts] == [second, first]


# Pages


async def test_the_journey_page_names_patients_and_says_what_blocks(world):
    patient_id = patient()
    await world.identify(patient_id, qualified=False)
    report_id = await world.draft(patient_id, title='IRM <b>cérébrale</b> & "co"')
    await world.sign(report_id)
    await world.become(report_id, corr_1="scheduled", dmp="waiting")
    async with world.caller("secretary") as caller:
        listed = await caller.get("/pages/journey")
        page = await caller.get(f"/pages/reports/{report_id}")
        style = await caller.get("/pages/assets/journey.css")
        script = await caller.get("/pages/assets/journey.js")
    assert listed.status_code == page.status_code == style.status_code == script.status_code == 200
    for html in (listed.text, page.text):
        assert "EXEMPLE ALIX" in html
        assert "Identité non qualifiée" in html
        assert "Secrétariat" in html
        assert "<b>cérébrale</b>" not in html
        assert "IRM &lt;b&gt;cérébrale&lt;/b&gt; &amp;" in html
        assert "http://" not in html
        assert "https://" not in html
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert f'href="../../reports/{report_id}/document.pdf"' in page.text


async def test_a_page_that_refreshes_itself_is_one_access(world, outbox_events):
    report_id = await world.draft(patient())
    async with world.caller("secretary", subject="user-7") as caller:
        for _ in range(4):
            assert (await caller.get(f"/pages/reports/{report_id}")).status_code == 200
            assert (await caller.get("/pages/journey")).status_code == 200
    seen = [event.action for event, _ in outbox_events if getattr(event, "actor", "") == "user-7"]
    assert sorted(seen) == ["journey.list", "journey.read"]


async def test_identities_are_sealed_in_the_database_too(world):
    patient_id = patient()
    await world.identify(patient_id, qualified=True)

    async def projected() -> Any:
        return await world.service.database["patients"].find_one({"_id": patient_id, "revision": 1})

    row = await until(projected)
    assert "EXEMPLE" not in str(row)
    assert world.samples.identity().ins.matricule not in str(row)
