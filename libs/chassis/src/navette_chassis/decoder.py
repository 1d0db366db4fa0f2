"""From the bytes of a message to the event a handler gets; refusals name paths and rules, never values.

FastStream's own decoding would log the whole payload of a message that fails (engineering.md §2): it never sees
anything but bytes here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Protocol, TypeVar

from navette_contracts.cloudevents import EnvelopeError, decode
from navette_contracts.events import ContractError, Event
from navette_contracts.sealed import Keyring, SealError, UnknownKeyError, sealed_fields

from navette_chassis.received import Received

E = TypeVar("E", bound=Event)


class Reason(StrEnum):
    """Why a message cannot be handled by anyone: the reason code of its dead letter."""

    ENVELOPE = "envelope"
    """Not a CloudEvents message of ours."""
    TYPE = "unexpected_type"
    """An event of another family than its topic's."""
    CONTRACT = "contract"
    """The body breaks the contract of its type."""
    SEAL = "sealed_field"
    """A sealed field was altered, or holds something else than its contract says."""
    SEQUENCE = "sequence_missing"
    """An ordered handler needs a sequence and there is none."""


class PoisonError(Exception):
    """A message that no retry can help. The text names fields and rules only."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class OtherVersionError(Exception):
    """An event of another major version of the same family: not for this handler, and nothing is wrong."""


class RawMessage(Protocol):
    """What is needed of a Kafka record."""

    headers: Sequence[tuple[str, bytes]]
    value: bytes | None


def decode_message(record: RawMessage, event_class: type[E], *, ordered: bool) -> tuple[Received[E], str | None]:
    """Strict on the envelope, tolerant on the body; the second value is the W3C ``traceparent``.

    Raises ``PoisonError`` or ``OtherVersionError``.
    """
    try:
        envelope, body = decode(record.headers, record.value)
    except EnvelopeError as error:
        raise PoisonError(Reason.ENVELOPE, str(error)) from None
    if envelope.type != event_class.type:
        if envelope.type.rpartition(".v")[0] == event_class.topic():
            raise OtherVersionError
        raise PoisonError(Reason.TYPE, "type: not of the family of its topic")
    try:
        event = event_class.parse(body)
    except Exception as error:  # noqa: BLE001 - what escapes here would be acknowledged and lost
        detail = str(error) if isinstance(error, ContractError) else type(error).__name__
        raise PoisonError(Reason.CONTRACT, detail) from None
    if envelope.subject != event.key:
        raise PoisonError(Reason.CONTRACT, f"subject: must be the {event_class.key_field}")
    if ordered and envelope.sequence is None:
        raise PoisonError(Reason.SEQUENCE, "sequence: missing")
    received = Received(
        event=event,
        id=envelope.id,
        time=envelope.time,
        subject=envelope.subject,
        sequence=envelope.sequence,
        correlation_id=envelope.correlation_id or envelope.id,
        causation_id=envelope.causation_id,
    )
    return received, envelope.traceparent


def refuse_altered(event: Event, keyring: Callable[[], Keyring]) -> None:
    """Raise ``PoisonError`` when a sealed field of the event opens to nothing of its contract.

    Looked at before any handler: one that keeps the field sealed would fail later, on another message. A key this
    service does not have says nothing about the field: keys are added while messages are on their way, and who
    needs the content waits for it.
    """
    for name, sealed, kind in sealed_fields(event):
        try:
            keys = keyring()
        except (OSError, SealError):
            return  # no keys at all: whoever needs one fails for that reason, and waits
        try:
            sealed.open(keys, kind)
        except UnknownKeyError:
            continue
        except SealError:
            raise PoisonError(Reason.SEAL, f"{name}: altered, or not what its contract says") from None
