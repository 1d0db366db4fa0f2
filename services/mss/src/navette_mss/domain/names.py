"""Names in subjects and file names (spec/mss.md §3.1, §4.1)."""

from __future__ import annotations

import re
import unicodedata

from navette_documents.cda_model import CdaHeader, PatientHeader

LABEL_LENGTH = 40
SUBJECT_PREFIX = "XDM/1.0/DDM+"
REPLACEMENT = "Annule et remplace"
WITHDRAWAL = "Retrait d'un compte rendu d'imagerie"

_LETTERS = str.maketrans(
    {"Æ": "AE", "æ": "ae", "Œ": "OE", "œ": "oe", "ß": "ss", "Ø": "O", "ø": "o", "Ł": "L", "ł": "l", "Đ": "D", "đ": "d"}
)
_APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "‑": "-", "–": "-"})
_FORBIDDEN_IN_FILES = re.compile(r'[\\/:*?"<>|\x00-\x1f]')


def without_accents(text: str) -> str:
    """`text` in unaccented letters; apostrophes and hyphens become their ASCII forms, blanks single."""
    plain = unicodedata.normalize("NFD", text.translate(_LETTERS).translate(_APOSTROPHES))
    return " ".join("".join(c for c in plain if not unicodedata.combining(c)).split())


def withdrawal_subject(header: CdaHeader) -> str:
    """Subject of a notice of withdrawal. No XDM prefix: receivers route on it, and there is no archive."""
    return " ".join(word for word in (WITHDRAWAL, *_who(header)) if word)


def subject(header: CdaHeader, *, replaces: bool) -> str:
    """Subject of the mail that carries one CDA; receivers route on its beginning."""
    words = [" ".join(header.code.display.split())[:LABEL_LENGTH].strip()]
    if replaces:
        words.append(REPLACEMENT)
    words += _who(header)
    return SUBJECT_PREFIX + " ".join(word for word in words if word)


def _who(header: CdaHeader) -> list[str]:
    patient = header.patient
    names = [without_accents(patient.birth_name).upper(), without_accents(first_given_name(patient))]
    return [*names, _french_date(patient.birth_date)]


def pdf_name(header: CdaHeader) -> str:
    """`<date of the act>_<type>_<NAME>_<given name>.pdf`, safe on every file system."""
    start = header.acts[0].start if header.acts and header.acts[0].start else header.effective_time
    patient = header.patient
    parts = (
        start[:8],
        header.code.display,
        without_accents(patient.birth_name).upper(),
        without_accents(first_given_name(patient)).upper(),
    )
    return _FORBIDDEN_IN_FILES.sub(" ", "_".join(parts)) + ".pdf"


def first_given_name(patient: PatientHeader) -> str:
    """First birth given name, the beginning of the list when the header does not single it out."""
    return patient.first_birth_given_name or patient.birth_given_names.split(" ")[0]


def _french_date(hl7: str) -> str:
    """`JJ/MM/AAAA` of yyyymmdd; empty when day or month are unknown: the rule leaves the date out then."""
    if not re.fullmatch(r"\d{8}", hl7) or hl7[4:6] == "00" or hl7[6:8] == "00":
        return ""
    return f"{hl7[6:8]}/{hl7[4:6]}/{hl7[:4]}"
