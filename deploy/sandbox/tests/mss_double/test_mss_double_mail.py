"""Submission: a correct mail is delivered; each broken rule of the mail is refused."""

import asyncio
import smtplib
import ssl

import httpx
import pytest
from navette_sandbox.simulators.mss import MssSettings

DOCTOR = "camille.referent-fictif@medecins-fictifs.mssante.example"
PATIENT = "279035121518989@patient.mssante.fr"


@pytest.mark.parametrize("recipient", [DOCTOR, PATIENT])
async def test_a_correct_mail_is_delivered_byte_for_byte(mss, recipient: str) -> None:
    mail = mss.mail(recipient=recipient, message_id=f"<un@{mss.sender.rpartition('@')[2]}>")
    sent = mail.build()
    mail.build = lambda: sent
    await mss.send(mail)
    (received,) = mss.inbox(recipient)
    assert received.raw == sent
    assert (mss.simulator.config.state / received.file).read_bytes() == sent
    assert mss.simulator.refusals.entries == []


async def test_an_unqualified_identity_goes_to_the_doctor_with_n(mss) -> None:
    await mss.send(mss.mail(qualified=False))
    assert len(mss.inbox(DOCTOR)) == 1


async def test_a_mail_without_document_needs_no_cda_headers(mss) -> None:
    await mss.send(mss.mail(with_archive=False))
    assert len(mss.inbox(DOCTOR)) == 1


@pytest.mark.parametrize(
    ("header", "value", "rule"),
    [
        ("Message-ID", None, "header.Message-ID"),
        ("Message-ID", "<x@ailleurs.example>", "header.Message-ID"),
        ("X-MSS-NIL", None, "header.X-MSS-NIL"),
        ("X-MSS-NIL", "produit", "header.X-MSS-NIL"),
        ("X-MSS-CODECDA", None, "header.X-MSS-CODECDA"),
        ("X-MSS-CODECDA", "11502-2", "header.X-MSS-CODECDA"),
        ("X-MSS-INS", None, "header.X-MSS-INS"),
        ("X-MSS-INS", "N", "header.X-MSS-INS"),
        ("X-MSS-MES", "FIN", "header.X-MSS-MES"),
        ("From", "Autre <autre@mssante.example>", "header.From"),
        ("To", f"{DOCTOR}, autre@mssante.example", "header.To"),
        ("Cc", "autre@mssante.example", "header.Cc"),
        ("Date", None, "header.Date"),
        ("MIME-Version", None, "header.MIME-Version"),
        ("Subject", "CR MODELE Remy", "subject.form"),
        ("Subject", "XDM/1.0/DDM+CR d'imagerie MODELE Remy 01/06/1971", "subject.form"),
        ("Subject", "=?utf-8?q?XDM/1=2E0/DDM+CR_d=27imagerie_m=C3=A9dicale_AUTRE_Remy?=", "subject.name"),
        ("Subject", "=?utf-8?q?XDM/1=2E0/DDM+CR_d=27imagerie_m=C3=A9dicale_Modele_Remy?=", "subject.name"),
        ("Subject", "=?utf-8?q?XDM/1=2E0/DDM+CR_d=27imagerie_m=C3=A9dicale_MODELE_Remy_02/06/1971?=", "subject.date"),
    ],
)
async def test_a_wrong_header_is_refused(mss, header: str, value: str | None, rule: str) -> None:
    await mss.refused(mss.mail(headers={header: value}), 554, rule)


async def test_mes_for_a_patient_is_fin_or_absent(mss) -> None:
    await mss.send(mss.mail(recipient=PATIENT, headers={"X-MSS-MES": None}))
    mss.simulator.store.clear()
    await mss.refused(mss.mail(recipient=PATIENT, headers={"X-MSS-MES": "fin"}), 554, "header.X-MSS-MES")


