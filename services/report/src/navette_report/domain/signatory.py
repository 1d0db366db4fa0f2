"""From the name a sign-on gives to the family and given names a document needs."""

from __future__ import annotations

from navette_report.domain.lifecycle import Forbidden
from navette_report.domain.report import Signatory

_TITLES = frozenset({"DR", "DR.", "DOCTEUR", "PR", "PR.", "PROFESSEUR", "M", "M.", "MME", "MME."})


def signatory_of(rpps: str | None, name: str | None) -> Signatory:
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
    return Signatory(rpps=rpps, family_name=" ".join(words[start:]), given_name=" ".join(words[:start]) or None)
