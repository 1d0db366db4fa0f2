"""Every event of the platform, one class each, grouped in modules by family."""

from navette_contracts.events.access import AccessRecorded
from navette_contracts.events.base import ContractError, Event, Part
from navette_contracts.events.dmp import DmpOperation, DmpPublished, DmpRejected, DmpVisibilityChanged, DmpWithdrawn
from navette_contracts.events.mss import MailKind, MssDelivered, MssFailed, MssRead, MssSent
from navette_contracts.events.outcome import ErrorClass, WhoMustAct
from navette_contracts.events.patient import (
    IdentityAttribute,
    IdentityStatus,
    Ins,
    PatientIdentified,
    PatientMerged,
    Traits,
)
from navette_contracts.events.report import (
    Audience,
    DocumentReference,
    Recipient,
    RecipientRole,
    ReportAnnounced,
    ReportComposed,
    ReportSigned,
    ReportWithdrawn,
    Visibility,
)

__all__ = [
    "AccessRecorded",
    "Audience",
    "ContractError",
    "DmpOperation",
    "DmpPublished",
    "DmpRejected",
    "DmpVisibilityChanged",
    "DmpWithdrawn",
    "DocumentReference",
    "ErrorClass",
    "Event",
    "IdentityAttribute",
    "IdentityStatus",
    "Ins",
    "MailKind",
    "MssDelivered",
    "MssFailed",
    "MssRead",
    "MssSent",
    "Part",
    "PatientIdentified",
    "PatientMerged",
    "Recipient",
    "RecipientRole",
    "ReportAnnounced",
    "ReportComposed",
    "ReportSigned",
    "ReportWithdrawn",
    "Traits",
    "Visibility",
    "WhoMustAct",
]
