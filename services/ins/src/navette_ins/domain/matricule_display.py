"""A matricule on a screen where nobody needs all of it (spec/ins.md §2.10)."""

from __future__ import annotations

_GROUPS = (1, 2, 2, 2, 3, 3, 2)


def masked(matricule: str) -> str:
    """Sex, year and month of birth; the rest hidden: `2 75 12 ** *** *** **`.

    A text of another length shows nothing at all.
    """
    shown = matricule[:5] if len(matricule) == sum(_GROUPS) else ""
    hidden = shown + "*" * (sum(_GROUPS) - len(shown))
    groups, start = [], 0
    for size in _GROUPS:
        groups.append(hidden[start : start + size])
        start += size
    return " ".join(groups)
