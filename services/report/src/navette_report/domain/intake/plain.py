"""Names and headings as they are compared: whatever people write differently and mean alike is taken away."""

from __future__ import annotations

import unicodedata


def plain(text: str) -> str:
    """Capitals, no accent, one blank for each hyphen, apostrophe or run of blanks (as INS traits are compared)."""
    spelled = text.upper().replace("Œ", "OE").replace("Æ", "AE")
    letters = "".join(char for char in unicodedata.normalize("NFD", spelled) if not unicodedata.combining(char))
    return " ".join("".join(char if char.isalnum() else " " for char in letters).split())
