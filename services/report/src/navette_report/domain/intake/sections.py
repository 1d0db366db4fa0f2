"""A text written in one piece, cut at its headings into the fields of a report. No line is lost."""

from __future__ import annotations

from collections.abc import Mapping

from navette_report.domain.intake.plain import plain

_HEADINGS = {
    "indication": ("INDICATION", "INDICATIONS", "MOTIF", "RENSEIGNEMENTS CLINIQUES"),
    "medical_history": ("ANTECEDENTS", "ANTECEDENTS MEDICAUX"),
    "technique": ("TECHNIQUE", "PROTOCOLE", "TECHNIQUE D EXAMEN"),
    "comparison": ("COMPARAISON", "COMPARATIF", "EXAMEN ANTERIEUR", "EXAMENS ANTERIEURS"),
    "findings": ("RESULTAT", "RESULTATS", "DESCRIPTION", "CONSTATATIONS", "ANALYSE"),
    "conclusion": ("CONCLUSION", "CONCLUSIONS", "SYNTHESE", "IMPRESSION", "AU TOTAL"),
}
_FIELD_OF = {heading: field for field, headings in _HEADINGS.items() for heading in headings}
_TITLE = frozenset({"COMPTE RENDU", "COMPTE RENDU D EXAMEN", "COMPTE RENDU D IMAGERIE", "COMPTE RENDU RADIOLOGIQUE"})
_LONGEST_HEADING = 40


def cut(text: str) -> Mapping[str, str]:
    """Texts by field of `ReportContent`. What stands under no heading is findings.

    A heading stands at the start of a line, before a colon, or alone on its line in capitals.
    """
    found: dict[str, list[str]] = {}
    field = "findings"
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        heading, rest = _heading(line)
        if heading is not None:
            field, line = heading, rest  # noqa: PLW2901 - what follows the heading is what is left of the line
            if not line:
                found.setdefault(field, [])
                continue
        found.setdefault(field, []).append(line.rstrip())
    lines = {name: _without_title(parts) if name == "findings" else parts for name, parts in found.items()}
    return {name: joined for name, parts in lines.items() if (joined := "\n".join(parts).strip())}


def _heading(line: str) -> tuple[str | None, str]:
    head, colon, rest = line.partition(":")
    words = head.strip()
    if len(words) > _LONGEST_HEADING or (not colon and words != words.upper()):
        return None, line
    return _FIELD_OF.get(plain(words)), rest.strip()


def _without_title(parts: list[str]) -> list[str]:
    return [line for line in parts if plain(line) not in _TITLE]
