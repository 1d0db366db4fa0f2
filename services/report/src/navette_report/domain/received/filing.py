"""May a received document be filed with this patient? (MSS/UX.07, spec/hl7v2.md §4.4, RIS.INS.46 and .47)

By itself only when the INS and every strict trait are those of a qualified identity. A person may file what carries
no INS, when the traits agree; nobody can file a document that says it is somebody else's.
"""

from __future__ import annotations

from navette_report.domain.identity import PatientIdentity
from navette_report.domain.intake.matching import differences
from navette_report.domain.received.model import Summary


def why_not(document: Summary, identity: PatientIdentity | None, *, by_person: bool) -> str | None:
    """The reason (a code of `reasons.py`) why it may not be filed with `identity`, None when it may."""
    if identity is None:
        return "patient_unknown"
    return _number_refused(document, identity, by_person=by_person) or _traits_refused(
        document, identity, by_person=by_person
    )


def _number_refused(document: Summary, identity: PatientIdentity, *, by_person: bool) -> str | None:
    if not document.matricule:
        return None if by_person else "ins_missing"
    # Only a qualified identity has an INS that may be compared; the secretary qualifies it first.
    if identity.ins is None or not identity.qualified:
        return "identity_not_qualified"
    same = (document.ins_oid, document.matricule) == (identity.ins.oid, identity.ins.matricule)
    return None if same else "ins_differs"


def _traits_refused(document: Summary, identity: PatientIdentity, *, by_person: bool) -> str | None:
    needed = [document.birth_name, document.birth_given_names, document.birth_date]
    if not by_person:
        needed += [document.first_birth_given_name, document.sex, document.birth_place_code]
    if not all(needed):
        return "traits_missing"
    # An unknown place agrees with every other one for a person; a rule does not decide on it.
    other_place = not by_person and document.birth_place_code != identity.traits.birth_place_code
    return "traits_differ" if other_place or differences(document.claim, identity.traits) else None
