"""An identity and its acts. The status is computed from two facts, never set (RNIV EXI SI 07, spec/ins.md §5)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Self

from navette_contracts.events import IdentityAttribute, IdentityStatus
from pydantic import model_validator

from navette_ins.domain.errors import Forbidden, RuleBroken
from navette_ins.domain.facts import FormerIns, Part, ProofSeen, Recovery, TrustCheck, status_of
from navette_ins.domain.proofs import PROOFS, Proof
from navette_ins.domain.traits import STRICT_TRAITS, Traits

__all__ = ["FormerIns", "Identity", "Recovery", "TrustCheck", "status_of"]

UNTRUSTED = frozenset({IdentityAttribute.DOUTEUSE, IdentityAttribute.FICTIVE})
"""A record that may be of nobody, or of two people."""

_NO_INS: dict[str, Any] = {"recovery": None, "former_ins": ()}


class Identity(Part):
    """One revision of one record. Every act returns the next one."""

    patient_id: str
    site_id: str
    revision: int
    traits: Traits
    attributes: frozenset[IdentityAttribute] = frozenset()
    recovery: Recovery | None = None
    check: TrustCheck | None = None
    proof: ProofSeen | None = None
    """The last document shown, whatever it proves."""
    former_ins: tuple[FormerIns, ...] = ()
    merged_into: str | None = None
    """The record this one was found to be a duplicate of: it is closed and carries no fact any more."""
    created_at: datetime
    updated_at: datetime

    def __repr__(self) -> str:
        return "Identity(…)"

    __str__ = __repr__

    @model_validator(mode="after")
    def _forbidden_by_construction(self) -> Self:
        has_fact = self.recovery is not None or self.check is not None
        if self.attributes & UNTRUSTED and has_fact:
            raise ValueError("a doubtful or fictive identity is provisional")
        if IdentityAttribute.FICTIVE in self.attributes and len(self.attributes) > 1:
            raise ValueError("a fictive identity has no other attribute")
        if self.recovery is not None and self.traits.birth_date_completed:
            raise ValueError("a completed birth date forbids the matricule")
        if self.recovery is not None and not (self.recovery.matricule and self.recovery.oid):
            raise ValueError("a matricule has its OID, and an OID its matricule")
        if self.recovery is None and self.former_ins:
            raise ValueError("a history of numbers belongs to a present one")
        if self.merged_into is not None and has_fact:
            raise ValueError("a merged record carries no fact")
        return self

    @property
    def status(self) -> IdentityStatus:
        """Computed from the two facts."""
        return status_of(self.recovery, self.check)

    @property
    def strict_traits_locked(self) -> bool:
        """Whether strict traits come from INSi and may only be changed by a super-user (RIS.INS.29)."""
        return self.recovery is not None

    @property
    def untrusted(self) -> bool:
        """Whether it is doubtful or fictive."""
        return bool(self.attributes & UNTRUSTED)

    def active(self) -> None:
        """Raise Forbidden for a record that was merged into another."""
        if self.merged_into is not None:
            raise Forbidden("merged")

    def searchable(self, *, again: bool = False) -> None:
        """Raise Forbidden when INSi may not be asked (RIS.INS.28; spec/ins.md §2.4, §3).

        `again`: somebody wants to know whether INSi still says the same of a recovered identity.
        """
        self.active()
        if self.untrusted:
            raise Forbidden("doubtful_or_fictive")
        if self.traits.birth_date_completed:
            raise Forbidden("birth_date_completed")
        if self.traits.sex == "I":
            raise Forbidden("sex_undetermined")
        if self.recovery is not None and not again:
            raise Forbidden("already_recovered")

    def takes_app_reading(self) -> None:
        """Raise Forbidden when the Appli carte Vitale may say nothing of this record (spec/ins.md §5.5)."""
        self.active()
        if self.untrusted:
            raise Forbidden("doubtful_or_fictive")
        if self.traits.birth_date_completed:
            raise Forbidden("birth_date_completed")

    def shown(self, proof: Proof, *, by: str, at: datetime, expires_on: date | None = None) -> Identity:
        """A document was shown; what it proves is another act (RIS.INS.18)."""
        self.active()
        seen = ProofSeen(
            document_kind=proof.code, high_trust=proof.high_trust, at=at, by=by, document_expires_on=expires_on
        )
        return self.next(at, proof=seen)

    def checked(
        self,
        document_kind: str,
        *,
        by: str,
        at: datetime,
        proof: Proof | None = None,
        expires_on: date | None = None,
    ) -> Identity:
        """The identity was checked against a document. Raises RuleBroken or Forbidden.

        `proof` is the site's own word on that kind of document. A document without high trust is refused: it proves
        nothing about the identity (RIS.INS.18 to .20).
        """
        self.active()
        proof = proof or PROOFS.get(document_kind)
        if proof is None:
            raise RuleBroken("document_kind", "unknown_document")
        if not proof.high_trust:
            raise RuleBroken("document_kind", "not_high_trust")
        if self.untrusted:
            raise Forbidden("doubtful_or_fictive")
        check = TrustCheck(document_kind=proof.code, at=at, by=by, document_expires_on=expires_on)
        return self.shown(proof, by=by, at=at, expires_on=expires_on)._same_step(check=check)

    def recovered(self, recovery: Recovery, traits: Traits, former: tuple[FormerIns, ...], *, at: datetime) -> Identity:
        """INSi's answer accepted: its traits replace the strict ones, used names stay (EXI ID 08)."""
        self.searchable()
        return self.next(at, recovery=recovery, traits=traits, former_ins=former)

    def recovered_again(
        self,
        recovery: Recovery,
        traits: Traits,
        former: tuple[FormerIns, ...],
        *,
        at: datetime,
        renewed: TrustCheck | None = None,
    ) -> Identity:
        """INSi gave this person other traits, or another number, than the record holds.

        Another number goes before the old ones and leaves the check as it is: the base corrected itself. Other traits
        under the same number need a check of their own; without it the former one, which was of other traits, is gone.
        """
        self.active()
        held = self.recovery
        if held is None:
            raise Forbidden("not_recovered")
        if held.ins != recovery.ins:
            past = tuple(one for one in (held.ins, *self.former_ins) if one not in former and one != recovery.ins)
            return self.next(
                at, recovery=recovery, traits=traits, former_ins=(*former, *past), check=renewed or self.check
            )
        same = all(getattr(self.traits, name) == getattr(traits, name) for name in STRICT_TRAITS)
        check = renewed or (self.check if same else None)
        return self.next(at, recovery=recovery, traits=traits, former_ins=former, check=check)

    def identified_by_app(
        self, recovery: Recovery, traits: Traits, former: tuple[FormerIns, ...], *, by: str, at: datetime
    ) -> Identity:
        """The Appli carte Vitale is both facts at once (spec/ins.md §2.5). Raises Forbidden for a doubtful identity."""
        self.takes_app_reading()
        check = TrustCheck(document_kind="AV", at=at, by=by)
        held = () if self.recovery is None else (self.recovery.ins, *self.former_ins)
        past = tuple(one for one in held if one not in former and one != recovery.ins)
        return self.next(at, recovery=recovery, traits=traits, former_ins=(*former, *past), check=check)

    def check_withdrawn(self, *, at: datetime) -> Identity:
        """The check was of another document or another person: that fact is gone, the INS stays home."""
        self.active()
        if self.check is None:
            raise Forbidden("not_checked")
        return self.next(at, check=None, proof=None)

    def without_ins(self, *, at: datetime) -> Identity:
        """The INS is another person's, or INSi does not confirm it: it goes, and its history with it."""
        self.active()
        if self.recovery is None:
            raise Forbidden("not_recovered")
        return self.next(at, **_NO_INS)

    def edited(self, traits: Traits, *, check_holds: bool, at: datetime) -> Identity:
        """Other traits by hand (RIS.INS.29 to .36): a strict one takes the INS away, and a check that holds no more."""
        self.active()
        if traits == self.traits:
            raise Forbidden("nothing_changes")
        if not self.changes_strict(traits):
            return self.next(at, traits=traits)
        facts: dict[str, Any] = {} if check_holds else {"check": None, "proof": None}
        return self.next(at, traits=traits, **facts, **_NO_INS)

    def changes_strict(self, traits: Traits) -> bool:
        """Whether these traits differ in a strict one."""
        return any(getattr(self.traits, name) != getattr(traits, name) for name in STRICT_TRAITS)

    def marked(self, attribute: IdentityAttribute, *, at: datetime) -> Identity:
        """Give an attribute. Doubtful or fictive takes the matricule and the check away (RIS.INS.27)."""
        self.active()
        if attribute is IdentityAttribute.OTHER:
            raise RuleBroken("attribute", "unknown_attribute")
        wanted = self.attributes | {attribute}
        if IdentityAttribute.FICTIVE in wanted and len(wanted) > 1:
            raise Forbidden("fictive_stands_alone")
        if attribute in UNTRUSTED:
            return self.next(at, attributes=wanted, check=None, proof=None, **_NO_INS)
        return self.next(at, attributes=wanted)

    def unmarked(self, attribute: IdentityAttribute, *, at: datetime) -> Identity:
        """Take an attribute away. The former status does not come back: recovery and check are done again."""
        self.active()
        if attribute not in self.attributes:
            raise Forbidden("attribute_not_set")
        return self.next(at, attributes=self.attributes - {attribute})

    def next(self, at: datetime, **changes: object) -> Identity:
        """The next revision with these changes; whatever they are, the rules of construction hold."""
        return self._with(changes | {"revision": self.revision + 1, "updated_at": at})

    def _same_step(self, **changes: object) -> Identity:
        return self._with(changes)

    def _with(self, changes: dict[str, object]) -> Identity:
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return Identity(**(values | changes))
