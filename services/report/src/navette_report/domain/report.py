"""A report, its versions, and the states a version goes through.

A *version* is what a radiologist validated; an *edition* is one composed document of it. A version has more
than one edition when its patient's identity is qualified after the first (DESIGN §2).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from navette_contracts.events import Audience, DocumentReference
from pydantic import AwareDatetime, Field

from navette_report.domain.choices import ChoiceMade, SignatureChoices, forbidden_combinations, made_by
from navette_report.domain.content import ReportContent
from navette_report.domain.fields import Strict
from navette_report.domain.lifecycle import IN_FORCE, TRANSITIONS, UNVALIDATED, Act, Forbidden, State
from navette_report.domain.origin import Origin


class Signatory(Strict):
    """The radiologist who validates, as Pro Santé Connect identified them."""

    rpps: str
    family_name: str
    given_name: str | None = None
    specialty: str | None = None
    """Code of JDV_J01 for which the sign-on knows them; None: what the site says of its radiologists."""

    @property
    def display_name(self) -> str:
        """ "Dr Prénom NOM"."""
        return " ".join(word for word in ("Dr", self.given_name, self.family_name) if word)


class Signature(Strict):
    """Who validated, when, and with which choices."""

    signatory: Signatory
    signed_at: AwareDatetime
    choices: SignatureChoices


class Edition(Strict):
    """One composed document of a version: immutable once it exists."""

    reference: DocumentReference
    ins_qualified: bool
    identity_revision: int
    audience: tuple[Audience, ...]
    replaces_unique_id: str | None = None
    """The earlier edition that this one replaces where it goes (RPLC)."""
    hidden_from_patient: bool = False
    """Whether the DMP was told to hide this edition from the patient."""
    carriers: Mapping[Audience, str] = Field(default_factory=dict)
    """Platform that carries each party; what is not in it Navette sends itself."""
    composed_at: AwareDatetime


class Finding(Strict):
    """One rule a document broke in our own checks: where and which, never the value."""

    rule: str
    path: str


class Agreement(Strict):
    """A co-reader agrees with a provisional report as it is."""

    rpps: str
    at: AwareDatetime


class Proposal(Strict):
    """A radiologist made a report provisional, or changed whose agreement it waits for."""

    by_rpps: str
    at: AwareDatetime
    co_readers: tuple[str, ...]


class Announcement(Strict):
    """The result was announced to the patient."""

    by: str
    """Account of who recorded it."""
    at: AwareDatetime


class Withdrawal(Strict):
    """A version was annulled."""

    by_rpps: str
    at: AwareDatetime
    reason: str | None = None
    """Sealed text (JWE)."""


class Version(Strict):
    """Version n of a report."""

    number: int
    state: State
    content: ReportContent
    model: str | None = None
    """Report model the draft was written from."""
    origin: Origin | None = None
    """The message it was taken from; None when it was written here."""
    choices: tuple[ChoiceMade, ...] = ()
    """Choices about this document, each with who made it and when."""
    co_readers: tuple[str, ...] = ()
    """RPPS of the radiologists who must agree before validation; who proposed it first."""
    proposals: tuple[Proposal, ...] = ()
    """Every proposal with who and when, the last one in force."""
    agreements: tuple[Agreement, ...] = ()
    proposed_at: AwareDatetime | None = None
    signature: Signature | None = None
    announcement: Announcement | None = None
    withdrawal: Withdrawal | None = None
    editions: tuple[Edition, ...] = ()
    findings: tuple[Finding, ...] = ()
    """Why the last composition was held; empty when it was not."""

    def after(self, act: Act, **changes: object) -> Self:
        """This version once `act` was done. Raises Forbidden when the table does not allow it."""
        target = TRANSITIONS.get((self.state, act))
        if target is None:
            raise Forbidden(f"{act}_not_allowed_when_{self.state}")
        return self.model_copy(update={"state": target, **changes})

    @property
    def in_force(self) -> SignatureChoices | None:
        """The choices that count now: once announced, a result is no longer to be announced. None if unsigned."""
        if self.signature is None or self.announcement is None:
            return None if self.signature is None else self.signature.choices
        return self.signature.choices.model_copy(update={"announcement_needed": False})

    @property
    def to_announce(self) -> bool:
        """Whether somebody must still tell the patient."""
        return self.state in IN_FORCE and self.in_force is not None and self.in_force.announcement_needed

    @property
    def proposed_by(self) -> str | None:
        """RPPS of who decides whose agreement is needed; None when none is."""
        return self.co_readers[0] if self.co_readers else None

    @property
    def missing_agreements(self) -> tuple[str, ...]:
        """RPPS of the co-readers who did not agree yet."""
        agreed = {one.rpps for one in self.agreements}
        return tuple(rpps for rpps in self.co_readers if rpps not in agreed)

    @property
    def served(self) -> frozenset[Audience]:
        """Parties an edition of this version was made for."""
        return frozenset(party for edition in self.editions for party in edition.audience)


class Report(Strict):
    """A report with all its versions, the last one current."""

    report_id: str
    patient_id: str
    site_id: str
    created_at: AwareDatetime
    updated_at: AwareDatetime
    sequence: int = 0
    """Number of the last event emitted about this report."""
    versions: tuple[Version, ...]

    @property
    def current(self) -> Version:
        """The last version."""
        return self.versions[-1]

    @property
    def validated(self) -> Version | None:
        """The last version that was validated; None before the first validation. A draft of the next one does
        not hold it back.
        """
        return next((one for one in reversed(self.versions) if one.state not in UNVALIDATED), None)

    @property
    def followed(self) -> Version:
        """The version whose journey counts: the last validated one, the draft before there is any."""
        return self.validated or self.current

    @property
    def draft(self) -> Version | None:
        """The version being written, None when there is none."""
        return self.current if self.current.state in UNVALIDATED else None

    @property
    def editions(self) -> tuple[Edition, ...]:
        """All editions of all versions, oldest first: the chain of the document."""
        return tuple(edition for version in self.versions for edition in version.editions)

    def with_current(self, version: Version, *, sequence: int | None = None) -> Self:
        """This report with a later state of its current version, or of the validated one before a draft."""
        validated = self.validated
        if version.number != self.current.number and (validated is None or version.number != validated.number):
            raise Forbidden("only_the_current_version_changes")
        versions = tuple(version if one.number == version.number else one for one in self.versions)
        changes: dict[str, object] = {"versions": versions}
        if sequence is not None:
            changes["sequence"] = sequence
        return self.model_copy(update=changes)


def sign(version: Version, signature: Signature) -> Version:
    """Validate a draft. Raises Forbidden when it is not one, is incomplete, is not agreed upon, or the choices
    exclude each other.
    """
    broken = forbidden_combinations(signature.choices)
    if broken:
        raise Forbidden(broken[0])
    signer = signature.signatory.rpps
    choices = made_by(version.choices, signature.choices, by=signer, at=signature.signed_at)
    signed = version.after(Act.SIGN, signature=signature, choices=choices)
    obstacle = None if version.origin is None else version.origin.obstacle
    if obstacle is not None:
        raise Forbidden(obstacle)
    if any(rpps != signer for rpps in version.missing_agreements):
        raise Forbidden("agreement_of_a_co_reader_missing")
    for required in ("findings", "conclusion"):
        if not getattr(version.content, required):
            raise Forbidden(f"{required}_missing")
    return signed
