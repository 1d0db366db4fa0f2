"""Outcomes of publications in the DMP, from the service dmp."""

from typing import ClassVar

from navette_contracts.events.base import Code, DocumentUid, Event, Moment, OpaqueId, Version
from navette_contracts.events.outcome import ErrorClass, WhoMustAct
from navette_contracts.parsing import OpenEnum


class DmpOperation(OpenEnum):
    """What the DMP was asked to do with a document."""

    PUBLISH = "publish"
    WITHDRAW = "withdraw"
    OTHER = "other"


class _DmpOutcome(Event):
    key_field: ClassVar[str] = "report_id"

    report_id: OpaqueId
    version: Version
    unique_id: DocumentUid


class DmpPublished(_DmpOutcome):
    """The DMP accepted the document."""

    type: ClassVar[str] = "dmp.published.v1"

    entry_uuid: Code | None = None
    """The registry's id of the entry (urn:uuid:…), when known."""
    submission_unique_id: DocumentUid
    published_at: Moment


class DmpRejected(_DmpOutcome):
    """What was asked of the DMP will not be done unless somebody acts."""

    type: ClassVar[str] = "dmp.rejected.v1"

    error_class: ErrorClass
    code: Code
    who_must_act: WhoMustAct
    rejected_at: Moment
    operation: DmpOperation = DmpOperation.PUBLISH


class DmpWithdrawn(_DmpOutcome):
    """The document was deleted from the DMP."""

    type: ClassVar[str] = "dmp.withdrawn.v1"

    at: Moment


class DmpVisibilityChanged(_DmpOutcome):
    """The confidentiality of the document in the DMP was changed as asked."""

    type: ClassVar[str] = "dmp.visibility_changed.v1"

    at: Moment
