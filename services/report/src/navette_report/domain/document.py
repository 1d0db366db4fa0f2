"""Everything one edition of a document says, whichever form it takes (PDF, CDA N1 or N3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo
from uuid import NAMESPACE_URL, uuid5

from navette_contracts.events import Audience
from navette_documents.sites import Site

from navette_report.domain.audience import PARTIES, verdict
from navette_report.domain.content import ReportContent
from navette_report.domain.editions import EditionPlan
from navette_report.domain.identity import PatientIdentity
from navette_report.domain.report import Report, Signature


@dataclass(frozen=True, slots=True)
class FormerVersion:
    """A validated version that the present one replaces."""

    number: int
    signed_at: datetime


@dataclass(frozen=True, slots=True, repr=False)
class DocumentModel:
    """One edition, ready to be written. `patient` carries an INS only if it is qualified."""

    document_id: str
    unique_id: str
    """ClinicalDocument/id, an OID under the site's root; the same for the same edition, however often made."""
    set_id: str
    version_number: int
    replaces_unique_id: str | None
    content: ReportContent
    patient: PatientIdentity
    site: Site
    ipp_oid: str
    """Assigning authority of the patient's IPP: of the site that identified the person, which may be another."""
    signature: Signature
    announced_parties: tuple[Audience, ...]
    """Parties this version goes or will go to, as printed in the list of recipients (RIS.DOC.04)."""
    composed_at: datetime
    zone: tzinfo
    withdrawn_at: datetime | None = None
    """Set only in the copy that is shown of a withdrawn report; no such document leaves."""
    former: FormerVersion | None = None
    """The version this one annuls and replaces; None for a first version (RIS.MSS.15)."""

    @property
    def image_urls(self) -> tuple[str, ...]:
        """Where the images are shown, one address per study; none when the site offers no link."""
        return tuple(filter(None, map(self.site.image_url, self.content.studies)))

    def __repr__(self) -> str:
        return f"DocumentModel({self.unique_id})"


def document_model(
    report: Report,
    plan: EditionPlan,
    patient: PatientIdentity,
    site: Site,
    *,
    ipp_oid: str,
    composed_at: datetime,
    zone: tzinfo,
) -> DocumentModel:
    """The document of `plan`. Identifiers depend on the report and the edition only, so that a retry after a
    crash makes the same ones.
    """
    version = report.validated
    if version is None or version.signature is None or version.in_force is None:
        raise ValueError("unsigned")
    choices = version.in_force
    parties = tuple(
        party
        for party in PARTIES
        if not (said := verdict(party, choices, qualified=patient.qualified)).final
        and (
            # An unqualified edition names only those it can reach: what waits may never come.
            said.receives or patient.qualified
        )
    )
    return DocumentModel(
        document_id=str(uuid5(NAMESPACE_URL, f"navette:report:{report.report_id}:edition:{plan.number}")),
        unique_id=site.uids.deterministic("document", report.report_id, str(plan.number)),
        set_id=site.uids.deterministic("set", report.report_id),
        version_number=plan.number,
        replaces_unique_id=plan.replaces_unique_id,
        content=version.content,
        patient=patient.for_documents(),
        site=site,
        ipp_oid=ipp_oid,
        signature=version.signature,
        announced_parties=parties,
        composed_at=composed_at,
        zone=zone,
        former=_former(report, version.number),
    )


def _former(report: Report, number: int) -> FormerVersion | None:
    """The last version before version `number` that left: nobody can put one aside that was held here."""
    for version in reversed(report.versions):
        if version.number < number and version.signature is not None and version.editions:
            return FormerVersion(version.number, version.signature.signed_at)
    return None
