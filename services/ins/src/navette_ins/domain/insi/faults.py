"""What to do about a fault: decided on its codes, never on Sender or Receiver (spec/ins.md §2.7)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from navette_ins.domain.insi.reply import FaultReply


class Remedy(StrEnum):
    """Who or what ends the fault."""

    LATER = "later"
    """The teleservice recovers by itself."""
    ADMINISTRATOR = "administrator"
    """Authorisation number or certificate: no call can succeed until it is changed."""
    SECRETARY = "secretary"
    """A trait as sent is refused: somebody corrects it."""
    OPERATOR = "operator"
    """Unknown code: technical, no retry, alarm."""


_BY_DETAIL: Final[Mapping[str, Remedy]] = MappingProxyType(
    {
        "desir_550": Remedy.ADMINISTRATOR,
        "desir_560": Remedy.ADMINISTRATOR,
        "desir_1020": Remedy.LATER,
        "insi_101": Remedy.LATER,
        "insi_102": Remedy.LATER,
    }
)
_DATA_ERROR = re.compile(r"insi_\d+")


def remedy_of(fault: FaultReply) -> Remedy:
    """The remedy of a fault."""
    known = _BY_DETAIL.get(fault.detail)
    if known is not None:
        return known
    # Every other insi_nn seen refuses the format of a field; other codes are unknown to the guide.
    return Remedy.SECRETARY if _DATA_ERROR.fullmatch(fault.detail) else Remedy.OPERATOR


def worth_one_more(fault: FaultReply) -> bool:
    """Whether one immediate second call can help: the technical faults of siram_40 (spec/ins.md §4.4)."""
    return remedy_of(fault) is Remedy.LATER


def word(fault: FaultReply) -> str:
    """The fault as one word of logs and outcomes."""
    code = fault.detail or fault.subcode or "fault"
    return code if re.fullmatch(r"[A-Za-z0-9_]{1,40}", code) else "fault"
