"""Decisions of one attempt, with fakes for everything outside."""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from navette_chassis import ManualClock
from navette_chassis.deliveries import Delivery, Outcome, OutcomeKind
from navette_contracts.events import WhoMustAct
from navette_dmp.domain.outcomes import Action, Verdict
from navette_dmp.domain.signer import Signer
from navette_dmp.domain.status import PublicationStatus
from navette_dmp.domain.submission import SubmissionRules
from navette_dmp.use_cases.ports import QueryFailed
from navette_dmp.use_cases.publish_document import PublishDocument
from navette_documents.errors import InvalidValue
from navette_documents.sites import Site

V1, V2 = "1.2.250.1.999.7.1.1001", "1.2.250.1.999.7.1.1002"
BUSY = Verdict(Action.RETRY, "XDSRegistryBusy")


@dataclass
class FakeDmp:
    """Answers from a list, entries from a table; remembers what it was sent."""

    verdicts: list[Verdict] = field(default_factory=lambda: [Verdict(Action.STORED, "ok")])
    entries: dict[str, list[tuple[str, ...] | Verdict]] = field(default_factory=dict)
    sent: list[Any] = field(default_factory=list)

    async def submit(self, submission: Any, files: Any, subject: Any, signer: Any) -> Verdict:
        self.sent.append(submission)
        return self.verdicts.pop(0)

    async def entries_of(self, unique_id: str, subject: Any, signer: Any) -> tuple[str, ...]:
        answers = self.entries.get(unique_id, [()])
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Verdict):
            raise QueryFailed(answer)
        return answer

    def replaced(self) -> list[str | None]:
        """Target of the replacement in each message sent."""
        return [next((link.target for link in s.links if link.kind.name == "REPLACES"), None) for s in self.sent]


@dataclass
class Seal:
    signer: Signer | None

    def current(self) -> Signer:
        if self.signer is None:
            raise InvalidValue("dmp_sign_cert", "expired or not yet valid")
        return self.signer


class Bench:
    """A publisher with fakes."""

    def __init__(self, publisher: PublishDocument, make_cda: Any, make_publication: Any) -> None:
        self.publisher = publisher
        self._make_cda, self._make_publication = make_cda, make_publication

    async def attempt(self, *, must_query: bool = False, second: bool = False, **changes: Any) -> Outcome:
        unique_id = V2 if second else V1
        cda = self._make_cda(unique_id, ins_oid=changes.pop("ins_oid", "1.2.250.1.213.1.4.8"))
        changes = {"replaces_unique_id": V1 if second else None, **changes}
        publication = self._make_publication(cda, unique_id, **changes)
        self.publisher.documents.stored.setdefault(publication.document_id, cda)  # type: ignore[attr-defined]
        now = datetime.now(UTC)
        payload = publication.to_payload()
        return await self.publisher(
            Delivery("d", "dmp.publish", unique_id, "report-1", payload, 1, must_query, now, now)
        )


@pytest.fixture
def fake() -> FakeDmp:
    return FakeDmp()


@pytest.fixture
def bench(
    fake: FakeDmp,
    documents: Any,
    states: Any,
    signer: Signer,
    site: Site,
    rules: SubmissionRules,
    clock: ManualClock,
    make_cda: Any,
    make_publication: Any,
) -> Bench:
    publisher = PublishDocument(documents, fake, Seal(signer), states, {"lilas": site}, rules, clock)
    return Bench(publisher, make_cda, make_publication)


async def test_a_replaced_entry_that_moved_is_read_again_once(bench: Bench, fake: FakeDmp) -> None:
    fake.verdicts = [Verdict(Action.REFRESH, "XDSRegistryDeprecatedDocumentError"), Verdict(Action.STORED, "ok")]
    fake.entries[V1] = [("urn:uuid:old",), ("urn:uuid:new",)]
    assert (await bench.attempt(second=True)).kind is OutcomeKind.DELIVERED
    assert fake.replaced() == ["urn:uuid:old", "urn:uuid:new"]


async def test_a_replaced_entry_that_moved_twice_stops_for_the_operator(bench: Bench, fake: FakeDmp) -> None:
    moved = Verdict(Action.REFRESH, "XDSRegistryDeprecatedDocumentError", WhoMustAct.OPERATOR)
    fake.verdicts = [moved, moved]
    fake.entries[V1] = [("urn:uuid:old",)]
    outcome = await bench.attempt(second=True)
    assert (outcome.kind, outcome.who_must_act) == (OutcomeKind.PERMANENT, WhoMustAct.OPERATOR)
    assert len(fake.sent) == 2


