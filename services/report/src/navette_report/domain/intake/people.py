"""Professionals of a message: national numbers are normalised, local ones looked up (spec/hl7v2.md §2.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from navette_contracts.events import RecipientRole
from navette_documents.hl7v2 import Message, Repetition, Segment
from navette_documents.identifiers import is_valid_rpps, rpps_of_ps_idnat
from pydantic import ValidationError

from navette_report.domain.content import Correspondent
from navette_report.domain.intake.claims import AuthorClaim

_NOBODY = AuthorClaim("", "", "")
_TXA_AUTHORS = (9, 5, 22)
"""Originator, who did it, who authenticated it."""


def author_of(message: Message, professionals: Mapping[str, str]) -> AuthorClaim:
    """Who wrote the report: OBR-32, else TXA, else the sender of the document (PRT SB)."""
    obr, txa = message.get("OBR"), message.get("TXA")
    if obr is not None and not obr.first(32).empty:
        # NDL: its first component is a person whose parts are subcomponents. XCN is met as well.
        ndl = obr.first(32)
        parts = [ndl.sub(1, number) for number in (1, 2, 3)]
        if not any(parts[1:]):
            parts = [ndl.component(number) for number in (1, 2, 3)]
        return _claim(parts, professionals)
    candidates = [txa.first(number) for number in _TXA_AUTHORS] if txa is not None else []
    candidates += [prt.first(5) for prt in message.all("PRT") if prt.first(4).component(1) == "SB"]
    claims = [_of_xcn(one, professionals) for one in candidates if not one.empty]
    return next((one for one in claims if one.rpps), claims[0] if claims else _NOBODY)


def correspondents_of(
    message: Message, professionals: Mapping[str, str]
) -> tuple[tuple[Correspondent, ...], tuple[str, ...]]:
    """The requester (OBR-16, ORC-12) and the copies (OBR-28), with remarks about those without a national number
    or with a name that cannot be printed.
    """
    obr, orc = message.get("OBR"), message.get("ORC")
    asked = _people(obr, 16) or _people(orc, 12)
    found: dict[str, Correspondent] = {}
    remarks: list[str] = []
    for people, role, who in (
        (asked[:1], RecipientRole.REQUESTER, "requester"),
        (_people(obr, 28), RecipientRole.COPY, "copy"),
    ):
        for one in people:
            rpps = rpps_in(one.component(1), professionals)
            family, given = one.component(2).strip(), one.component(3).strip()
            if not rpps or not family:
                remarks.append(f"{who}_without_rpps")
            elif rpps not in found:
                try:
                    found[rpps] = Correspondent(
                        recipient_id=f"rpps-{rpps}", role=role, family_name=family, given_name=given or None, rpps=rpps
                    )
                except ValidationError:  # too long, or with a character that no document can print
                    remarks.append(f"{who}_name_refused")
    return tuple(found.values()), tuple(dict.fromkeys(remarks))


def rpps_in(number: str, professionals: Mapping[str, str]) -> str:
    """The RPPS of a number as a message writes it, "" when it is none: 11 digits, 8 + RPPS, or a known local number."""
    number = number.strip()
    if number in professionals:
        return professionals[number]
    return rpps_of_ps_idnat(number) or (number if is_valid_rpps(number) else "")


def _people(segment: Segment | None, field: int) -> list[Repetition]:
    return [] if segment is None else segment.repetitions(field)


def _of_xcn(one: Repetition, professionals: Mapping[str, str]) -> AuthorClaim:
    return _claim([one.component(number) for number in (1, 2, 3)], professionals)


def _claim(parts: Sequence[str], professionals: Mapping[str, str]) -> AuthorClaim:
    number, family, given = (part.strip() for part in parts)
    rpps = rpps_in(number, professionals)
    return AuthorClaim(rpps, "" if rpps else number, " ".join(filter(None, (given, family))))
