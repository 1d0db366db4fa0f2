"""First letters of names as a person types them at reception (RIS.INS.07, RIS.INS.09, RIS.INS.10).

Accents, hyphens, apostrophes and spaces are ignored on both sides, and a name may be looked for from any of its
words: "lat" finds DE LA TOUR, "marie" finds the second given name of JEANNE MARIE.
"""

from __future__ import annotations

import unicodedata

from navette_ins.domain.errors import RuleBroken
from navette_ins.domain.traits import Traits
from navette_ins.domain.wire_names import comparison_key


def letters_of(text: str, field: str) -> str:
    """What was typed, reduced to its letters. Raises RuleBroken (rule "empty" or "character")."""
    letters = comparison_key(text).replace(" ", "")
    if not letters:
        raise RuleBroken(field, "empty")
    if not all(unicodedata.category(one).startswith(("L", "M")) for one in letters):
        raise RuleBroken(field, "character")
    return letters


def name_starts(traits: Traits) -> frozenset[str]:
    """Where a name may be looked for: the birth name and the used name, from each of their words."""
    return _starts(traits.birth_name, traits.used_name)


def given_name_starts(traits: Traits) -> frozenset[str]:
    """The same for given names: all those of birth, the first one as it was cut, the used one."""
    return _starts(traits.birth_given_names, traits.first_birth_given_name, traits.used_given_name)


def starts_with(starts: frozenset[str], letters: str) -> bool:
    """Whether one of the names begins with the letters."""
    return any(start.startswith(letters) for start in starts)


def _starts(*names: str | None) -> frozenset[str]:
    keys = (comparison_key(name).split() for name in names if name is not None)
    return frozenset("".join(words[place:]) for words in keys for place in range(len(words)))
