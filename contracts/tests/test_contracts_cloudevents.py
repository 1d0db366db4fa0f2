"""Our messages are CloudEvents 1.0: software we did not write reads them, and what is not one is refused."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from navette_contracts.cloudevents import Envelope, EnvelopeError, decode, encode
from navette_contracts.ids import new_id

ENVELOPE = Envelope(
    id=new_id(),
    type="report.signed.v1",
    source="/navette/report",
    time=datetime(2026, 3, 9, 10, 15, 30, 250000, tzinfo=UTC),
    subject="01990000-0000-7000-8000-0000000000b1",
    sequence=7,
    correlation_id=new_id(),
    causation_id=new_id(),
    traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
)
BODY = b'{"report_id":"r-1"}'


def without(name: str) -> list[tuple[str, bytes]]:
    return [header for header in encode(ENVELOPE, BODY)[0] if header[0] != name]


def changed(name: str, value: bytes) -> list[tuple[str, bytes]]:
    return [*without(name), (name, value)]


def test_a_message_is_read_back_as_it_was_written() -> None:
    assert decode(*encode(ENVELOPE, BODY)) == (ENVELOPE, BODY)


def test_optional_attributes_may_be_absent() -> None:
    bare = replace(ENVELOPE, sequence=None, correlation_id=None, causation_id=None, traceparent=None)
    assert decode(*encode(bare, BODY)) == (bare, BODY)


def test_the_cloudevents_package_reads_our_messages() -> None:
    headers, value = encode(ENVELOPE, BODY)
    event = from_binary(KafkaMessage(dict(headers), ENVELOPE.subject.encode(), value), JSONFormat(), CloudEvent)
    assert event.get_specversion() == "1.0"
    assert event.get_id() == ENVELOPE.id
    assert event.get_type() == "report.signed.v1"
    assert event.get_source() == "/navette/report"
    assert event.get_subject() == ENVELOPE.subject
    assert event.get_time() == ENVELOPE.time
    assert event.get_extension("sequence") == "00000000000000000007"
    assert event.get_extension("correlationid") == ENVELOPE.correlation_id
    assert event.get_extension("causationid") == ENVELOPE.causation_id
    assert event.get_data() == {"report_id": "r-1"}


def test_time_is_written_in_utc() -> None:
    paris = replace(ENVELOPE, time=ENVELOPE.time.astimezone(timezone(timedelta(hours=1))))
    assert dict(encode(paris, BODY)[0])["ce_time"] == b"2026-03-09T10:15:30.250000Z"


def test_sequences_sort_as_text() -> None:
    def header(sequence: int) -> bytes:
        return dict(encode(replace(ENVELOPE, sequence=sequence), BODY)[0])["ce_sequence"]

    assert header(9) < header(10) < header(100)


def test_headers_of_others_are_ignored() -> None:
    headers, value = encode(ENVELOPE, BODY)
    assert decode([*headers, ("correlation_id", b"\xff"), ("x-other", b"y")], value)[0] == ENVELOPE


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "1"},
        {"id": "9b2e5a6e-0d4c-4b5b-9a55-1f0ad8b9a111"},
        {"type": "Report Signed"},
        {"type": "report.signed"},
        {"source": "a b"},
        {"subject": ""},
        {"subject": "é"},
        {"sequence": -1},
        {"correlation_id": ""},
        {"causation_id": "x" * 300},
        {"traceparent": "00-x"},
        {"time": datetime(2026, 3, 9)},  # noqa: DTZ001 - the point of the test
    ],
)
def test_a_producer_cannot_write_a_malformed_attribute(wrong: dict[str, object]) -> None:
    with pytest.raises(EnvelopeError, match=next(iter(wrong)).replace("_", "")):
        encode(replace(ENVELOPE, **wrong), BODY)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize("name", ["ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time", "ce_subject"])
def test_a_missing_attribute_is_refused_by_name(name: str) -> None:
    with pytest.raises(EnvelopeError, match=name.removeprefix("ce_")):
        decode(without(name), BODY)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ce_specversion", b"0.3"),
        ("ce_id", b"CANARI texte"),
        ("ce_type", b"CANARI"),
        ("ce_time", b"CANARI"),
        ("ce_time", b"2026-03-09T10:00:00"),
        ("ce_time", b"0001-01-01T00:00:00+14:00"),
        ("ce_sequence", b"CANARI"),
        ("ce_sequence", b"99999999999999999999"),
        ("ce_subject", b"CANARI texte"),
        ("ce_correlationid", "CANARI é".encode()),
        ("ce_source", b"CANARI" * 200),
        ("content-type", b"text/CANARI"),
    ],
)
def test_a_malformed_attribute_is_refused_without_quoting_it(name: str, value: bytes) -> None:
    with pytest.raises(EnvelopeError) as refusal:
        decode(changed(name, value), BODY)
    assert "CANARI" not in str(refusal.value)


def test_an_attribute_given_twice_with_two_values_is_refused() -> None:
    with pytest.raises(EnvelopeError, match="twice"):
        decode([*encode(ENVELOPE, BODY)[0], ("ce_type", b"report.composed.v1")], BODY)


def test_a_malformed_trace_is_dropped_and_the_event_kept() -> None:
    assert decode(changed("traceparent", b"zz"), BODY)[0] == replace(ENVELOPE, traceparent=None)


@pytest.mark.parametrize("value", [None, b""])
def test_a_message_without_body_is_refused(value: bytes | None) -> None:
    with pytest.raises(EnvelopeError, match="body"):
        decode(encode(ENVELOPE, BODY)[0], value)
