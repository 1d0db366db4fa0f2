"""What answers and notifications mean (spec/dsr.md §5, spec/mss.md §7.1)."""

from __future__ import annotations

from pathlib import Path

import pytest
from navette_contracts.events import WhoMustAct
from navette_mss.domain.outcomes import LOCAL_REFUSALS, Stage, Verdict, smtp_meaning
from navette_mss.domain.receipts import Receipt, ReceiptKind, read_receipt, who_must_act

SECRETARY, ADMINISTRATOR = WhoMustAct.SECRETARY, WhoMustAct.ADMINISTRATOR
OURS = "<6c1f0c2e-5a55-5d5e-9a4c-2f6b6a1d0e11@imagerie-des-rives.mssante.example>"
ENVELOPE = "NAV6c1f0c2e5a555d5e9a4c2f6b6a1d0e11"


@pytest.mark.parametrize("code", [101, 111, 422, 431, 441, 442, 450, 451, 452])
def test_codes_of_the_retry_group_are_tried_again(code: int) -> None:
    assert smtp_meaning(code, Stage.RECIPIENT).verdict is Verdict.RETRY


@pytest.mark.parametrize("code", [420, 421, 454, 535])
def test_an_operator_that_serves_nobody_is_down(code: int) -> None:
    assert smtp_meaning(code, Stage.SESSION).verdict is Verdict.DOWN


@pytest.mark.parametrize("code", [250, 251, 252])
def test_relayed_or_unsure_is_accepted(code: int) -> None:
    assert smtp_meaning(code, Stage.RECIPIENT).verdict is Verdict.ACCEPTED


@pytest.mark.parametrize(
    ("codes", "who"),
    [
        ((510, 512, 513, 550, 551, 553), SECRETARY),
        ((523, 552), SECRETARY),
        ((541, 554), SECRETARY),
        ((432, 500, 501, 502, 503, 504, 530, 555), ADMINISTRATOR),
    ],
)
def test_refusals_name_who_must_act(codes: tuple[int, ...], who: WhoMustAct) -> None:
    for code in codes:
        meaning = smtp_meaning(code, Stage.RECIPIENT)
        assert (meaning.verdict, meaning.who) == (Verdict.REFUSED, who)


def test_a_refusal_before_the_recipient_is_the_administrators() -> None:
    assert smtp_meaning(550, Stage.SESSION).who is ADMINISTRATOR
    assert smtp_meaning(451, Stage.SESSION).verdict is Verdict.DOWN


def test_an_unknown_code_follows_its_first_digit() -> None:
    assert smtp_meaning(499, Stage.DATA).verdict is Verdict.RETRY
    assert smtp_meaning(599, Stage.DATA).verdict is Verdict.REFUSED


def test_every_local_refusal_is_a_code_without_blanks() -> None:
    assert all(code == one.code and " " not in code for code, one in LOCAL_REFUSALS.items())


def dsn(action: str, status: str, *, envelope: str = ENVELOPE, message_id: str = OURS) -> bytes:
    original = f"Original-Envelope-Id: {envelope}\n" if envelope else ""
    return f"""Return-Path: <>
From: MAILER-DAEMON@operateur.example
Subject: Avis
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

Avis de remise.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; operateur.example
{original}
Final-Recipient: rfc822; a@b.mssante.example
Action: {action}
Status: {status}

--b
Content-Type: text/rfc822-headers

From: x@y.example
Message-ID: {message_id}

--b--
""".encode()


@pytest.mark.dsr("RIS.MSS.18")
@pytest.mark.parametrize(
    ("action", "status", "kind"),
    [
        ("delivered", "2.0.0", ReceiptKind.DELIVERED),
        ("relayed", "2.1.5", ReceiptKind.DELIVERED),
        ("Expanded", "2.0.0", ReceiptKind.DELIVERED),
        ("delayed", "4.4.1", ReceiptKind.DELAYED),
        ("failed", "5.1.1", ReceiptKind.FAILED),
    ],
)
def test_a_notification_is_read_and_matched(action: str, status: str, kind: ReceiptKind) -> None:
    assert read_receipt(dsn(action, status)) == Receipt(kind, status, ENVELOPE, OURS)


def test_without_envelope_id_the_returned_message_id_matches() -> None:
    found = read_receipt(dsn("failed", "5.1.1", envelope=""))
    assert found == Receipt(ReceiptKind.FAILED, "5.1.1", None, OURS)


def test_an_envelope_id_of_somebody_else_is_not_ours() -> None:
    found = read_receipt(dsn("delivered", "2.0.0", envelope="RIS000123"))
    assert found is not None
    assert found.envelope_id is None


def test_a_bounce_without_machine_part_is_recognised_by_our_message_id() -> None:
    raw = f"Return-Path: <>\nSubject: Undelivered Mail Returned to Sender\n\nsorry\n\n{OURS}\n".encode()
    assert read_receipt(raw) == Receipt(ReceiptKind.FAILED, "0.0.0", None, OURS)


@pytest.mark.parametrize(
    "raw",
    [
        b"From: a@b.example\nSubject: bonjour\n\nUne question sur " + OURS.encode(),
        b"Return-Path: <>\nSubject: Undelivered\n\nnothing of ours\n",
        b"",
        b"\xff\xfe not a mail",
        dsn("delivered", "2.0.0").split(b"Final-Recipient")[0] + b"--b--\n",
    ],
)
def test_another_mail_is_no_receipt(raw: bytes) -> None:
    assert read_receipt(raw) is None


def test_who_acts_on_a_failure() -> None:
    assert who_must_act("5.1.1") is SECRETARY
    assert who_must_act("5.2.2") is SECRETARY
    assert who_must_act("5.3.4") is SECRETARY
    assert who_must_act("5.3.2") is ADMINISTRATOR
    assert who_must_act("5.5.4") is ADMINISTRATOR


@pytest.mark.conformance
@pytest.mark.parametrize(
    ("file", "kind", "status"),
    [
        ("dsn_success_two_recipients.eml", ReceiptKind.DELIVERED, "2."),
        ("dsn_failed_5.1.1_unknown.eml", ReceiptKind.FAILED, "5.1.1"),
        ("dsn_failed_5.2.2_full.eml", ReceiptKind.FAILED, "5.2.2"),
    ],
)
def test_notifications_of_a_real_server_are_read(conformance: Path, file: str, kind: ReceiptKind, status: str) -> None:
    found = read_receipt((conformance / "mss/dsn-postfix" / file).read_bytes())
    assert found is not None
    assert found.kind is kind
    assert found.status.startswith(status)
    assert found.message_id is not None
