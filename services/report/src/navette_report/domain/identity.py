"""The identity of a patient as this service knows it: a projection of `patient.identified`.

Only a qualified identity may carry its matricule into a document (RIS.INS.37, DESIGN §2).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from navette_contracts.events import IdentityAttribute, IdentityStatus, Ins, Traits

# RNIV: an identity marked doubtful or fictitious is never used with its INS, whatever its status says.
_DISQUALIFYING = frozenset({IdentityAttribute.DOUTEUSE, IdentityAttribute.FICTIVE})


class IdentityGap(StrEnum):
    """Why a report cannot be composed for its patient."""

    UNKNOWN = "identity_unknown"
    MERGED = "identity_merged"
    ELSEWHERE = "identity_of_another_entity"


@dataclass(frozen=True, slots=True, repr=False)
class PatientIdentity:
    """Revision n of an identity, opened for the time of one composition or one page."""

    patient_id: str
    site_id: str
    """Where the person was identified; its IPP is one of that site."""
    revision: int
    status: IdentityStatus
    attributes: tuple[IdentityAttribute, ...]
    traits: Traits
    ins: Ins | None

    @property
    def qualified(self) -> bool:
        """Whether the matricule may appear in what leaves."""
        return (
            self.status is IdentityStatus.QUALIFIEE
            and self.ins is not None
            and _DISQUALIFYING.isdisjoint(self.attributes)
        )

    def for_documents(self) -> PatientIdentity:
        """The same identity as documents may show it: without INS unless qualified."""
        if self.qualified:
            return self
        return replace(self, ins=None)

    def __repr__(self) -> str:
        return f"PatientIdentity(revision={self.revision})"


MAJORITY = 18


def is_minor(birth_date: str, on: date) -> bool:
    """Whether somebody born on that day ("YYYY-MM-DD") is not 18 yet."""
    year, month, day = (int(part) for part in birth_date.split("-"))
    return (on.year - year - ((on.month, on.day) < (month, day))) < MAJORITY


def is_newer(known_revision: int | None, revision: int) -> bool:
    """Whether a revision replaces what is known; late and repeated ones do not."""
    return known_revision is None or revision > known_revision
