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
from navette_documents.hl7v2.identity import (
    PS_AUTHORITY,
    ShownTraits,
    control_id,
    identity_fields,
    ins_authority,
    ins_cx,
    xcn,
    xon,
)
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
from navette_documents.hl7v2.writer import components, cx, repeat, segment, sub, write_message, xpn

__all__ = [
    "DELETE",
    "PS_AUTHORITY",
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
    "ShownTraits",
    "build_ack",
    "components",
    "control_id",
    "cx",
    "decode",
    "encode",
    "header_of",
    "identity_fields",
    "ins_authority",
    "ins_cx",
    "parse",
    "read_ack",
    "read_identifiers",
    "read_ins",
    "read_pid",
    "read_proofs",
    "repeat",
    "segment",
    "sub",
    "unreadable_ack",
    "word_of",
    "write_message",
    "xcn",
    "xon",
    "xpn",
]
