"""What one delivery is about: taken from the event once, carried in the work item. No identity in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

from navette_contracts.events import Audience, MailKind, Recipient, RecipientRole, ReportComposed
from navette_documents.xds.from_cda import Visibility
from pydantic import BaseModel, ConfigDict

from navette_mss.domain.identity import delivery_key

PATIENT_RECIPIENT = "patient"


class MailOrder(BaseModel):
    """One document edition for one recipient. Sizes in bytes, hashes SHA-256 in hexadecimal."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    report_id: str
    version: int
    site_id: str
    recipient_id: str
    role: RecipientRole
    rpps: str | None
    finess: str | None
    document_id: str
    cda_sha256: str
    cda_size: int
    pdf_sha256: str
    pdf_size: int
    ins_qualified: bool
    hidden_from_professionals: bool
    hidden_from_patient: bool
    hidden_from_representatives: bool
    kind: MailKind = MailKind.REPORT

    @property
    def key(self) -> str:
        """Key of the work item."""
        suffix = ":withdrawal" if self.is_notice else ""
        return self.report_key + suffix

    @property
    def report_key(self) -> str:
        """Key of the mail that carries the document itself."""
        return delivery_key(self.document_id, self.recipient_id)

    @property
    def is_notice(self) -> bool:
        """Whether this mail tells of a withdrawal and carries no document."""
        return self.kind is MailKind.WITHDRAWAL

    def withdrawal(self, version: int) -> Self:
        """The notice to whoever received this document that `version` of the report was withdrawn."""
        return self.model_copy(update={"kind": MailKind.WITHDRAWAL, "version": version})

    @property
    def group(self) -> str:
        """Mails of one report to one recipient leave one after the other."""
        return f"{self.report_id}:{self.recipient_id}"

    @property
    def to_patient(self) -> bool:
        """Whether the recipient is the patient."""
        return self.role is RecipientRole.PATIENT

    @property
    def visibility(self) -> Visibility:
        """Masks of the document, for its metadata."""
        return Visibility(self.hidden_from_professionals, self.hidden_from_patient, self.hidden_from_representatives)

    @property
    def forbidden_by(self) -> str | None:
        """The mask that forbids this mail, a code of the outcome table (spec/mss.md §6, T10)."""
        if self.is_notice:
            return None  # it goes to those who have the document
        if not self.to_patient:
            return "hidden-from-professionals" if self.hidden_from_professionals else None
        if self.hidden_from_patient:
            return "hidden-from-patient"
        return "hidden-from-representatives" if self.hidden_from_representatives else None

    def to_payload(self) -> dict[str, Any]:
        """Plain values for the work item."""
        return self.model_dump(mode="json")

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> Self:
        """The order a work item carries. Raises pydantic.ValidationError."""
        return cls.model_validate(dict(payload))


def orders_of(event: ReportComposed, former: Iterable[Recipient] = ()) -> Iterator[MailOrder]:
    """One order per recipient of the event's audience.

    `former`: professionals who received an earlier version; they get the new one too, even when it no longer names
    them (spec/mss.md §5.1).
    """
    if Audience.PROFESSIONALS in event.audience:
        seen: set[str] = set()
        for one in (*event.recipients, *former):
            if one.role is not RecipientRole.PATIENT and one.recipient_id not in seen:
                seen.add(one.recipient_id)
                yield _order(event, one)
    if Audience.PATIENT in event.audience:
        named = (one for one in event.recipients if one.role is RecipientRole.PATIENT)
        usual = Recipient(recipient_id=PATIENT_RECIPIENT, role=RecipientRole.PATIENT)
        yield _order(event, next(named, usual))


def _order(event: ReportComposed, recipient: Recipient) -> MailOrder:
    document, visibility = event.document, event.visibility
    return MailOrder(
        report_id=event.report_id,
        version=event.version,
        site_id=event.site_id,
        recipient_id=recipient.recipient_id,
        role=recipient.role,
        rpps=recipient.rpps,
        finess=recipient.finess,
        document_id=document.document_id,
        cda_sha256=document.cda_sha256,
        cda_size=document.cda_size,
        pdf_sha256=document.pdf_sha256,
        pdf_size=document.pdf_size,
        ins_qualified=event.ins_qualified,
        hidden_from_professionals=visibility.hidden_from_professionals,
        hidden_from_patient=visibility.hidden_from_patient,
        hidden_from_representatives=visibility.hidden_from_representatives,
    )
