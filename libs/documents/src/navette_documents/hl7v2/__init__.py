"""HL7 v2 in ER7, lossless: what was received can be written again byte for byte (spec/hl7v2.md §2, §9).

`parse` reads, `Message` gives access by index, `write_message` writes, `build_ack` answers, `read_pid` types the
segments of an identity.
"""

from __future__ import annotations

from navette_documents.hl7v2.ack import AckCode, AckError, Acknowledgement, build_ack, read_ack, unreadable_ack
from navette_documents.hl7v2.charset import decode, encode
from navette_documents.hl7v2.er7 import Limits, Message, Repetition, Segment, parse
from navette_documents.hl7v2.errors import Hl7Error, Location, MessageError
from navette_documents.hl7v2.header import header_of, word_of
from navette_documents.hl7v2.pid import (
    DELETE,
    InsClaim,
    PatientId,
    PersonName,
    PidRecord,
    Proofs,
    read_identifiers,
    read_ins,
    read_pid,
    read_proofs,
)
from navette_documents.hl7v2.writer import cx, repeat, sub, write_message, xpn

__all__ = [
    "DELETE",
    "AckCode",
    "AckError",
    "Acknowledgement",
    "Hl7Error",
    "InsClaim",
    "Limits",
    "Location",
    "Message",
    "MessageError",
    "PatientId",
    "PersonName",
    "PidRecord",
    "Proofs",
    "Repetition",
    "Segment",
    "build_ack",
    "cx",
    "decode",
    "encode",
    "header_of",
    "parse",
    "read_ack",
    "read_identifiers",
    "read_ins",
    "read_pid",
    "read_proofs",
    "repeat",
    "sub",
    "unreadable_ack",
    "word_of",
    "write_message",
    "xpn",
]