def swap(old: str, new: str):
    def edit(text: str) -> str:
        assert old in text
        return text.replace(old, new)

    return edit


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"files": {"README.TXT": None}}, "xdm.layout"),
        ({"files": {"IHE_XDM/SUBSET01/METADATA.XML": None}}, "xdm.layout"),
        ({"files": {"readme.md": b"x"}}, "xdm.names"),
        ({"files": {"IHE_XDM/SUBSET01/DOCUMENT0001.XML": b"x"}}, "xdm.names"),
        ({"files": {"AUTRE/X.TXT": b"x"}}, "xdm.layout"),
        ({"files": {"IHE_XDM/SUBSET01/DOC0002.XML": b"<x/>"}}, "xdm.extra"),
        ({"files": {"IHE_XDM/SUBSET01/DOC0001.XML": b"<x/>"}}, "xdm.hash"),
        ({"files": {"IHE_XDM/SUBSET01/DOC0001.XML": None}}, "xdm.uri"),
        ({"metadata_edits": [swap('name="size"', 'name="taille"')]}, "xdm.size"),
        ({"metadata_edits": [swap("279035121518989", "184127645108946")]}, "xdm.patient_id"),
        ({"metadata_edits": [swap("urn:uuid:f0306f51", "urn:uuid:00000000")]}, "xdm.metadata"),
        ({"metadata_edits": [lambda _: "<autre/>"]}, "xdm.metadata"),
        ({"cda_edits": [lambda text: text.replace('<id root="2.25', '<id root="2.26', 1)]}, "xdm.unique_id"),
        ({"cda_edits": [lambda _: "<autre/>"]}, "cda.root"),
        ({"zip_edits": [lambda data: data[: len(data) // 2]]}, "xdm.zip"),
        ({"pdf": b"%PDF-1.4 autre"}, "pdf.bytes"),
        ({"pdf_name": "rapport.pdf"}, "pdf.name"),
        ({"body": "INS 279035121518989"}, "body.ins"),
        ({"mail_edits": [swap("charset=utf-8", "charset=latin-1")]}, "body.charset"),
        ({"mail_edits": [swap("Content-Disposition: attachment", "Content-Disposition: inline")]}, "mime.disposition"),
    ],
)
async def test_an_inconsistent_content_is_refused(mss, options: dict, rule: str) -> None:
    await mss.refused(mss.mail(**options), 554, rule)


async def test_a_patient_gets_no_document_of_somebody_else(mss) -> None:
    await mss.refused(mss.mail(recipient="184127645108946@patient.mssante.fr"), 554, "patient.ins")


async def test_a_patient_gets_nothing_under_an_unqualified_identity(mss) -> None:
    await mss.refused(mss.mail(recipient=PATIENT, qualified=False), 554, "patient.ins")
    await mss.refused(mss.mail(recipient=PATIENT, with_archive=False), 554, "patient.archive")


@pytest.mark.parametrize(
    ("recipient", "code", "rule"),
    [
        ("personne@medecins-fictifs.mssante.example", 550, "recipient.unknown"),
        ("elvire.inconnue-fictive@medecins-fictifs.mssante.example", 550, "recipient.unknown"),
        ("quelquun@messagerie.example", 550, "recipient.white_list"),
        ("279035121518988@patient.mssante.fr", 550, "recipient.patient"),
        ("remy.modele@patient.mssante.fr", 550, "recipient.patient"),
        ("agathe.pleine-fictive@medecins-fictifs.mssante.example", 552, "mailbox.full"),
        ("marius.suspendu-fictif@medecins-fictifs.mssante.example", 550, "mailbox.suspended"),
    ],
)
async def test_a_recipient_that_cannot_receive_is_refused(mss, recipient: str, code: int, rule: str) -> None:
    await mss.refused(mss.mail(recipient=recipient), code, rule)


async def test_a_mail_over_the_limit_is_refused(mss) -> None:
    await mss.refused(mss.mail(padding=10_100_000), 552, "smtp.size")


async def test_a_second_recipient_is_refused(mss) -> None:
    def attempt() -> tuple[int, bytes]:
        client = mss.connect()
        client.mail(mss.sender)
        client.rcpt(DOCTOR)
        answer = client.rcpt("antoine.modele-exemple@medecins-fictifs.mssante.example")
        client.close()
        return answer

    assert (await asyncio.to_thread(attempt))[0] == 550
    assert mss.simulator.refusals.rules == ["smtp.one_recipient"]


async def test_the_sender_is_the_mailbox_of_the_certificate(mss) -> None:
    await mss.refused(mss.mail(sender="autre@imagerie-des-rives.mssante.example"), 553, "smtp.sender")


async def test_mail_needs_tls_first(mss) -> None:
    def attempt() -> tuple[int, bytes]:
        client = smtplib.SMTP("localhost", mss.simulator.ports()["smtp_port"], timeout=60)
        client.ehlo()
        answer = client.mail(mss.sender)
        client.close()
        return answer

    assert (await asyncio.to_thread(attempt))[0] == 530


@pytest.mark.parametrize("name", [None, "rogue-client", "expired-client"])
async def test_tls_needs_a_valid_client_certificate(mss, name: str | None) -> None:
    def attempt() -> None:
        client = mss.connect(name)
        client.mail(mss.sender)

    with pytest.raises((OSError, smtplib.SMTPException)):
        await asyncio.to_thread(attempt)
    assert "tls.handshake" in mss.simulator.refusals.rules


async def test_tls_below_1_2_is_refused(mss) -> None:
    def attempt() -> None:
        context = mss.context()
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        client = smtplib.SMTP("localhost", mss.simulator.ports()["smtp_port"], timeout=60)
        client.starttls(context=context)

    with pytest.raises(ssl.SSLError):
        await asyncio.to_thread(attempt)


async def test_external_accepts_the_certificates_mailbox_only(mss) -> None:
    def attempt(identity: str) -> int:
        client = mss.connect()
        try:
            return client.auth("EXTERNAL", lambda challenge=None: identity, initial_response_ok=True)[0]
        except smtplib.SMTPAuthenticationError as error:
            return error.smtp_code
        finally:
            client.close()

    assert await asyncio.to_thread(attempt, mss.sender) == 235
    assert await asyncio.to_thread(attempt, "autre@mssante.example") == 535


@pytest.mark.parametrize("mss_settings", [MssSettings(sasl=("PLAIN",), sasl_required=True, passwords={})])
async def test_an_operator_may_require_a_login(mss) -> None:
    await mss.refused(mss.mail(), 530, "smtp.auth")


async def test_a_repeated_message_id_is_accepted_and_recorded(mss) -> None:
    mail = mss.mail(message_id=f"<un@{mss.sender.rpartition('@')[2]}>")
    await mss.send(mail)
    await mss.send(mail)
    assert [item.duplicate for item in mss.inbox(DOCTOR)] == [False, True]
    async with httpx.AsyncClient(trust_env=False) as http:
        base = f"http://127.0.0.1:{mss.simulator.control_port}/state"
        duplicates = (await http.get(f"{base}/duplicates")).json()
        boxes = (await http.get(f"{base}/mailboxes")).json()
    assert [item["address"] for item in duplicates] == [DOCTOR]
    assert boxes[DOCTOR][0]["subject"].startswith("XDM/1.0/DDM+CR d'imagerie médicale MODELE")


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ({"kind": "4xx", "target": "mail"}, 451),
        ({"kind": "5xx", "target": "data"}, 554),
        ({"kind": "4xx", "target": "data", "code": "452 4.2.2 essai"}, 452),
    ],
)
async def test_scripted_replies_deliver_nothing(mss, script: dict, code: int) -> None:
    mss.simulator.faults.add(script | {"count": 1})
    with pytest.raises(smtplib.SMTPResponseException) as caught:
        await mss.send(mss.mail())
    assert caught.value.smtp_code == code
    assert mss.inbox(DOCTOR) == []
    await mss.send(mss.mail())


async def test_a_lost_answer_leaves_the_mail_delivered(mss) -> None:
    mss.simulator.faults.add({"kind": "lost_answer", "count": 1})
    with pytest.raises((smtplib.SMTPServerDisconnected, OSError)):
        await mss.send(mss.mail())
    assert len(mss.inbox(DOCTOR)) == 1


async def test_down_resets_connections(mss) -> None:
    mss.simulator.faults.add({"kind": "down"})
    with pytest.raises((smtplib.SMTPServerDisconnected, OSError)):
        await mss.send(mss.mail())
    mss.simulator.faults.clear()
    await mss.send(mss.mail())
