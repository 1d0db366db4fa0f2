"""What each answer of the DMP means for a delivery: the table of spec/dmp.md §10, as data."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType

from navette_contracts.events import WhoMustAct

from navette_dmp.domain.registry import RegistryResponse, read_registry_response
from navette_dmp.domain.soap import Answer, Fault, Unreadable


class Action(IntEnum):
    """What to do next. Of several errors in one answer the highest decides."""

    STORED = 0
    RETRY = 1
    """Nothing was stored; the DMP is overloaded or away."""
    UNKNOWN = 2
    """Perhaps stored: look before sending again."""
    REFRESH = 3
    """The target of the replacement changed: read its entryUUID again, once."""
    STOP = 4
    """Sending the same again would be refused again; somebody must act."""
    DUPLICATE = 5
    """The uniqueId is taken: look whether it is ours. First of all, a resend can break other rules too."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Action, the code to show, who must act when it is STOP."""

    action: Action
    code: str
    who: WhoMustAct = WhoMustAct.NOBODY
    endpoint_down: bool = False


_Rule = tuple[Action, WhoMustAct]


def _rules(action: Action, who: WhoMustAct, *codes: str) -> dict[str, _Rule]:
    return dict.fromkeys(codes, (action, who))


REGISTRY_ERRORS: Mapping[str, _Rule] = MappingProxyType(
    {
        **_rules(Action.DUPLICATE, WhoMustAct.OPERATOR, "XDSDuplicateUniqueIdInRegistry"),
        # Our own mistakes: a message or metadata that must be corrected in the software or the settings.
        **_rules(
            Action.STOP,
            WhoMustAct.OPERATOR,
            "XDSRegistryDuplicateUniqueIdInMessage",
            "XDSRepositoryDuplicateUniqueIdInMessage",
            "XDSNonIdenticalHash",
            "XDSNonIdenticalSize",
            "XDSMissingDocument",
            "XDSMissingDocumentMetadata",
            "XDSRegistryMetadataError",
            "XDSRepositoryMetadataError",
            "XDSMetadataIdentifierError",
            "XDSObjectTypeError",
            "XDSTooManyResults",
            "XDSUnknownStoredQuery",
            "XDSStoredQueryMissingParam",
            "XDSStoredQueryParamNumber",
            "XDSResultNotSinglePatient",
            "XDSDocumentUniqueIdError",
            "XDSUnknownRepositoryId",
            "InvalidDocumentContent",
        ),
        # The identity: a merge to look at, or a patient without DMP.
        **_rules(Action.STOP, WhoMustAct.SECRETARY, "XDSPatientIdDoesNotMatch", "XDSUnknownPatientId"),
        **_rules(Action.STOP, WhoMustAct.ADMINISTRATOR, "LocalPolicyRestrictionError"),
        **_rules(
            Action.REFRESH,
            WhoMustAct.OPERATOR,
            "XDSRegistryDeprecatedDocumentError",
            "XDSReplaceFailed",
            "UnresolvedReferenceException",
            "ReferencesExistException",
            # ITI-57: the entry is not in the state the update was written for.
            "XDSMetadataUpdateError",
            "XDSMetadataUpdateOperationError",
            "XDSMetadataVersionError",
            "UnmodifiableMetadataError",
            "XDSPatientIDReconciliationError",
        ),
        **_rules(
            Action.RETRY,
            WhoMustAct.NOBODY,
            "XDSRegistryBusy",
            "XDSRepositoryBusy",
            "XDSRegistryNotAvailable",
            "XDSRegistryOutOfResources",
            "XDSRepositoryOutOfResources",
        ),
        **_rules(Action.UNKNOWN, WhoMustAct.NOBODY, "XDSRegistryError", "XDSRepositoryError"),
        **_rules(Action.STORED, WhoMustAct.NOBODY, "XDSExtraMetadataNotSaved"),
    }
)
"""errorCode of a registry error. A code that is not here is never retried."""

FAULTS: Mapping[str, _Rule] = MappingProxyType(
    _rules(
        Action.STOP,
        WhoMustAct.ADMINISTRATOR,
        "DMPInvalidCertificate",
        "DMPAccessDeniedByRightsService",
    )
)
"""Subcode of a SOAP fault. Other DMP subcodes are never retried."""

HTTP_STATUSES: Mapping[int, _Rule] = MappingProxyType(
    {
        400: (Action.STOP, WhoMustAct.OPERATOR),
        401: (Action.STOP, WhoMustAct.ADMINISTRATOR),
        403: (Action.STOP, WhoMustAct.ADMINISTRATOR),
        404: (Action.STOP, WhoMustAct.ADMINISTRATOR),
        405: (Action.STOP, WhoMustAct.ADMINISTRATOR),
        408: (Action.UNKNOWN, WhoMustAct.NOBODY),
        413: (Action.STOP, WhoMustAct.OPERATOR),
        415: (Action.STOP, WhoMustAct.OPERATOR),
        429: (Action.RETRY, WhoMustAct.NOBODY),
    }
)
"""Status of an answer that is no SOAP message; any other one leaves the outcome unknown."""

_GATEWAY_STATUSES = frozenset({502, 503, 504})


def judge(answer: Answer | Fault | Unreadable, *, message_id: str) -> Verdict:
    """Meaning of an answer to a transaction sent as `message_id`."""
    if isinstance(answer, Unreadable):
        return _judge_unreadable(answer)
    if isinstance(answer, Fault):
        return _judge_fault(answer)
    if answer.relates_to is not None and answer.relates_to != message_id:
        return Verdict(Action.UNKNOWN, "answer-to-another-message")
    response = read_registry_response(answer.body)
    return Verdict(Action.UNKNOWN, "unexpected-answer") if response is None else judge_response(response)


def judge_response(response: RegistryResponse) -> Verdict:
    """Meaning of a registry response. Success with warnings is a success."""
    if response.success and not response.errors:
        return Verdict(Action.STORED, "ok")
    verdicts = [_of_registry_error(code) for code in response.errors]
    # A failure that names no error, and a partial success, tell nothing about our document.
    return max(verdicts, key=lambda v: v.action, default=Verdict(Action.UNKNOWN, "unnamed-failure"))


def safe_code(code: str, prefix: str = "") -> str:
    """`code` as an event may carry it: letters, digits and a few signs, at most 64 characters."""
    return prefix + (re.sub(r"[^A-Za-z0-9_.:/#-]", "_", code).lstrip("_.:/#-")[:64] or "unnamed")


def _of_registry_error(code: str) -> Verdict:
    action, who = REGISTRY_ERRORS.get(code, (Action.STOP, WhoMustAct.OPERATOR))
    return Verdict(action, safe_code(code), who)


def _judge_fault(fault: Fault) -> Verdict:
    name = fault.subcode or fault.code
    if fault.subcode is not None and fault.subcode in FAULTS:
        action, who = FAULTS[fault.subcode]
        return Verdict(action, safe_code(name), who)
    if fault.code == "Receiver" and not (fault.subcode or "").startswith("DMP"):
        return Verdict(Action.UNKNOWN, safe_code(name, "fault:"))
    return Verdict(Action.STOP, safe_code(name, "fault:"), WhoMustAct.OPERATOR)


def _judge_unreadable(answer: Unreadable) -> Verdict:
    if 200 <= answer.status < 300:
        return Verdict(Action.UNKNOWN, "unreadable-answer")
    action, who = HTTP_STATUSES.get(answer.status, (Action.UNKNOWN, WhoMustAct.NOBODY))
    return Verdict(action, f"http-{answer.status}", who, endpoint_down=answer.status in _GATEWAY_STATUSES)