async def test_nothing_is_sent_again_while_the_dmp_already_has_it(bench: Bench, fake: FakeDmp) -> None:
    fake.entries[V1] = [("urn:uuid:1",)]
    outcome = await bench.attempt(must_query=True)
    assert (outcome.kind, outcome.remote_ids["entry_uuid"]) == (OutcomeKind.DELIVERED, "urn:uuid:1")
    assert fake.sent == []


async def test_several_entries_for_one_document_stop_for_the_operator(bench: Bench, fake: FakeDmp) -> None:
    fake.entries[V1] = [("urn:uuid:1", "urn:uuid:2")]
    for outcome in (await bench.attempt(must_query=True), await bench.attempt(second=True)):
        assert (outcome.code, outcome.who_must_act) == ("several-entries", WhoMustAct.OPERATOR)
    assert fake.sent == []


async def test_a_query_that_fails_before_a_replacement_is_tried_again(bench: Bench, fake: FakeDmp) -> None:
    fake.entries[V1] = [BUSY]
    outcome = await bench.attempt(second=True)
    assert (outcome.kind, outcome.code) == (OutcomeKind.TRANSIENT, "XDSRegistryBusy")
    assert fake.sent == []


async def test_a_query_that_is_refused_stops_with_its_reason(bench: Bench, fake: FakeDmp) -> None:
    fake.entries[V1] = [Verdict(Action.STOP, "DMPInvalidCertificate", WhoMustAct.ADMINISTRATOR)]
    outcome = await bench.attempt(must_query=True)
    assert (outcome.kind, outcome.who_must_act) == (OutcomeKind.PERMANENT, WhoMustAct.ADMINISTRATOR)


async def test_a_replaced_version_the_dmp_refused_is_not_waited_for(bench: Bench, fake: FakeDmp, states: Any) -> None:
    states.known[V1] = PublicationStatus.REJECTED
    outcome = await bench.attempt(second=True)
    assert (outcome.kind, outcome.code) == (OutcomeKind.PERMANENT, "replaced-document-absent")
    assert fake.sent == []


@pytest.mark.parametrize(("must_query", "kind"), [(False, OutcomeKind.TRANSIENT), (True, OutcomeKind.AMBIGUOUS)])
async def test_what_keeps_us_from_trying_does_not_settle_a_doubt(
    bench: Bench, fake: FakeDmp, documents: Any, must_query: bool, kind: OutcomeKind
) -> None:
    documents.available = False
    outcome = await bench.attempt(must_query=must_query)
    assert (outcome.kind, outcome.code, outcome.endpoint_down) == (kind, "report-unavailable", False)
    object.__setattr__(bench.publisher, "seals", Seal(None))
    outcome = await bench.attempt(must_query=must_query)
    assert (outcome.kind, outcome.code) == (kind, "seal-unusable")
    assert fake.sent == []


async def test_a_document_that_is_gone_stops_for_the_operator(bench: Bench, documents: Any) -> None:
    documents.stored = _Nothing()
    outcome = await bench.attempt()
    assert (outcome.code, outcome.who_must_act) == ("document-missing", WhoMustAct.OPERATOR)


class _Nothing(dict[str, bytes]):
    def setdefault(self, key: str, default: bytes = b"") -> bytes:
        return default


async def test_a_site_nobody_configured_stops_for_the_administrator(bench: Bench) -> None:
    outcome = await bench.attempt(site_id="ailleurs")
    assert (outcome.code, outcome.who_must_act) == ("unknown-site", WhoMustAct.ADMINISTRATOR)


@pytest.mark.parametrize(
    ("changes", "code", "who"),
    [
        ({"ins_oid": "1.2.250.1.213.1.4.10"}, "refused:ins_oid:test-oid-in-production", "secretary"),
        ({"sha256": "0" * 64}, "refused:document:not-the-bytes-that-were-composed", "operator"),
        (
            {"hidden_from_professionals": True, "hidden_from_patient": True},
            "refused:confidentialityCode:MASQUE_PS-and-INVISIBLE_PATIENT-together",
            "radiologist",
        ),
    ],
)
async def test_a_document_refused_here_never_leaves_and_says_why(
    bench: Bench, fake: FakeDmp, changes: dict[str, Any], code: str, who: str
) -> None:
    outcome = await bench.attempt(**changes)
    assert (outcome.kind, outcome.code, outcome.who_must_act.value) == (OutcomeKind.PERMANENT, code, who)
    assert fake.sent == []


async def test_hostile_xml_from_the_store_never_leaves(bench: Bench, fake: FakeDmp, documents: Any) -> None:
    cda = b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><a>&x;</a>'
    documents.stored[f"doc-{V1}"] = cda
    outcome = await bench.attempt(sha256=hashlib.sha256(cda).hexdigest(), size=len(cda))
    assert (outcome.kind, outcome.code) == (OutcomeKind.PERMANENT, "refused:xml:dtd")
    assert fake.sent == []
