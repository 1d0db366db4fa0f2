"""What a refusal of a platform means: who can change it (spec/hl7v2.md §6.1 to §6.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from navette_contracts.events import WhoMustAct

_WORD = re.compile(r"[A-Za-z0-9_-]{1,40}")

_CONDITIONS: Mapping[str, WhoMustAct] = {
    "200": WhoMustAct.ADMINISTRATOR,
    "201": WhoMustAct.ADMINISTRATOR,
    "202": WhoMustAct.ADMINISTRATOR,
    "203": WhoMustAct.ADMINISTRATOR,
}
"""messageErrorCondition (ERR-3): what the file of platforms says of it is wrong; the others are our own mistakes."""

_APPLICATION: Mapping[str, WhoMustAct] = {
    "900": WhoMustAct.OPERATOR,
    "901": WhoMustAct.ADMINISTRATOR,
    "902": WhoMustAct.SECRETARY,
    "903": WhoMustAct.SECRETARY,
    "904": WhoMustAct.SECRETARY,
    "905": WhoMustAct.SECRETARY,
}
"""applicationErrorCondition (ERR-5)."""

_DMP: Mapping[str, WhoMustAct] = {
    "DMPClosed": WhoMustAct.SECRETARY,
    "XDSUnknownPatientId": WhoMustAct.SECRETARY,
    "XDSPatientIdDoesNotMatch": WhoMustAct.SECRETARY,
}
"""Answers of the DMP that the site can change; the others are between the platform and the DMP."""

_SMTP_SETTINGS = frozenset({"500", "501", "502", "503", "504", "530"})


def word(code: str) -> str:
    """A code of a table as it may be logged and shown; what is none becomes "unspecified"."""
    return code if _WORD.fullmatch(code) else "unspecified"


def refusal(condition: str, application: str) -> tuple[str, WhoMustAct]:
    """Code and who must act for an AE with these ERR-3 and ERR-5."""
    parts = [word(part) for part in (condition, application) if part]
    if condition == "207" or not condition:
        who = _APPLICATION.get(application, WhoMustAct.OPERATOR)
    else:
        who = _CONDITIONS.get(condition, WhoMustAct.OPERATOR)
    return ".".join(["AE", *parts]), who


def dmp_refusal(code: str) -> WhoMustAct:
    """Who can change a refusal of the DMP."""
    return _DMP.get(code, WhoMustAct.ADMINISTRATOR)


def is_temporary(smtp: str) -> bool:
    """Whether the platform itself goes on: 1xx and 4xx but a full mailbox, and what was only relayed."""
    return smtp in ("251", "252") or (smtp[:1] in ("1", "4") and smtp != "422")


def mail_refusal(smtp: str) -> WhoMustAct:
    """Who can change a refusal of the recipient's mail server."""
    return WhoMustAct.ADMINISTRATOR if smtp in _SMTP_SETTINGS else WhoMustAct.SECRETARY
