"""What a card reader says of a carte Vitale, and the search it opens (spec/ins.md §2.5).

The card only opens the door: the reply is the INS of the national base, never the card's content.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from lxml import etree
from navette_documents.xml import XmlRefused, parse_xml
from pydantic import BaseModel, ConfigDict

from navette_ins.domain.errors import RuleBroken
from navette_ins.domain.insi.names import SAML
from navette_ins.domain.wire_names import to_wire

CARD_READING_LASTS = timedelta(minutes=20)
"""Acceptance test 1.02 waits this long and expects a new assertion or an error."""
MAX_ASSERTION_BYTES = 20_000

_NUMBER = re.compile(r"\d{6}[AB0-9]\d{6}", re.ASCII)
_LUNAR_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class _Card(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"

    __str__ = __repr__


class Beneficiary(_Card):
    """One person of the card."""

    own_number: str | None = None
    """13 characters, only when the card holds the beneficiary's own NIR."""
    birth_name: str | None = None
    birth_date: str
    """YYYY-MM-DD, possibly a date of no calendar."""
    birth_rank: str = "1"
    """Twin rank, one digit."""
    bearer: str | None = None
    """Porteur, one digit."""


class CardReading(_Card):
    """One reading of one card."""

    read_at: datetime
    insured_number: str
    """13 characters of the *ouvrant droit*."""
    insured_birth_name: str | None = None
    beneficiaries: tuple[Beneficiary, ...]
    assertion: str | None = None
    """SAML assertion that the reader built from the card, as XML."""


@dataclass(frozen=True, slots=True)
class CardQuery:
    """A beneficiary on the wire."""

    insured_number: str
    own_number: str | None
    birth_name: str
    birth_date: str
    birth_rank: str
    bearer: str | None

    def __repr__(self) -> str:
        return "CardQuery(…)"


def picked(reading: CardReading, beneficiary: int | None) -> Beneficiary:
    """The beneficiary to search for; with several on the card, the one the person at the desk picked.

    Raises RuleBroken (field "beneficiary", rule "choose" or "unknown_beneficiary").
    """
    if not reading.beneficiaries:
        raise RuleBroken("beneficiary", "unknown_beneficiary")
    if beneficiary is None:
        if len(reading.beneficiaries) > 1:
            raise RuleBroken("beneficiary", "choose_beneficiary")
        return reading.beneficiaries[0]
    if not 0 <= beneficiary < len(reading.beneficiaries):
        raise RuleBroken("beneficiary", "unknown_beneficiary")
    return reading.beneficiaries[beneficiary]


def card_query(reading: CardReading, one: Beneficiary) -> CardQuery:
    """The search of a beneficiary. Raises RuleBroken naming the field of the reading."""
    for field, value in (("insured_number", reading.insured_number), ("own_number", one.own_number)):
        if value is not None and not _NUMBER.fullmatch(value):
            raise RuleBroken(field, "card_number")
    if not _LUNAR_DATE.fullmatch(one.birth_date):
        raise RuleBroken("birth_date", "format")
    for field, value in (("birth_rank", one.birth_rank), ("bearer", one.bearer)):
        if value is not None and not re.fullmatch(r"[0-9]", value):
            raise RuleBroken(field, "one_digit")
    name = one.birth_name or reading.insured_birth_name
    if name is None:
        raise RuleBroken("birth_name", "empty")
    return CardQuery(
        insured_number=reading.insured_number,
        own_number=one.own_number,
        birth_name=to_wire(name, "birth_name"),
        birth_date=one.birth_date,
        birth_rank=one.birth_rank,
        bearer=one.bearer,
    )


def check_reading(reading: CardReading, *, at: datetime, assertion_required: bool) -> None:
    """Raise RuleBroken for a reading too old, in the future, or without the assertion INSi wants."""
    if reading.read_at > at + timedelta(minutes=1):
        raise RuleBroken("read_at", "future_reading")
    if at - reading.read_at >= CARD_READING_LASTS:
        raise RuleBroken("read_at", "old_reading")
    if reading.assertion is not None:
        card_assertion(reading.assertion)
    elif assertion_required:
        raise RuleBroken("assertion", "card_assertion_missing")


def card_assertion(text: str) -> etree._Element:
    """The assertion of the card as an element, signature untouched. Raises RuleBroken."""
    try:
        root = parse_xml(text.encode(), max_bytes=MAX_ASSERTION_BYTES)
    except XmlRefused as refused:
        raise RuleBroken("assertion", "card_assertion") from refused
    if root.tag != f"{{{SAML}}}Assertion" or root.get("Version") != "2.0":
        raise RuleBroken("assertion", "card_assertion")
    return root
