"""What platforms answer: refusals, business receipts, and who must act on each (spec/hl7v2.md §6)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from navette_contracts.events import WhoMustAct
from navette_documents.hl7v2 import Hl7Error, parse
from navette_report.api import french_platforms
from navette_report.domain.journey import LineState
from navette_report.domain.pfi.answers import refusal
from navette_report.domain.pfi.receipts import Receipt, ReceiptKind, fact_of_receipt, read_receipt

AT = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("condition", "application", "code", "who"),
    [
        ("207", "900", "AE.207.900", WhoMustAct.OPERATOR),
        ("207", "901", "AE.207.901", WhoMustAct.ADMINISTRATOR),
        ("207", "902", "AE.207.902", WhoMustAct.SECRETARY),
        ("207", "904", "AE.207.904", WhoMustAct.SECRETARY),
        ("207", "906", "AE.207.906", WhoMustAct.OPERATOR),
        ("203", "", "AE.203", WhoMustAct.ADMINISTRATOR),
        ("100", "", "AE.100", WhoMustAct.OPERATOR),
        ("", "", "AE", WhoMustAct.OPERATOR),
        ("207", "Patient DUPONT inconnu", "AE.207.unspecified", WhoMustAct.OPERATOR),
    ],
)
def test_a_refusal_says_who_can_change_it_and_nothing_else(
    condition: str, application: str, code: str, who: WhoMustAct
) -> None:
    assert refusal(condition, application) == (code, who)
    sentence = french_platforms.reason(code)
    assert sentence is not None
    assert code in sentence


def zam(event: str = "Z01", more: str = "", **changes: str) -> bytes:
    codes = {"Z01": "ACK_RECEPTION_DMP", "Z02": "ACK_RECEPTION_MSS", "Z03": "ACK_LECTURE_MSS"}
    said = {"code": codes.get(event, ""), "refers": "015", "status": "Y", "type": "ZAM"} | changes
    return (
        f"MSH|^~\\&|PFI-X|O|SIL-Y|labo|202106060934||{said['type']}^{event}^ZAM_Z01|018|P|2.6|||||FRA|UNICODE UTF-8\r"
        f"EVN||20211005152908\rOBX|1|CWE|{said['code']}^x^AckMetierZAM|{said['refers']}|{said['status']}^^x||||||F\r{more}"
    ).encode()


MAILBOX = "OBX|2|XTN|DESTINATAIRE_MSS^x^AckMetierZAM||^NET^X.400^Adam.Hoda@test.mssante.fr||||||F\r"


@pytest.mark.dsr("RIS.MSS.18")
def test_the_official_receipts_are_understood(samples: Any) -> None:
    folder = samples.conformance / "hl7v2" / "trans-cda-2.1"
    if not folder.is_dir():
        pytest.skip("NAVETTE_CONFORMANCE_DIR names no conformance data")
    closed = read_receipt(parse((folder / "zam_z01_dmp_error.hl7").read_bytes()))
    assert (closed.kind, closed.refers_to, closed.positive, closed.code) == (ReceiptKind.DMP, "015", False, "DMPClosed")
    mailed = read_receipt(parse((folder / "zam_z02_mss_ok.hl7").read_bytes()))
    assert (mailed.positive, mailed.address) == (True, "adam.hoda@test-ci-sis.mssante.fr")


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (zam(type="ADT"), "message_type"),
        (zam("Z09"), "event"),
        (zam(code="AUTRE"), "receipt_code"),
        (zam(refers=""), "message_referred_to"),
        (zam(status="O"), "receipt_status"),
        (zam("Z02"), "mailbox"),
        (zam().split(b"OBX")[0], "segment_missing"),
    ],
)
def test_a_receipt_that_says_nothing_usable_is_refused_with_the_rule(data: bytes, rule: str) -> None:
    with pytest.raises(Hl7Error) as refused:
        read_receipt(parse(data))
    assert refused.value.rule == rule


def test_a_refusal_without_a_reason_is_still_one() -> None:
    read = read_receipt(parse(zam(status="N")))
    fact = fact_of_receipt(read, AT)
    assert (fact.state, fact.reason, fact.who_must_act) == (
        LineState.REFUSED,
        "unspecified",
        WhoMustAct.ADMINISTRATOR,
    )
    assert read_receipt(parse(zam("Z02", MAILBOX))).address == "adam.hoda@test.mssante.fr"


@pytest.mark.parametrize(
    ("kind", "positive", "code", "state", "reason", "who"),
    [
        (ReceiptKind.DMP, True, "", LineState.DELIVERED, None, WhoMustAct.NOBODY),
        (ReceiptKind.DMP, False, "DMPClosed", LineState.REFUSED, "DMPClosed", WhoMustAct.SECRETARY),
        (ReceiptKind.DMP, False, "DMPInvalidCertificate", LineState.REFUSED, "DMPInvalidCertificate",
         WhoMustAct.ADMINISTRATOR),
        (ReceiptKind.DELIVERY, True, "", LineState.DELIVERED, None, WhoMustAct.NOBODY),
        (ReceiptKind.DELIVERY, False, "450", LineState.SENT, "smtp-450", WhoMustAct.NOBODY),
        (ReceiptKind.DELIVERY, False, "101", LineState.SENT, "smtp-101", WhoMustAct.NOBODY),
        (ReceiptKind.DELIVERY, False, "252", LineState.SENT, "smtp-252", WhoMustAct.NOBODY),
        (ReceiptKind.DELIVERY, False, "422", LineState.REFUSED, "smtp-422", WhoMustAct.SECRETARY),
        (ReceiptKind.DELIVERY, False, "550", LineState.REFUSED, "smtp-550", WhoMustAct.SECRETARY),
        (ReceiptKind.DELIVERY, False, "530", LineState.REFUSED, "smtp-530", WhoMustAct.ADMINISTRATOR),
        (ReceiptKind.READING, True, "", LineState.READ, None, WhoMustAct.NOBODY),
        (ReceiptKind.READING, False, "904", LineState.REFUSED, "mdn-904", WhoMustAct.SECRETARY),
    ],
)  # fmt: skip
def test_each_receipt_says_what_its_table_says(
    kind: ReceiptKind, positive: bool, code: str, state: LineState, reason: str | None, who: WhoMustAct
) -> None:
    fact = fact_of_receipt(Receipt(kind, "1", positive, "a@b.fr", code), AT)
    assert (fact.state, fact.reason, fact.who_must_act) == (state, reason, who)
