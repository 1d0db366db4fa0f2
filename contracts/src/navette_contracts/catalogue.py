"""The topics: who writes, who reads, how long, keyed by what. Manifests and documents are generated from it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from navette_contracts.events import (
    AccessRecorded,
    DmpPublished,
    DmpRejected,
    DmpVisibilityChanged,
    DmpWithdrawn,
    Event,
    MssDelivered,
    MssFailed,
    MssRead,
    MssSent,
    PatientIdentified,
    PatientMerged,
    ReportAnnounced,
    ReportComposed,
    ReportSigned,
    ReportWithdrawn,
)

SERVICES: Final = ("ins", "psc-auth", "report", "dmp", "mss")
AUDIT_SINK: Final = "audit"
"""Whatever the customer plugs in to keep the audit stream; it only reads."""

DLQ_SUFFIX: Final = ".dlq"
DLQ_RETENTION: Final = timedelta(days=30)

_WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Topic:
    """One topic: a family of events of one fact, in all its major versions."""

    name: str
    events: tuple[type[Event], ...]
    key: str
    """What the Kafka key is, in words."""
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    meaning: str
    partitions: int = 12
    retention: timedelta = _WEEK

    @property
    def dlq(self) -> str:
        """Name of the topic for messages that cannot be decoded or break the contract."""
        return self.name + DLQ_SUFFIX


def _topic(
    event: type[Event],
    producers: tuple[str, ...],
    consumers: tuple[str, ...],
    meaning: str,
    *,
    retention: timedelta = _WEEK,
) -> Topic:
    return Topic(
        name=event.topic(),
        events=(event,),
        key=event.key_field.replace("_", " "),
        producers=producers,
        consumers=consumers,
        meaning=meaning,
        retention=retention,
    )


TOPICS: Final[tuple[Topic, ...]] = (
    _topic(
        PatientIdentified,
        ("ins",),
        ("report",),
        "revision n of an identity: status, attributes, site, sealed traits, sealed INS (only if qualified)",
    ),
    _topic(PatientMerged, ("ins",), ("report",), "two records are one person"),
    _topic(
        ReportSigned,
        ("report",),
        ("report",),
        "version n validated by RPPS at time; visibility and withholding choices; recipients",
    ),
    _topic(
        ReportComposed,
        ("report",),
        ("dmp", "mss"),
        "document reference, sha-256, size, ids, level, audience, what it replaces",
    ),
    _topic(ReportWithdrawn, ("report",), ("dmp", "mss"), "version n annulled, why"),
    _topic(ReportAnnounced, ("report",), ("report",), "the patient was told: an edition that hides nothing follows"),
    _topic(DmpPublished, ("dmp",), ("report",), "accepted by the DMP, with its identifiers"),
    _topic(DmpRejected, ("dmp",), ("report",), "not in the DMP: error class, code, who must act"),
    _topic(DmpWithdrawn, ("dmp",), ("report",), "deleted from the DMP"),
    _topic(DmpVisibilityChanged, ("dmp",), ("report",), "confidentiality changed in the DMP"),
    _topic(MssSent, ("mss",), ("report",), "mail accepted by the MSSanté operator, per recipient"),
    _topic(MssDelivered, ("mss",), ("report",), "delivery notice received, per recipient"),
    _topic(MssRead, ("mss",), ("report",), "reading receipt received, per recipient"),
    _topic(MssFailed, ("mss",), ("report",), "mail not delivered: error class, code, who must act"),
    _topic(
        AccessRecorded,
        SERVICES,
        (AUDIT_SINK,),
        "who did what to which document, without content",
        retention=timedelta(days=30),
    ),
)

EVENTS: Final[tuple[type[Event], ...]] = tuple(event for topic in TOPICS for event in topic.events)

_BY_EVENT = {event: topic for topic in TOPICS for event in topic.events}
_BY_TYPE = {event.type: event for event in EVENTS}


def topic_of(event: type[Event]) -> Topic:
    """Return the topic that carries an event class; KeyError when the catalogue does not know it."""
    return _BY_EVENT[event]


def event_of(type_name: str) -> type[Event] | None:
    """Return the event class of a CloudEvents type, or None when the catalogue does not know it."""
    return _BY_TYPE.get(type_name)


def topics_produced_by(service: str) -> tuple[Topic, ...]:
    """Return the topics a service may write."""
    return tuple(topic for topic in TOPICS if service in topic.producers)


def topics_consumed_by(service: str) -> tuple[Topic, ...]:
    """Return the topics a service may read."""
    return tuple(topic for topic in TOPICS if service in topic.consumers)
