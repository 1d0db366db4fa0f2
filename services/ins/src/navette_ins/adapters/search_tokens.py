"""Blind tokens by which sealed identities are found: equality on an index, no trait in clear, no scan.

Each token is HMAC-SHA-256 (96 bits kept) of one criterion under a key derived for this purpose, so that tokens of
different criteria never coincide and nothing can be computed from them without the key. Equal criteria have equal
tokens: who holds the database and no key learns how many records share a birth date, not which date.

Arithmetic. A record has one token per date, matricule and IPP, and two per place where a name can begin (its first
letter, its first three letters): about 14. 100,000 records are 1.4 million index entries, 5,000,000 are 70 million,
some 3 GB of index at 40 bytes each. A date of birth is shared by 5,000,000 / 36,500 = 137 records on average and by a
few thousand on 1 January of the years when civil registers were rebuilt; three letters divide that by about 200. So a
search reads some hundred records at most, whatever the size of the base, and never more than CANDIDATES.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Collection
from typing import Any

from navette_ins.domain.identity import Identity
from navette_ins.domain.name_starts import given_name_starts, name_starts
from navette_ins.domain.prior_search import Criterion, PriorSearch, matricules_of
from navette_ins.domain.traits import Traits

SEARCH = "search"
"""Field with the tokens of a record."""
SEARCH_VERSION = "search_version"
"""Field that says by which rules they were made."""
VERSION = 1
"""Raise it when a rule changes; `python -m navette_ins reindex` then renews the rows."""
CANDIDATES = 500
"""Records a search opens at most; more is told as too many."""

_LONG = 3
_BYTES = 12


class SearchTokens:
    """Makes tokens; `key` is used for nothing else."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, identity: Identity) -> list[str]:
        """All tokens of a record, sorted."""
        traits = identity.traits
        dates = {traits.birth_date, traits.birth_date_on_document} - {None}
        tokens = {self._token("matricule", one) for one in matricules_of(identity)}
        if traits.local_id is not None:
            tokens.add(self._token("local_id", traits.local_id))
        for date in dates:
            tokens.add(self._token("date", str(date)))
            for kind, starts in (("name", name_starts(traits)), ("given", given_name_starts(traits))):
                for start in starts:
                    tokens.add(self._token(kind, str(date), start[:1]))
                    if len(start) >= _LONG:
                        tokens.add(self._token(kind, str(date), start[:_LONG]))
        return sorted(tokens)

    def local_id(self, local_id: str) -> str:
        """The token of an IPP."""
        return self._token("local_id", local_id)

    def matricule(self, matricule: str) -> str:
        """The token of a matricule, present or former."""
        return self._token("matricule", matricule)

    def born(self, date: str) -> str:
        """The token of a birth date."""
        return self._token("date", date)

    def alike(self, date: str, traits: Traits) -> list[str]:
        """Tokens of people of that birth date of whom some name begins like one of these, in three letters."""
        kinds = (("name", name_starts(traits)), ("given", given_name_starts(traits)))
        starts = {(kind, start[:_LONG]) for kind, every in kinds for start in every if len(start) >= _LONG}
        return sorted(self._token(kind, date, start) for kind, start in starts)

    def asked(self, search: PriorSearch) -> str:
        """The one token to look for: the most selective criterion of the search; the rest is filtered in memory."""
        if search.criterion is not Criterion.BIRTH_DATE:
            return self._token(search.criterion.value, search.value)
        typed = [(kind, letters) for kind, letters in (("name", search.name), ("given", search.given_name)) if letters]
        if not typed:
            return self._token("date", search.value)
        # The first of equals: a birth name divides more than a given name.
        kind, letters = max(typed, key=lambda one: len(one[1]) >= _LONG)
        return self._token(kind, search.value, letters[: _LONG if len(letters) >= _LONG else 1])

    def _token(self, domain: str, *parts: str) -> str:
        # No criterion holds the separator: two of them never read as one.
        message = "\x1f".join((domain, *parts)).encode()
        digest = hmac.new(self._key, message, hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest[:_BYTES]).decode()


def candidates_query(token: str, sites: Collection[str] | None) -> dict[str, Any]:
    """Rows with that token, of these sites (None: all): equality on the index (search, site_id)."""
    return {SEARCH: token} if sites is None else {SEARCH: token, "site_id": {"$in": sorted(sites)}}
