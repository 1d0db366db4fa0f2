"""Producers are strict, consumers tolerant, and nothing personal gets into a readable field or an error."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from navette_contracts import events as e
from navette_contracts.generate.examples import published_keyring
from navette_contracts.ids import is_uuid7, new_id, uuid7
from navette_contracts.sealed import Sealed
from pydantic import ValidationError

KEYRING = published_keyring()
TRAITS = Sealed.seal(
    e.Traits(
        birth_name="CANARI",
        first_birth_given_name="A",
        birth_given_names="A B",
        birth_date="1980-01-31",
        sex="F",
        birth_place_code="99999",
    ),
    KEYRING,
)
INS = Sealed.seal(e.Ins(matricule="280019999900118", oid="1.2.250.1.213.1.4.10"), KEYRING)
AT = datetime(2026, 3, 9, 10, 0, tzinfo=UTC)


def identified(**changes: Any) -> e.PatientIdentified:
    fields: dict[str, Any] = {
        "patient_id": "p-1",
        "revision": 1,
        "status": e.IdentityStatus.QUALIFIEE,
        "site_id": "s-1",
        "traits": TRAITS,
        "ins": INS,
    }
    return e.PatientIdentified(**{**fields, **changes})


def withdrawn(**changes: Any) -> e.ReportWithdrawn:
    fields: dict[str, Any] = {
        "report_id": "r-1",
        "version": 1,
        "withdrawn_by_rpps": "99700000013",
        "withdrawn_at": AT,
    }
    return e.ReportWithdrawn(**{**fields, **changes})


def body(event: e.Event, **changes: object) -> bytes:
    return json.dumps({**json.loads(event.model_dump_json()), **changes}).encode()


def test_an_event_is_read_back_as_it_was_written() -> None:
    event = identified(attributes=(e.IdentityAttribute.HOMONYME,))
    assert e.PatientIdentified.parse(event.model_dump_json().encode()) == event


def test_an_event_cannot_be_changed_after_it_was_made() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        identified().revision = 2  # type: ignore[misc]  # the point of the test


def test_a_producer_cannot_add_a_field_the_contract_does_not_have() -> None:
    with pytest.raises(ValidationError, match="extra_forbidden"):
        identified(comment="x")


def test_a_producer_cannot_invent_an_enumeration_value() -> None:
    with pytest.raises(ValidationError, match="status"):
        identified(status="presque")


def test_a_producer_is_not_helped_with_coercions() -> None:
    with pytest.raises(ValidationError, match="revision"):
        identified(revision="1")


def test_a_consumer_ignores_fields_it_does_not_know_at_any_depth() -> None:
    data = body(withdrawn(), novelty={"a": 1}, unique_id=None)
    assert e.ReportWithdrawn.parse(data) == withdrawn()
    recipient = {"recipient_id": "x", "role": "copy", "novelty": True}
    assert json.loads(recipients_event(recipient).model_dump_json())["recipients"][0]["role"] == "copy"


def recipients_event(recipient: dict[str, object]) -> e.ReportSigned:
    return e.ReportSigned.parse(
        json.dumps(
            {
                "report_id": "r-1",
                "version": 1,
                "patient_id": "p-1",
                "site_id": "s-1",
                "signed_by_rpps": "99700000013",
                "signed_at": "2026-03-09T10:00:00Z",
                "announcement_needed": False,
                "withheld_from_dmp": False,
                "withheld_from_patient": False,
                "recipients": [recipient],
            }
        ).encode()
    )


def test_a_consumer_reads_an_unknown_enumeration_value_as_other() -> None:
    event = e.PatientIdentified.parse(body(identified(ins=None), status="cinquieme", attributes=["nouveau"]))
    assert event.status is e.IdentityStatus.OTHER
    assert event.attributes == (e.IdentityAttribute.OTHER,)
    nested = recipients_event({"recipient_id": "x", "role": "tiers-de-confiance"})
    assert nested.recipients[0].role is e.RecipientRole.OTHER


def test_an_unknown_enumeration_value_is_refused_outside_consumption() -> None:
    with pytest.raises(ValidationError, match="status"):
        e.PatientIdentified.model_validate_json(body(identified(ins=None), status="cinquieme"))


@pytest.mark.dsr("RIS.INS.37")
@pytest.mark.parametrize("status", [status for status in e.IdentityStatus if status is not e.IdentityStatus.QUALIFIEE])
def test_the_matricule_only_travels_with_a_qualified_identity(status: e.IdentityStatus) -> None:
    assert identified(status=e.IdentityStatus.QUALIFIEE).ins is not None
    with pytest.raises(ValidationError, match="qualifiee"):
        identified(status=status)


def test_a_consumer_refuses_a_matricule_under_a_status_it_does_not_know() -> None:
    with pytest.raises(e.ContractError, match="value_error"):
        e.PatientIdentified.parse(body(identified(), status="cinquieme"))


def test_plain_traits_are_refused_where_sealed_ones_belong() -> None:
    with pytest.raises(ValidationError, match="traits"):
        identified(traits="NOM EN CLAIR")
    with pytest.raises(e.ContractError, match="traits"):
        e.PatientIdentified.parse(body(identified(), traits={"birth_name": "NOM"}))


def test_a_naive_datetime_is_refused_by_producer_and_consumer() -> None:
    with pytest.raises(ValidationError, match="timezone_aware"):
        withdrawn(withdrawn_at=datetime(2026, 3, 9, 10, 0))  # noqa: DTZ001 - the point of the test
    with pytest.raises(e.ContractError, match="withdrawn_at: timezone_aware"):
        e.ReportWithdrawn.parse(body(withdrawn(), withdrawn_at="2026-03-09T10:00:00"))


def test_moments_are_written_in_utc() -> None:
    paris = AT.astimezone(timezone(timedelta(hours=1)))
    assert b"2026-03-09T10:00:00Z" in withdrawn(withdrawn_at=paris).model_dump_json().encode()


@pytest.mark.parametrize("looks_like", ["280019999900118", "2800199999001", "280012A999001"])
def test_a_matricule_is_refused_as_an_opaque_id(looks_like: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        withdrawn(report_id=looks_like)
    assert looks_like not in str(refusal.value)


def test_a_mailbox_is_refused_as_a_recipient_id() -> None:
    with pytest.raises(ValidationError, match="recipient_id"):
        e.Recipient(recipient_id="280019999900118@patient.mssante.fr", role=e.RecipientRole.PATIENT)


def test_free_text_is_refused_where_a_code_belongs() -> None:
    with pytest.raises(ValidationError, match="code"):
        e.DmpRejected(
            report_id="r-1",
            version=1,
            unique_id="1.2.3",
            error_class=e.ErrorClass.PERMANENT,
            code="Le patient Canari est inconnu",
            who_must_act=e.WhoMustAct.SECRETARY,
            rejected_at=AT,
        )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"CANARI"',
        b'{"report_id": "CANARI TEXTE", "version": "CANARI"}',
        b'{"CANARI": "CANARI"}',
        b"\xff\xfe",
    ],
)
def test_a_bad_body_is_refused_by_rule_without_quoting_it(data: bytes) -> None:
    with pytest.raises(e.ContractError) as refusal:
        e.ReportWithdrawn.parse(data)
    assert "report.withdrawn.v1 breaks its contract" in str(refusal.value)
    assert "CANARI" not in str(refusal.value)
    assert refusal.value.__suppress_context__


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 2**63},
        {"withdrawn_at": "0001-01-01T00:00:00+14:00"},
        {"withdrawn_at": "9999-12-31T23:59:59-14:00"},
    ],
)
def test_what_no_database_can_hold_breaks_the_contract(changes: dict[str, object]) -> None:
    """Accepted, it would make every consumer fail for ever on the same message."""
    with pytest.raises(e.ContractError, match=next(iter(changes))):
        e.ReportWithdrawn.parse(body(withdrawn(), **changes))


def test_a_merge_needs_two_different_records() -> None:
    with pytest.raises(ValidationError, match="absorbed_id"):
        e.PatientMerged(surviving_id="p-1", absorbed_id="p-1", revision=2)


def test_the_key_is_the_opaque_id_and_the_topic_is_the_family() -> None:
    assert identified().key == "p-1"
    assert e.PatientIdentified.topic() == "patient.identified"


def test_new_ids_are_version_7_and_sort_by_time() -> None:
    first, second = uuid7(1, b"\xff" * 10), uuid7(2, b"\x00" * 10)
    assert str(first) < str(second)
    assert is_uuid7(new_id())
    assert not is_uuid7("not an id")
    assert not is_uuid7(str(first).upper())


@pytest.mark.parametrize(("milliseconds", "noise"), [(-1, b"0" * 10), (1 << 48, b"0" * 10), (1, b"0")])
def test_an_id_cannot_be_built_from_values_that_do_not_fit(milliseconds: int, noise: bytes) -> None:
    with pytest.raises(ValueError, match="uuid7"):
        uuid7(milliseconds, noise)
