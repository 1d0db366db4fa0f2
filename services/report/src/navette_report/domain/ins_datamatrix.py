"""Payload of the INS datamatrix, version 2.2 (spec/ins.md §8.3), and how a matricule is shown (§8.4)."""

from __future__ import annotations

from itertools import pairwise

from navette_documents.errors import InvalidValue
from navette_documents.identifiers import INS_DEMO, INS_NIA, INS_NIR, INS_TEST

from navette_report.domain.identity import PatientIdentity

_HEADER = "IS" + "01" + "0" * 22
_SEPARATOR = "\x1d"
# Block, maximum length of its value. A variable value gets a separator unless it is last or full.
_FIXED = {"S1": 15, "S5": 1, "S6": 10, "S7": 5}
_VARIABLE = {"S2": 20, "S3": 100, "S4": 100}

NATURE = {INS_NIR: "NIR", INS_NIA: "NIA", INS_TEST: "TEST", INS_DEMO: "DEMO"}


def payload(patient: PatientIdentity) -> str:
    """Text of the datamatrix. Raises InvalidValue when the identity may not have one."""
    if not patient.qualified or patient.ins is None:
        raise InvalidValue("datamatrix", "unqualified_identity")
    traits = patient.traits
    year, month, day = traits.birth_date.split("-")
    blocks = (
        ("S1", patient.ins.matricule),
        ("S2", patient.ins.oid),
        ("S3", traits.birth_given_names),
        ("S4", traits.birth_name),
        ("S5", traits.sex),
        ("S6", f"{day}-{month}-{year}"),
        ("S7", traits.birth_place_code),
    )
    parts = [_HEADER]
    for position, (block, value) in enumerate(blocks):
        if not value.isascii() or (block in _FIXED and len(value) != _FIXED[block]):
            raise InvalidValue(f"datamatrix/{block}", "format")
        limit = _VARIABLE.get(block)
        if limit is not None:
            parts.append(block + value[:limit])
            if len(value) < limit and position < len(blocks) - 1:
                parts.append(_SEPARATOR)
        else:
            parts.append(block + value)
    return "".join(parts)


def grouped(matricule: str) -> str:
    """A matricule in the usual groups, the key apart: "2 84 05 38 185 042 | 13"."""
    cuts = (0, 1, 3, 5, 7, 10, 13)
    groups = [matricule[start:end] for start, end in pairwise(cuts)]
    return " ".join(groups) + " | " + matricule[13:]
