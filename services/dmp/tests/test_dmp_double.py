"""The connector against the strict double of the DMP, over mutual TLS: every end a publication can have."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from navette_chassis import SystemClock
from navette_chassis.deliveries import Delivery, Outcome, OutcomeKind
from navette_chassis.tls import ReloadingTransport, TlsFiles
from navette_dmp.adapters.dmp_soap import SoapDmp
from navette_dmp.adapters.seal_files import SealFiles
from navette_dmp.domain.lot_signature import LotDigest
from navette_dmp.domain.status import PublicationStatus
from navette_dmp.domain.submission import SubmissionRules
from navette_dmp.domain.vihf import VihfProfile
from navette_dmp.use_cases.publish_document import PublishDocument
from navette_documents.sites import Site
from navette_sandbox.pki import Pki
from navette_sandbox.simulators.common import SimulatorConfig
from navette_sandbox.simulators.dmp import DmpSettings, DmpSimulator

V1, V2 = "1.2.250.1.999.7.1.1001", "1.2.250.1.999.7.1.1002"


@dataclass
class Dmp:
    """The double, and the connector that talks to it."""

    simulator: DmpSimulator
    publisher: PublishDocument
    make_cda: Any
    make_publication: Any

    def put(self, unique_id: str = V1, **cda: Any) -> dict[str, Any]:
        """A document in the store of report; the payload of its delivery."""
        publication_changes = {
            key: cda.pop(key) for key in list(cda) if key.startswith("hidden_") or key == "replaces_unique_id"
        }
        data = self.make_cda(unique_id, **cda)
        publication = self.make_publication(data, unique_id, **publication_changes)
        self.publisher.documents.stored[publication.document_id] = data  # type: ignore[attr-defined]
        payload: dict[str, Any] = publication.to_payload()
        return payload

    def replacement(self, **cda: Any) -> dict[str, Any]:
        return self.put(V2, **{"version": 2, "replaces": V1, "replaces_unique_id": V1, **cda})

    async def attempt(self, payload: dict[str, Any], *, must_query: bool = False) -> Outcome:
        delivery = Delivery(
            id="d1",
            channel="dmp.publish",
            key=payload["unique_id"],
            group=payload["report_id"],
            payload=payload,
            attempt=2 if must_query else 1,
            must_query=must_query,
            created_at=datetime.now(UTC),
            first_attempt_at=datetime.now(UTC),
        )
        return await self.publisher(delivery)

    def fault(self, **script: Any) -> None:
        self.simulator.faults.add(script)

    @property
    def reports(self) -> dict[str, dict[str, Any]]:
        """Reports the double holds, lot signatures left out."""
        found = [entry.as_json() for entry in self.simulator.registry.entries.values()]
        return {entry["unique_id"]: entry for entry in found if not entry["is_signature"]}


Connect = Callable[..., Awaitable[Dmp]]


@pytest.fixture
async def connect(
    pki: Pki,
    tmp_path: Path,
    documents: Any,
    states: Any,
    site: Site,
    rules: SubmissionRules,
    profile: VihfProfile,
    make_cda: Any,
    make_publication: Any,
) -> AsyncIterator[Connect]:
    opened: list[Any] = []

    async def make(
        *, client: str = "dmp-auth", seal: str = "dmp-sign", settings: DmpSettings | None = None, **changes: Any
    ) -> Dmp:
        default = DmpSettings(structures={"1990000002": ["1990000001"]})
        simulator = DmpSimulator(SimulatorConfig(pki.directory, tmp_path / "state"), settings or default)
        await simulator.start()
        tls = TlsFiles(client, pki.igc_ca, pki.cert(client), pki.key(client))
        http = httpx.AsyncClient(transport=ReloadingTransport(tls), timeout=60, trust_env=False)
        opened.append((http, simulator))
        base = f"https://localhost:{simulator.ports()['port']}/si-dmp-server/v2/services"
        clock = SystemClock()
        publisher = PublishDocument(
            documents=documents,
            dmp=SoapDmp(http, base_url=base, profile=changes.pop("profile", profile), clock=clock),
            seals=SealFiles(pki.cert(seal), pki.key(seal), clock),
            publications=states,
            sites={"lilas": site},
            rules=replace(rules, **changes),
            clock=clock,
        )
        return Dmp(simulator, publisher, make_cda, make_publication)

    yield make
    for http, simulator in opened:
        await http.aclose()
        await simulator.stop()


@pytest.fixture
async def dmp(connect: Connect) -> Dmp:
    return await connect()


# --- accepted


async def test_a_report_is_accepted_byte_for_byte(dmp: Dmp, documents: Any) -> None:
    payload = dmp.put()
    outcome = await dmp.attempt(payload)
    assert dmp.simulator.refusals.entries == []
    assert (outcome.kind, outcome.code) == (OutcomeKind.DELIVERED, "ok")
    assert dmp.simulator.registry.entries[V1].content == documents.stored[payload["document_id"]]
    assert dmp.reports[V1]["submission_unique_id"] == outcome.remote_ids["submission_unique_id"]


@pytest.mark.parametrize("digest", [LotDigest.SHA1, LotDigest.SHA256])
async def test_either_hash_of_the_lot_signature_is_accepted(connect: Connect, digest: LotDigest) -> None:
    dmp = await connect(lot_digest=digest)
    assert (await dmp.attempt(dmp.put())).kind is OutcomeKind.DELIVERED
    assert sum(entry.signature for entry in dmp.simulator.registry.entries.values()) == 1


async def test_a_dmp_that_wants_no_lot_signature_gets_none(connect: Connect) -> None:
    settings = DmpSettings(structures={"1990000002": ["1990000001"]}, lot_signature="optional")
    dmp = await connect(lot_digest=None, settings=settings)
    assert (await dmp.attempt(dmp.put())).kind is OutcomeKind.DELIVERED
    assert len(dmp.simulator.registry.entries) == 1


@pytest.mark.dsr("RIS.DMP.06")
@pytest.mark.dsr("RIS.DMP.07")
async def test_a_report_hidden_from_the_patient_is_submitted_hidden(dmp: Dmp) -> None:
    assert (await dmp.attempt(dmp.put(hidden_from_patient=True))).kind is OutcomeKind.DELIVERED
    assert dmp.reports[V1]["confidentiality"] == ["N", "INVISIBLE_PATIENT"]


# --- replaced


async def test_a_new_version_replaces_the_one_the_dmp_holds(dmp: Dmp, states: Any) -> None:
    await dmp.attempt(dmp.put())
    states.known[V1] = PublicationStatus.PUBLISHED
    outcome = await dmp.attempt(dmp.replacement())
    assert outcome.kind is OutcomeKind.DELIVERED
    assert dmp.reports[V1]["status"] == "Deprecated"
    assert dmp.reports[V2]["status"] == "Approved"
    assert dmp.reports[V2]["replaces"] == V1


async def test_a_version_never_passes_the_one_before_it(dmp: Dmp, states: Any) -> None:
    states.known[V1] = PublicationStatus.SCHEDULED
    outcome = await dmp.attempt(dmp.replacement())
    assert (outcome.kind, outcome.code) == (OutcomeKind.TRANSIENT, "waits-for-previous-version")
    assert dmp.reports == {}


async def test_a_version_whose_predecessor_vanished_is_not_sent_as_new(dmp: Dmp, states: Any) -> None:
    states.known[V1] = PublicationStatus.PUBLISHED
    outcome = await dmp.attempt(dmp.replacement())
    assert (outcome.kind, outcome.code) == (OutcomeKind.PERMANENT, "replaced-document-gone")
    assert outcome.who_must_act.value == "secretary"
    assert dmp.reports == {}


async def test_a_version_whose_predecessor_never_went_to_the_dmp_is_sent_as_new(dmp: Dmp) -> None:
    outcome = await dmp.attempt(dmp.replacement(replaces=None, replaces_unique_id=None))
    assert outcome.kind is OutcomeKind.DELIVERED
    assert dmp.reports[V2]["replaces"] is None


@pytest.mark.dsr("RIS.DMP.02")
async def test_a_document_that_names_one_the_dmp_never_had_is_not_sent_as_new(dmp: Dmp, states: Any) -> None:
    # It would be refused: its CDA says that it replaces something, and the lot does not.
    for status in (None, PublicationStatus.REJECTED):
        if status is not None:
            states.known[V1] = status
        outcome = await dmp.attempt(dmp.replacement())
        assert (outcome.kind, outcome.code) == (OutcomeKind.PERMANENT, "replaced-document-absent")
        assert outcome.who_must_act.value == "nobody"  # the report service makes an edition that names nothing
    assert dmp.reports == {}
    assert dmp.simulator.refusals.rules == []


# --- refused, each with its reason and who must act


async def test_a_patient_without_dmp(dmp: Dmp) -> None:
    dmp.simulator.patient_states["279035121518989"] = "none"
    outcome = await dmp.attempt(dmp.put())
    assert (outcome.kind, outcome.code) == (OutcomeKind.PERMANENT, "XDSUnknownPatientId")
    assert outcome.who_must_act.value == "secretary"


async def test_a_document_the_dmp_finds_too_big(connect: Connect) -> None:
    settings = DmpSettings(structures={"1990000002": ["1990000001"]}, max_document_bytes=100)
    dmp = await connect(settings=settings)
    outcome = await dmp.attempt(dmp.put())
    assert (outcome.kind, outcome.code) == (OutcomeKind.PERMANENT, "InvalidDocumentContent")


async def test_a_structure_the_dmp_does_not_tie_to_ours(connect: Connect) -> None:
    dmp = await connect(settings=DmpSettings(structures={}))
    outcome = await dmp.attempt(dmp.put())
    assert (outcome.kind, outcome.code) == (OutcomeKind.PERMANENT, "XDSRegistryMetadataError")
    assert "document.author_institution" in dmp.simulator.refusals.rules


async def test_an_unknown_homologation_number(connect: Connect) -> None:
    settings = DmpSettings(structures={"1990000002": ["1990000001"]}, homologation_numbers=("AUTRE",))
    dmp = await connect(settings=settings)
    outcome = await dmp.attempt(dmp.put())
    assert outcome.kind is OutcomeKind.PERMANENT
    assert dmp.reports == {}


async def test_a_missing_lot_signature(connect: Connect) -> None:
    dmp = await connect(lot_digest=None)
    outcome = await dmp.attempt(dmp.put())
    assert outcome.kind is OutcomeKind.PERMANENT
    assert dmp.reports == {}


@pytest.mark.parametrize(
    ("code", "kind", "who"),
    [
        ("XDSPatientIdDoesNotMatch", OutcomeKind.PERMANENT, "secretary"),
        ("LocalPolicyRestrictionError", OutcomeKind.PERMANENT, "administrator"),
        ("DMPCodeInconnu", OutcomeKind.PERMANENT, "operator"),
        ("XDSRegistryError", OutcomeKind.AMBIGUOUS, "nobody"),
        ("XDSRepositoryOutOfResources", OutcomeKind.TRANSIENT, "nobody"),
        ("XDSReplaceFailed", OutcomeKind.PERMANENT, "operator"),
    ],
)
async def test_each_class_of_registry_error(dmp: Dmp, code: str, kind: OutcomeKind, who: str) -> None:
    dmp.fault(target="provide", kind="registry_error", code=code)
    outcome = await dmp.attempt(dmp.put())
    assert (outcome.kind, outcome.code, outcome.who_must_act.value) == (kind, code, who)


async def test_a_fault_about_the_certificate_goes_to_the_administrator(dmp: Dmp) -> None:
    dmp.fault(target="provide", kind="soap_fault", code="DMPInvalidCertificate")
    outcome = await dmp.attempt(dmp.put())
    assert (outcome.code, outcome.who_must_act.value) == ("DMPInvalidCertificate", "administrator")


# --- nobody answers


async def test_a_busy_dmp_is_tried_again(dmp: Dmp) -> None:
    dmp.fault(target="provide", kind="busy", count=1)
    payload = dmp.put()
    assert (await dmp.attempt(payload)).kind is OutcomeKind.TRANSIENT
    assert (await dmp.attempt(payload)).kind is OutcomeKind.DELIVERED


async def test_a_dmp_that_is_down_was_not_reached(dmp: Dmp) -> None:
    payload = dmp.put()
    await dmp.simulator.stop_main()
    outcome = await dmp.attempt(payload)
    assert (outcome.kind, outcome.code) == (OutcomeKind.TRANSIENT, "unreachable")
    assert outcome.endpoint_down
    await dmp.simulator.start_main()


async def test_a_dmp_scripted_down_counts_as_down(dmp: Dmp) -> None:
    dmp.fault(kind="down")
    outcome = await dmp.attempt(dmp.put())
    assert outcome.kind in (OutcomeKind.TRANSIENT, OutcomeKind.AMBIGUOUS)
    assert outcome.endpoint_down
    assert dmp.reports == {}


async def test_a_page_of_a_proxy_leaves_the_outcome_open(dmp: Dmp) -> None:
    dmp.fault(target="provide", kind="http_error", status=502, count=1)
    outcome = await dmp.attempt(dmp.put())
    assert (outcome.kind, outcome.code) == (OutcomeKind.AMBIGUOUS, "http-502")


async def test_a_lost_answer_leaves_exactly_one_document(dmp: Dmp) -> None:
    dmp.fault(target="provide", kind="lost_answer", count=1)
    payload = dmp.put()
    first = await dmp.attempt(payload)
    assert (first.kind, first.code) == (OutcomeKind.AMBIGUOUS, "no-answer")
    second = await dmp.attempt(payload, must_query=True)
    assert (second.kind, second.code) == (OutcomeKind.DELIVERED, "found")
    assert second.remote_ids["entry_uuid"] == dmp.reports[V1]["entry_uuid"]
    assert second.remote_ids["submission_unique_id"] == dmp.reports[V1]["submission_unique_id"]
    assert list(dmp.reports) == [V1]
    assert len(dmp.simulator.registry.lots) == 1


async def test_a_timeout_before_anything_was_stored_also_leaves_one_document(dmp: Dmp) -> None:
    dmp.fault(target="provide", kind="http_error", status=504, count=1)
    payload = dmp.put()
    assert (await dmp.attempt(payload)).kind is OutcomeKind.AMBIGUOUS
    assert (await dmp.attempt(payload, must_query=True)).code == "ok"
    assert list(dmp.reports) == [V1]


async def test_a_resend_nobody_asked_about_is_recognised_as_ours(dmp: Dmp) -> None:
    payload = dmp.put()
    await dmp.attempt(payload)
    again = await dmp.attempt(payload)
    assert (again.kind, again.code) == (OutcomeKind.DELIVERED, "found")
    assert len(dmp.simulator.registry.lots) == 1


async def test_a_lost_answer_to_a_replacement_is_found_by_its_new_id(dmp: Dmp, states: Any) -> None:
    await dmp.attempt(dmp.put())
    states.known[V1] = PublicationStatus.PUBLISHED
    dmp.fault(target="provide", kind="lost_answer", count=1)
    payload = dmp.replacement()
    assert (await dmp.attempt(payload)).kind is OutcomeKind.AMBIGUOUS
    assert (await dmp.attempt(payload, must_query=True)).code == "found"
    assert dmp.reports[V2]["replaces"] == V1
    assert len(dmp.reports) == 2


async def test_a_duplicate_that_cannot_be_seen_stops_for_the_operator(dmp: Dmp) -> None:
    dmp.fault(target="provide", kind="registry_error", code="XDSDuplicateUniqueIdInRegistry")
    outcome = await dmp.attempt(dmp.put())
    assert (outcome.kind, outcome.code) == (OutcomeKind.PERMANENT, "duplicate-absent")
    assert outcome.who_must_act.value == "operator"


async def test_a_doubt_stays_a_doubt_while_the_query_fails(dmp: Dmp) -> None:
    payload = dmp.put()
    dmp.fault(target="query", kind="busy", count=1)
    outcome = await dmp.attempt(payload, must_query=True)
    assert (outcome.kind, outcome.code) == (OutcomeKind.AMBIGUOUS, "XDSRegistryBusy")
    dmp.fault(target="query", kind="lost_answer", count=1)
    assert (await dmp.attempt(payload, must_query=True)).kind is OutcomeKind.AMBIGUOUS
    assert dmp.reports == {}


async def test_a_slow_dmp_is_given_up_by_the_read_timeout(dmp: Dmp) -> None:
    dmp.publisher.dmp._client.timeout = httpx.Timeout(0.3)  # type: ignore[attr-defined]
    dmp.fault(target="provide", kind="slow", delay=1.5, count=1)
    payload = dmp.put()
    assert (await dmp.attempt(payload)).code == "no-answer"
    dmp.publisher.dmp._client.timeout = httpx.Timeout(60)  # type: ignore[attr-defined]
    assert (await dmp.attempt(payload, must_query=True)).kind is OutcomeKind.DELIVERED


# --- certificates


@pytest.mark.parametrize("client", ["rogue-client", "expired-client"])
async def test_a_client_certificate_the_dmp_does_not_trust(connect: Connect, client: str) -> None:
    dmp = await connect(client=client)
    outcome = await dmp.attempt(dmp.put())
    assert outcome.kind in (OutcomeKind.TRANSIENT, OutcomeKind.AMBIGUOUS)
    assert outcome.endpoint_down
    assert dmp.reports == {}
    assert "tls.handshake" in dmp.simulator.refusals.rules


async def test_a_server_we_do_not_trust_never_sees_a_request(connect: Connect, pki: Pki) -> None:
    dmp = await connect()
    tls = TlsFiles("dmp-auth", pki.rogue_ca, pki.cert("dmp-auth"), pki.key("dmp-auth"))
    async with httpx.AsyncClient(transport=ReloadingTransport(tls), trust_env=False) as http:
        soap = dmp.publisher.dmp
        stranger = SoapDmp(http, base_url=soap._base_url, profile=soap._profile, clock=SystemClock())  # type: ignore[attr-defined]
        outcome = await replace(dmp, publisher=replace(dmp.publisher, dmp=stranger)).attempt(dmp.put())
    assert (outcome.kind, outcome.code) == (OutcomeKind.TRANSIENT, "tls-handshake")
    assert dmp.reports == {}


async def test_many_reports_at_once_are_each_stored_once(dmp: Dmp) -> None:
    payloads = [dmp.put(f"1.2.250.1.999.7.1.{number}") for number in range(2000, 2010)]
    outcomes = await asyncio.gather(*(dmp.attempt(payload) for payload in payloads))
    assert {outcome.kind for outcome in outcomes} == {OutcomeKind.DELIVERED}
    assert len(dmp.reports) == 10
