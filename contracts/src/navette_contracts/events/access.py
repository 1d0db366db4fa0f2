"""Who did what to which document: the audit stream, without any content."""

from typing import ClassVar, Literal

from navette_contracts.events.base import Code, Event, Moment, OpaqueId


class AccessRecorded(Event):
    """One access, granted or refused."""

    type: ClassVar[str] = "access.recorded.v1"
    key_field: ClassVar[str] = "actor"

    actor: OpaqueId
    action: Code
    object_kind: Code
    object_id: OpaqueId
    site_id: OpaqueId | None = None
    outcome: Literal["granted", "refused"]
    at: Moment
