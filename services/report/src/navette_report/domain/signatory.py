"""From the name a sign-on gives to the family and given names a document needs."""

from __future__ import annotations

from collections.abc import Iterable

from navette_documents.codes import DOCTOR, RADIOLOGY_SPECIALTIES

from navette_report.domain.lifecycle import Forbidden
from navette_report.domain.report import Signatory

_TITLES = frozenset({"DR", "DR.", "DOCTEUR", "PR", "PR.", "PROFESSEUR", "M", "M.", "MME", "MME."})


def specialty_of(skills: Iterable[str], *, usual: str) -> str | None:
    """The specialty (JDV_J01) of a doctor registered with these savoir-faire (TRE_R38, `SM28`).

    Among several, `usual`, else the first; None when the value set has none of them for radiology.
    """
    codes = [code for skill in skills if (code := f"G15_{DOCTOR.code}/{skill}") in RADIOLOGY_SPECIALTIES]
    return usual if usual in codes else next(iter(codes), None)


def signatory_of(rpps: str | None, name: str | None, *, specialty: str | None = None) -> Signatory:
    """The signatory that Pro Santé Connect identified.

    Trailing words in capitals are the family name ("Dominique FICTIF-DURAND"); without any, the last word is.
    Raises Forbidden when the sign-on gave no RPPS or no name: a document cannot be signed by nobody.
    """
    if rpps is None:
        raise Forbidden("rpps_missing_from_sign_on")
    words = [word for word in (name or "").split() if word.upper() not in _TITLES]
    if not words:
        raise Forbidden("name_missing_from_sign_on")
    start = len(words) - 1
    while start > 0 and words[start].isupper() and words[start - 1].isupper():
        start -= 1
    family_name, given_name = " ".join(words[start:]), " ".join(words[:start]) or None
    return Signatory(rpps=rpps, family_name=family_name, given_name=given_name, specialty=specialty)
