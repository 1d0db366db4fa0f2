"""Where a message is wrong and which rule it breaks (ERR-2 and table 0357, spec/hl7v2.md §6.1)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class MessageError(Enum):
    """Table 0357, messageErrorCondition: code and text of ERR-3."""

    SEGMENT_SEQUENCE = ("100", "Segment sequence error")
    REQUIRED_FIELD = ("101", "Required field missing")
    DATA_TYPE = ("102", "Data type error")
    TABLE_VALUE = ("103", "Table value not found")
    CARDINALITY = ("198", "Non-conformant cardinality")
    OTHER = ("199", "Other HL7 Error")
    MESSAGE_TYPE = ("200", "Unsupported message type")
    EVENT_CODE = ("201", "Unsupported event code")
    PROCESSING = ("202", "Unsupported processing")
    VERSION = ("203", "Unsupported version")
    APPLICATION = ("207", "Application error")

    @property
    def code(self) -> str:
        """ERR-3.1."""
        return self.value[0]

    @property
    def text(self) -> str:
        """ERR-3.2."""
        return self.value[1]


@dataclass(frozen=True, slots=True)
class Location:
    """ERR-2: segment, which one of its kind, field, repetition, component; positions count from 1."""

    segment: str
    sequence: int = 1
    field: int | None = None
    repetition: int | None = None
    component: int | None = None

    def __str__(self) -> str:
        parts = (self.sequence, self.field, self.repetition, self.component)
        known = [str(part) for part in parts if part is not None]
        return "^".join([self.segment, *known])


class Hl7Error(ValueError):
    """A message cannot be taken. Its text names position and rule, never a value of the message."""

    def __init__(self, condition: MessageError, rule: str, location: Location | None = None) -> None:
        super().__init__(f"{location or 'message'}: {rule}")
        self.condition = condition
        self.rule = rule
        self.location = location
