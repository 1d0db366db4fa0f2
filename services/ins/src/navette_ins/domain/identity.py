"""An identity and its acts. The status is computed from two facts, never set (RNIV EXI SI 07, spec/ins.md §5)."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from navette_contracts.events import IdentityAttribute, IdentityStatus
from pydantic import BaseModel, ConfigDict, model_validator

from navette_ins.domain.errors import Forbidden, RuleBroken
from navette_ins.domain.proofs import PROOFS
from navette_ins.domain.traits import Traits


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Recovery(_Part):
    """First fact: INSi answered 00 and the answer was accepted."""

    matricule: str
    """15 characters, key included, as received."""
    oid: str
    search_id: str
    at: datetime
    accepted_by: str
    """Subject of the person, or "insi-auto" when every compared trait agreed."""

    def __repr__(self) -> str:
        return "Recovery(…)"

    __str__ = __repr__


class TrustCheck(_Part):
    """Second fact: somebody held a high-trust document and the traits were coherent."""

    document_kind: str
    at: datetime
    by: str


class FormerIns(_Part):
    """A matricule the national base once gave this person."""

    matricule: str
    oid: str

    def __repr__(self) -> str:
        return "FormerIns(…)"

    __str__ = __repr__


_UNTRUSTED = frozenset({IdentityAttribute.DOUTEUSE, IdentityAttribute.FICTIVE})


def status_of(recovery: Recovery | None, check: TrustCheck | None) -> IdentityStatus:
    """The four statuses from the two facts (RIS.INS.22 to RIS.INS.25)."""
    if recovery is not None:
        return IdentityStatus.QUALIFIEE if check is not None else IdentityStatus.RECUPEREE
    return IdentityStatus.VALIDEE if check is not None else IdentityStatus.PROVISOIRE


class Identity(_Part):
    """One revision of one record. Every act returns the next one."""

    patient_id: str
    site_id: str
    revision: int
    traits: Traits
    attributes: frozenset[IdentityAttribute] = frozenset()
    recovery: Recovery | None = None
    check: TrustCheck | None = None
    former_ins: tuple[FormerIns, ...] = ()
    created_at: datetime
    updated_at: datetime

    def __repr__(self) -> str:
        return "Identity(…)"

    __str__ = __repr__

    @model_validator(mode="after")
    def _forbidden_by_construction(self) -> Self:
        if self.attributes & _UNTRUSTED and (self.recovery is not None or self.check is not None):
            raise ValueError("a doubtful or fictive identity is provisional")
        if IdentityAttribute.FICTIVE in self.attributes and len(self.attributes) > 1:
            raise ValueError("a fictive identity has no other attribute")
        if self.recovery is not None and self.traits.birth_date_completed:
            raise ValueError("a completed birth date forbids the matricule")
        return self

    @property
    def status(self) -> IdentityStatus:
        """Computed from the two facts."""
        return status_of(self.recovery, self.check)

    @property
    def strict_traits_locked(self) -> bool:
        """Whether strict traits come from INSi and may only be changed by a super-user (RIS.INS.29)."""
        return self.recovery is not None

    def searchable(self) -> None:
        """Raise Forbidden when INSi may not be asked (RIS.INS.28; spec/ins.md §2.4, §3)."""
        if self.attributes & _UNTRUSTED:
            raise Forbidden("doubtful_or_fictive")
        if self.traits.birth_date_completed:
            raise Forbidden("birth_date_completed")
        if self.traits.sex == "I":
            raise Forbidden("sex_undetermined")
        if self.recovery is not None:
            raise Forbidden("already_recovered")

    def checked(self, document_kind: str, *, by: str, at: datetime) -> Identity:
        """The identity was checked against a document. Raises RuleBroken or Forbidden.

        A document without high trust is refused: it proves nothing about the identity (RIS.INS.18 to .20).
        """
        proof = PROOFS.get(document_kind)
        if proof is None:
            raise RuleBroken("document_kind", "unknown_document")
        if not proof.high_trust:
            raise RuleBroken("document_kind", "not_high_trust")
        if self.attributes & _UNTRUSTED:
            raise Forbidden("doubtful_or_fictive")
        return self._next(at, check=TrustCheck(document_kind=document_kind, at=at, by=by))

    def recovered(self, recovery: Recovery, traits: Traits, former: tuple[FormerIns, ...], *, at: datetime) -> Identity:
        """INSi's answer accepted: its traits replace the strict ones, used names stay (EXI ID 08)."""
        self.searchable()
        return self._next(at, recovery=recovery, traits=traits, former_ins=former)

    def marked(self, attribute: IdentityAttribute, *, at: datetime) -> Identity:
        """Give an attribute. Doubtful or fictive takes the matricule and the check away (RIS.INS.27)."""
        if attribute is IdentityAttribute.OTHER:
            raise RuleBroken("attribute", "unknown_attribute")
        wanted = self.attributes | {attribute}
        if IdentityAttribute.FICTIVE in wanted and len(wanted) > 1:
            raise Forbidden("fictive_stands_alone")
        if attribute in _UNTRUSTED:
            return self._next(at, attributes=wanted, recovery=None, check=None)
        return self._next(at, attributes=wanted)

    def unmarked(self, attribute: IdentityAttribute, *, at: datetime) -> Identity:
        """Take an attribute away. The former status does not come back: recovery and check are done again."""
        if attribute not in self.attributes:
            raise Forbidden("attribute_not_set")
        return self._next(at, attributes=self.attributes - {attribute})

    def _next(self, at: datetime, **changes: object) -> Identity:
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return Identity(**(values | changes | {"revision": self.revision + 1, "updated_at": at}))
