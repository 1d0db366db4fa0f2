"""French typography of plain text: spaces, quotes, apostrophes. Words and figures are never changed."""

from __future__ import annotations

import re

NBSP = "\u00a0"
NARROW = "\u202f"

_UNITS = r"(?:mm|cm|m|ml|mL|L|mg|g|kg|µg|mGy(?:\.cm)?|Gy|mSv|UH|ans|an|mois|jours?|semaines?|h|min|s|T|%|°C?)"

_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?<=\w)'(?=\w)"), "’"),
    (re.compile(r'(?<![\w"])"(?=\S)([^"\n]*?\S)"(?![\w"])'), f"«{NBSP}\\1{NBSP}»"),
    (re.compile(r"«\s*"), f"«{NBSP}"),
    (re.compile(r"\s*»"), f"{NBSP}»"),
    (re.compile(r"(?<=\S) +([;!?])(?=\s|$)", re.M), f"{NARROW}\\1"),
    (re.compile(r"(?<=[\w)\]])([;!?])(?=\s|$)", re.M), f"{NARROW}\\1"),
    (re.compile(r"(?<=\S) +:(?=\s|$)", re.M), f"{NBSP}:"),
    (re.compile(r"(?<=[^\W\d])\:(?=[ \n]|$)", re.M), f"{NBSP}:"),
    (re.compile(rf"(?<=\d) (?={_UNITS}(?!\w))"), NBSP),
    (re.compile(r"\b(n°|N°|Dr|Pr|M\.|Mme|p\.) "), f"\\1{NBSP}"),
)


def french(text: str) -> str:
    """`text` with the spaces, quotes and apostrophes French print wants."""
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text


def blocks(text: str) -> list[dict[str, object]]:
    """Paragraphs and lists of a prose: `{"kind": "p", "lines": […]}` or `{"kind": "list", "items": […]}`.

    An empty line separates paragraphs; lines that open with "-" or "•" and a space are the items of a list.
    """
    found: list[dict[str, object]] = []
    paragraph: list[str] = []
    items: list[str] = []

    def close() -> None:
        if paragraph:
            found.append({"kind": "p", "lines": paragraph.copy()})
            paragraph.clear()
        if items:
            found.append({"kind": "list", "items": items.copy()})
            items.clear()

    for line in french(text).split("\n"):
        stripped = line.strip()
        if not stripped:
            close()
        elif stripped[:2] in ("- ", "• ", "– "):
            if paragraph:
                close()
            items.append(stripped[2:].strip())
        else:
            if items:
                close()
            paragraph.append(stripped)
    close()
    return found
