"""Decisions of one attempt to delete a report in the DMP, with fakes for everything outside."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from navette_chassis import ManualClock
from navette_chassis.deliveries import Delivery, Outcome, OutcomeKind
from navette_contracts.events import WhoMustAct
from navette_dmp.domain.outcomes import Action, Verdict
from navette_dmp.domain.publication import Withdrawal
from navette_dmp.domain.signer import Signer
from navette_dmp.domain.status import PublicationStatus
from navette_dmp.domain.submission import SubmissionRules
from navette_dmp.use_cases.ports import QueryFailed
from navette_dmp.use_cases.publish_document import PublishDocument
from navette_dmp.use_cases.withdraw_document import WithdrawDocument
from navette_documents.sites import Site
from navette_documents.xds import AssociationKind

V1, V2 = "1.2.250.1.999.7.1.1001", "1.2.250.1.999.7.1.1002"
STORED = Verdict(Action.STORED, "ok")


@dataclass
class FakeRegistry:
    """Entries by uniqueId; answers updates from a list and forgets what was deleted."""

    entries: dict[str, str] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=lambda: [STORED])
    deleted: list[str] = field(default_factory=list)
    silent: bool = False

    async def entries_of(self, unique_id: str, subject: Any, signer: Any) -> tuple[str, ...]:
        if self.silent:
            raise QueryFailed(Verdict(Action.UNKNOWN, "no-answer", endpoint_down=True))
        return tuple(filter(None, [self.entries.get(unique_id)]))

    async def update(self, submission: Any, subject: Any, signer: Any) -> Verdict:
        (link,) = submission.links
        assert link.kind is AssociationKind.UPDATE_STATUS
        assert dict(link.slots)["NewStatus"].endswith(":Deleted")
        self.deleted.append(link.target)
        return self.verdicts.pop(0)


class Bench:
    """A withdrawal of two versions, newest first."""

    def __init__(self, outside: PublishDocument, registry: FakeRegistry, cda: Any, publication: Any) -> None:
        self.attempt_of = WithdrawDocument(outside)
        documents = []
        for unique_id in (V2, V1):
            content = cda(unique_id)
            one = publication(content, unique_id)
            outside.documents.stored[one.document_id] = content  # type: ignore[attr-defined]
            documents.append(one)
        self.withdrawal = Withdrawal(report_id="report-1", version=2, documents=tuple(documents))

    async def attempt(self, *, must_query: bool = False) -> Outcome:
        now = datetime.now(UTC)
        delivery = Delivery(
            "d", "dmp.withdraw", "report-1:2", "report-1", self.withdrawal.to_payload(), 1, must_query, now, now,
        )  # fmt: skip
        return await self.attempt_of(delivery)


@dataclass
class Seal:
    signer: Signer

    def current(self) -> Signer:
        return self.signer


@pytest.fixture
def registry() -> FakeRegistry:
    return FakeRegistry()


@pytest.fixture
def bench(
    registry: FakeRegistry,
    documents: Any,
    states: Any,
    signer: Signer,
    site: Site,
    rules: SubmissionRules,
    clock: ManualClock,
    make_cda: Any,
    make_publication: Any,
) -> Bench:
    states.known = {V1: PublicationStatus.PUBLISHED, V2: PublicationStatus.PUBLISHED}
    outside = PublishDocument(documents, registry, Seal(signer), states, {"lilas": site}, rules, clock)  # type: ignore[arg-type]
    return Bench(outside, registry, make_cda, make_publication)


@pytest.mark.dsr("RIS.DMP.02")
async def test_the_last_version_is_deleted_and_the_one_it_replaced_is_left_alone(bench: Bench, registry: Any) -> None:
    registry.entries = {V1: "urn:uuid:1", V2: "urn:uuid:2"}
    outcome = await bench.attempt()
    assert (outcome.kind, outcome.remote_ids["unique_id"]) == (OutcomeKind.DELIVERED, V2)
    assert registry.deleted == ["urn:uuid:2"]


async def test_when_the_last_version_never_arrived_the_one_before_is_deleted(
    bench: Bench, registry: Any, states: Any
) -> None:
    registry.entries = {V1: "urn:uuid:1"}
    states.known[V2] = PublicationStatus.REJECTED
    assert (await bench.attempt()).remote_ids["unique_id"] == V1
    assert registry.deleted == ["urn:uuid:1"]


async def test_what_the_dmp_never_had_is_not_deleted(bench: Bench, registry: Any, states: Any) -> None:
    states.known = dict.fromkeys((V1, V2), PublicationStatus.REJECTED)
    outcome = await bench.attempt()
    assert (outcome.kind, outcome.code) == (OutcomeKind.CANCELLED, "never-published")
    assert registry.deleted == []


async def test_a_document_somebody_deleted_already_is_withdrawn(bench: Bench, registry: Any) -> None:
    outcome = await bench.attempt()
    assert (outcome.kind, outcome.code) == (OutcomeKind.DELIVERED, "gone")
    assert registry.deleted == []


async def test_after_a_lost_answer_the_dmp_is_asked_before_deleting_again(bench: Bench, registry: Any) -> None:
    registry.entries = {V2: "urn:uuid:2"}
    registry.verdicts = [Verdict(Action.UNKNOWN, "no-answer"), STORED]
    assert (await bench.attempt()).kind is OutcomeKind.AMBIGUOUS
    registry.entries = {}
    assert (await bench.attempt(must_query=True)).kind is OutcomeKind.DELIVERED
    assert registry.deleted == ["urn:uuid:2"]


async def test_a_silent_dmp_leaves_a_doubt_a_doubt(bench: Bench, registry: Any) -> None:
    registry.silent = True
    assert (await bench.attempt()).kind is OutcomeKind.TRANSIENT
    assert (await bench.attempt(must_query=True)).kind is OutcomeKind.AMBIGUOUS


@pytest.mark.parametrize(
    ("verdict", "kind", "who"),
    [
        (Verdict(Action.RETRY, "XDSRegistryBusy"), OutcomeKind.TRANSIENT, WhoMustAct.NOBODY),
        (Verdict(Action.STOP, "x", WhoMustAct.ADMINISTRATOR), OutcomeKind.PERMANENT, WhoMustAct.ADMINISTRATOR),
        (Verdict(Action.REFRESH, "x", WhoMustAct.OPERATOR), OutcomeKind.PERMANENT, WhoMustAct.OPERATOR),
    ],
)
async def test_what_the_dmp_answers_decides(
    bench: Bench, registry: Any, verdict: Verdict, kind: OutcomeKind, who: WhoMustAct
) -> None:
    registry.entries, registry.verdicts = {V2: "urn:uuid:2"}, [verdict]
    outcome = await bench.attempt()
    assert (outcome.kind, outcome.who_must_act) == (kind, who)
