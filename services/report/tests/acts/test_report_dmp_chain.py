"""The chain of editions against a DMP that refuses what it likes, and always what names something it does not hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from navette_contracts.events import Audience, DocumentReference
from navette_report.domain import acts
from navette_report.domain.audience import audience
from navette_report.domain.choices import SignatureChoices
from navette_report.domain.editions import misled_in_dmp, plan_edition
from navette_report.domain.lifecycle import Act, Forbidden
from navette_report.domain.report import Edition, Report, Signatory, Signature

T0 = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


def signature(*, announcement_needed: bool = False) -> Signature:
    return Signature(
        signatory=Signatory(rpps="99700000019", family_name="FICTIF"),
        signed_at=T0,
        choices=SignatureChoices(announcement_needed=announcement_needed),
    )


@dataclass
class Chain:
    """A report whose editions travel to a DMP one after the other, and come to be known there late."""

    report: Report
    waiting: list[Edition] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    for_cause: set[str] = field(default_factory=set)
    approved: str | None = None

    def compose(self) -> None:
        version = self.report.validated
        if version is None or version.in_force is None:
            return
        wanted = audience(version.in_force, qualified=True)
        plan = plan_edition(self.report, wanted, qualified=True, refused=frozenset(self.refused))
        if plan is None:
            return
        reference = DocumentReference(
            document_id=f"d-{plan.number}", cda_sha256="0" * 64, cda_size=1, pdf_sha256="0" * 64, pdf_size=1,
            unique_id=f"1.2.3.{plan.number}", set_id="1.2.3", version_number=plan.number, level="N1",
        )  # fmt: skip
        edition = Edition(
            reference=reference, ins_qualified=True, identity_revision=1, audience=plan.audience,
            replaces_unique_id=plan.replaces_unique_id,
            hidden_from_patient=version.in_force.visibility.hidden_from_patient, composed_at=T0,
        )  # fmt: skip
        self.report = self.report.with_current(version.after(Act.COMPOSE, editions=(*version.editions, edition)))
        if Audience.DMP in edition.audience:
            self.waiting.append(edition)

    def answer(self, *, refuse: bool) -> None:
        """The DMP answers about the oldest edition on its way; report hears of it."""
        if not self.waiting:
            return
        edition = self.waiting.pop(0)
        unique_id, named = edition.reference.unique_id, edition.replaces_unique_id
        if refuse:
            self.for_cause.add(unique_id)
        if refuse or (named is not None and named != self.approved):
            self.refused.add(unique_id)
        else:
            # An edition that names nothing beside one the DMP holds would leave two documents of one report.
            assert named == self.approved
            self.approved = unique_id
        version = self.report.validated
        if version is not None and misled_in_dmp(version, frozenset(self.refused)) is not None:
            self.compose()


STEPS = st.sampled_from(["replace", "replace-to-announce", "announce", "accepted", "accepted", "refused"])


@pytest.mark.dsr("RIS.DMP.02")
@settings(max_examples=300, deadline=None)
@given(steps=st.lists(STEPS, max_size=20), to_announce=st.booleans())
def test_whatever_the_dmp_refuses_it_ends_with_the_last_version_or_a_reason_of_its_own(samples, steps, to_announce):
    chain = Chain(acts.validate(samples.draft(), signature(announcement_needed=to_announce)))
    chain.compose()
    for step in steps:
        try:
            if step == "announce":
                chain.report = acts.announce(chain.report, by="u", at=T0)
                chain.compose()
            elif step.startswith("replace"):
                number = chain.report.validated.number
                started = acts.start_replacement(chain.report, built_on=number, content=samples.content())
                later = signature(announcement_needed=step == "replace-to-announce")
                chain.report = acts.validate(started, later)
                chain.compose()
            else:
                chain.answer(refuse=step == "refused")
        except Forbidden:
            continue
    for _ in range(2 * len(chain.report.editions) + 2):
        chain.answer(refuse=False)
    assert chain.waiting == [], "a refusal is answered with an edition once, not for ever"
    version = chain.report.validated
    given_to_dmp = [one for one in version.editions if Audience.DMP in one.audience]
    last = given_to_dmp[-1].reference.unique_id
    assert chain.approved == last or last in chain.for_cause
    # Nobody but the DMP hears of it.
    for one in chain.report.versions:
        others = [party for edition in one.editions for party in edition.audience if party is not Audience.DMP]
        assert len(others) == len(set(others))
