"""A report, its versions, and the states a version goes through.

A *version* is what a radiologist validated; an *edition* is one composed document of it. A version has more
than one edition when its patient's identity is qualified after the first (DESIGN §2).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Self

from navette_contracts.events import Audience, DocumentReference
from pydantic import AwareDatetime

from navette_report.domain.choices import SignatureChoices, forbidden_combinations
from navette_report.domain.content import ReportContent, Strict


class State(StrEnum):
    """Where a version stands."""

    DRAFT = "draft"
    SIGNED = "signed"
    """Validated; its document is about to be made."""
    WAITING = "waiting"
    """Validated; no document can be made until the patient is known."""
    HELD = "held"
    """Validated; its document failed our own checks and did not leave."""
    COMPOSED = "composed"


class Act(StrEnum):
    """What may happen to a version."""

    SIGN = "sign"
    WAIT = "wait"
    HOLD = "hold"
    COMPOSE = "compose"


TRANSITIONS: Mapping[tuple[State, Act], State] = MappingProxyType(
    {
        (State.DRAFT, Act.SIGN): State.SIGNED,
        (State.SIGNED, Act.WAIT): State.WAITING,
        (State.SIGNED, Act.HOLD): State.HELD,
        (State.SIGNED, Act.COMPOSE): State.COMPOSED,
        (State.WAITING, Act.WAIT): State.WAITING,
        (State.WAITING, Act.HOLD): State.HELD,
        (State.WAITING, Act.COMPOSE): State.COMPOSED,
        (State.HELD, Act.HOLD): State.HELD,
        (State.HELD, Act.COMPOSE): State.COMPOSED,
        # A later edition of the same version; one that fails its checks leaves the earlier one in place.
        (State.COMPOSED, Act.COMPOSE): State.COMPOSED,
        (State.COMPOSED, Act.HOLD): State.COMPOSED,
    }
)
"""Every allowed act; what is not listed is refused."""


class Forbidden(Exception):  # noqa: N818 - read as "raise Forbidden"
    """An act the rules do not allow. `rule` is a code; the message holds no content of the report."""

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


class Signatory(Strict):
    """The radiologist who validates, as Pro Santé Connect identified them."""

    rpps: str
    family_name: str
    given_name: str | None = None

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
    composed_at: AwareDatetime


class Finding(Strict):
    """One rule a document broke in our own checks: where and which, never the value."""

    rule: str
    path: str


class Version(Strict):
    """Version n of a report."""

    number: int
    state: State
    content: ReportContent
    signature: Signature | None = None
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
    def editions(self) -> tuple[Edition, ...]:
        """All editions of all versions, oldest first: the chain of the document."""
        return tuple(edition for version in self.versions for edition in version.editions)

    def with_current(self, version: Version, *, sequence: int | None = None) -> Self:
        """This report with its current version replaced by a later state of the same version."""
        if version.number != self.current.number:
            raise Forbidden("only_the_current_version_changes")
        changes: dict[str, object] = {"versions": (*self.versions[:-1], version)}
        if sequence is not None:
            changes["sequence"] = sequence
        return self.model_copy(update=changes)


def sign(version: Version, signature: Signature) -> Version:
    """Validate a draft. Raises Forbidden when it is not one, is incomplete, or the choices exclude each other."""
    broken = forbidden_combinations(signature.choices)
    if broken:
        raise Forbidden(broken[0])
    signed = version.after(Act.SIGN, signature=signature)
    for required in ("findings", "conclusion"):
        if not getattr(version.content, required):
            raise Forbidden(f"{required}_missing")
    return signed


def replaced_for(report: Report, audience: tuple[Audience, ...]) -> str | None:
    """uniqueId of the last edition that one of `audience` was given: what they must replace. None if none was."""
    for edition in reversed(report.editions):
        if set(audience) & set(edition.audience):
            return edition.reference.unique_id
    return None


class EditionPlan(Strict):
    """The next document to compose for a version."""

    number: int
    """versionNumber of the document: counts the editions of the whole report."""
    audience: tuple[Audience, ...]
    replaces_unique_id: str | None
    """What its receivers must replace. None when they had nothing before: the DMP refuses to replace a document
    it does not hold, and the patient never saw one."""


def plan_edition(report: Report, wanted: tuple[Audience, ...], *, qualified: bool) -> EditionPlan | None:
    """What to compose now for the current version, None when nothing is due.

    First edition: always, for whoever may receive it. Later editions: only once the identity is qualified
    and none was made with it, for those not served yet, so that nobody is sent the same version twice.
    """
    current = report.current
    remaining = tuple(party for party in wanted if party not in current.served)
    if current.editions and (
        not qualified or not remaining or any(edition.ins_qualified for edition in current.editions)
    ):
        return None
    return EditionPlan(
        number=len(report.editions) + 1,
        audience=remaining,
        replaces_unique_id=replaced_for(report, remaining),
    )
