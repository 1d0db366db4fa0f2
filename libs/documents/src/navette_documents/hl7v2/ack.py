"""Acknowledgements: built for what was received, read from what answered (spec/hl7v2.md §6.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from navette_documents.hl7dates import PARIS
from navette_documents.hl7v2.charset import UTF8, encode
from navette_documents.hl7v2.er7 import Message, parse
from navette_documents.hl7v2.errors import Hl7Error, Location, MessageError
from navette_documents.hl7v2.escapes import escape
from navette_documents.hl7v2.writer import Fields, segment

AckCode = Literal["AA", "AE", "AR"]

_ECHOED = (3, 4, 5, 6, 11, 12)
_LONGEST = 227


@dataclass(frozen=True, slots=True)
class AckError:
    """One ERR segment: what is wrong, where, and a text without any value of the message."""

    condition: MessageError
    text: str
    location: Location | None = None
    code: str = "906"
    """applicationErrorCondition of ERR-5; 906 is "other"."""
    severity: Literal["E", "W", "I"] = "E"
    """ERR-4: error, warning (the message was taken all the same), information."""


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What an acknowledgement says."""

    code: str
    control_id: str
    conditions: tuple[str, ...]
    """ERR-3.1 of each ERR."""


def build_ack(message: Message, code: AckCode, *, own_id: str, at: datetime, errors: Sequence[AckError] = ()) -> bytes:
    """The answer to a message, in its charset and version, with one ERR per error."""
    msh = message.msh
    application, facility, own_application, own_facility, processing, version = (_echo(message, n) for n in _ECHOED)
    event = escape(message.event)
    header: Fields = {
        3: own_application,
        4: own_facility,
        5: application,
        6: facility,
        7: _moment(at),
        9: f"ACK^{event}^ACK" if event else "ACK",
        10: escape(own_id),
        11: processing or "P",
        12: version or "2.5",
        17: "FRA",
        18: message.charset,  # what was understood, and what this answer is written in
    }
    answer = [("MSH", header), ("MSA", {1: code, 2: escape(msh.value(10)[:_LONGEST])})]
    return _written([*answer, *(("ERR", _err(one)) for one in errors)], message.charset)


def unreadable_ack(*, own_id: str, at: datetime, rule: str) -> bytes:
    """The answer to bytes without a readable header: AR, nothing to refer to, ERR 199."""
    error = AckError(MessageError.OTHER, rule)
    header = {7: _moment(at), 9: "ACK", 10: escape(own_id), 11: "P", 12: "2.5", 17: "FRA", 18: UTF8}
    return _written([("MSH", header), ("MSA", {1: "AR", 2: ""}), ("ERR", _err(error))], UTF8)


def read_ack(data: bytes) -> Acknowledgement:
    """What an answer says. Raises Hl7Error when it is no acknowledgement."""
    message = parse(data)
    msa = message.require("MSA")
    code = msa.value(1).upper()
    if code not in ("AA", "AE", "AR", "CA", "CE", "CR"):
        raise Hl7Error(MessageError.TABLE_VALUE, "acknowledgement_code", msa.at(1))
    return Acknowledgement(code, msa.value(2), tuple(one.value(3) for one in message.all("ERR") if one.value(3)))


def _echo(message: Message, number: int) -> str:
    """A header field written again with the standard delimiters."""
    marks = message.msh.delimiters
    text = message.msh.raw(number)[:_LONGEST]
    if marks.component == "^" and marks.subcomponent == "&" and marks.field == "|" and marks.escape == "\\":
        return text.split(marks.repetition)[0]
    return escape(message.msh.value(number))


def _err(error: AckError) -> Fields:
    location = "" if error.location is None else str(error.location)
    return {
        2: location,
        3: f"{error.condition.code}^{error.condition.text}^messageErrorCondition",
        4: error.severity,
        5: f"{error.code}^{escape(error.text)}^applicationErrorCondition",
    }


def _written(segments: Sequence[tuple[str, Fields]], charset: str) -> bytes:
    text = "".join(segment(name, fields) + "\r" for name, fields in segments)
    try:
        return encode(text, charset)
    except UnicodeEncodeError:  # a French error text in a message whose charset is plain ASCII
        return text.encode("ascii", errors="replace")


def _moment(at: datetime) -> str:
    return at.astimezone(PARIS).strftime("%Y%m%d%H%M%S")
