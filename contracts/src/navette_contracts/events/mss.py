"""Outcomes of mails, one per recipient, from the service mss."""

from typing import Annotated, ClassVar

from pydantic import Field

from navette_contracts.events.base import Code, Event, Moment, OpaqueId, Version
from navette_contracts.events.outcome import ErrorClass, WhoMustAct
from navette_contracts.events.report import RecipientRole
from navette_contracts.parsing import OpenEnum

MessageId = Annotated[str, Field(pattern=r"^<[A-Za-z0-9._+-]{1,128}@[A-Za-z0-9.-]{1,253}>$")]
"""Message-ID of the mail, with its angle brackets."""


class MailKind(OpenEnum):
    """What a mail is about."""

    REPORT = "report"
    """It carries the report."""
    WITHDRAWAL = "withdrawal"
    """It tells that a report sent earlier was withdrawn."""
    OTHER = "other"


class _MailOutcome(Event):
    key_field: ClassVar[str] = "report_id"

    report_id: OpaqueId
    version: Version
    recipient_id: OpaqueId
    role: RecipientRole
    kind: MailKind = MailKind.REPORT


class MssSent(_MailOutcome):
    """The MSSanté operator accepted the mail."""

    type: ClassVar[str] = "mss.sent.v1"

    message_id: MessageId
    sent_at: Moment


class MssDelivered(_MailOutcome):
    """A delivery notice came back."""

    type: ClassVar[str] = "mss.delivered.v1"

    message_id: MessageId
    at: Moment


class MssRead(_MailOutcome):
    """A reading receipt came back."""

    type: ClassVar[str] = "mss.read.v1"

    message_id: MessageId
    at: Moment


class MssFailed(_MailOutcome):
    """This recipient will not receive the report unless somebody acts."""

    type: ClassVar[str] = "mss.failed.v1"

    error_class: ErrorClass
    code: Code
    who_must_act: WhoMustAct
    failed_at: Moment
