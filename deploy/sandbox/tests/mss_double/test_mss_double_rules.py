"""The rest of the rules of a mail, one refusal each."""

import asyncio
import base64
import smtplib

import pytest

DOCTOR = "camille.referent-fictif@medecins-fictifs.mssante.example"


def swap(old: str, new: str, count: int = -1):
    def edit(text: str) -> str:
        assert old in text
        return text.replace(old, new, count)

    return edit


def without_document(text: str) -> str:
    start, end = text.index("<rim:ExtrinsicObject"), text.index("</rim:ExtrinsicObject>")
    text = text[:start] + text[end + len("</rim:ExtrinsicObject>") :]
    return text[: text.index("<rim:Association")] + "</rim:RegistryObjectList></lcm:SubmitObjectsRequest>"


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"mail_edits": [swap("Content-Type: text/plain", "Content-Type: text/html")]}, "body.text"),
        ({"mail_edits": [swap("application/pdf", "application/x-autre")]}, "pdf.present"),
        ({"mail_edits": [swap("base64\nContent-Disposition", "8bit\nContent-Disposition", 1)]}, "mime.encoding"),
        ({"body": "a" * 1100}, "mime.line_length"),
        ({"cda_edits": [swap("</ClinicalDocument>", "")]}, "cda.xml"),
        ({"cda_edits": [swap("</text>", "*</text>")]}, "cda.pdf"),
        ({"metadata_edits": [without_document], "files": {"IHE_XDM/SUBSET01/DOC0001.XML": None}}, "xdm.empty"),
        ({"metadata_edits": [lambda text: f"<!DOCTYPE x>{text}"]}, "xdm.metadata"),
    ],
)
async def test_a_malformed_mail_is_refused(mss, options: dict, rule: str) -> None:
    await mss.refused(mss.mail(**options), 554, rule)


async def test_two_archives_are_refused(mss) -> None:
    other = base64.encodebytes(b"PK").decode()
    part = (
        '--b1\nContent-Type: application/zip; name="IHE_XDM.zip"\nContent-Transfer-Encoding: base64\n'
        f'Content-Disposition: attachment; filename="IHE_XDM.zip"\n\n{other}--b1--'
    )
    await mss.refused(mss.mail(mail_edits=[swap("--b1--", part)]), 554, "mime.attachments")


async def test_two_patients_in_one_archive_are_refused(mss) -> None:
    other = mss.mail(cda_edits=[swap("279035121518989", "184127645108946")])
    other.metadata_edits.append(swap("279035121518989", "184127645108946"))
    content = other.cda()
    files = {"IHE_XDM/SUBSET02/DOC0001.XML": content, "IHE_XDM/SUBSET02/METADATA.XML": other.metadata(content)}
    await mss.refused(mss.mail(files=files), 554, "xdm.one_patient")


async def test_bare_line_feeds_are_refused(mss) -> None:
    def attempt() -> tuple[int, bytes]:
        client = mss.connect()
        client.mail(mss.sender)
        client.rcpt(DOCTOR)
        client.docmd("DATA")
        client.send(mss.mail().build().replace(b"X-MSS-NIL: DEV000000\r\n", b"X-MSS-NIL: DEV000000\n") + b"\r\n.\r\n")
        answer = client.getreply()
        client.close()
        return answer

    assert (await asyncio.to_thread(attempt))[0] == 554
    assert mss.simulator.refusals.rules == ["mime.line_ends"]


@pytest.mark.parametrize(
    ("commands", "code", "rule"),
    [
        (["MAIL FROM:<sans-arobase>"], 501, "smtp.address"),
        (["RCPT TO:<a@mssante.example>"], 503, None),
        (["DATA"], 503, None),
        (["VRFY a"], 502, None),
        (["AUTH LOGIN"], 504, "smtp.auth"),
        (["AUTH EXTERNAL ***"], 501, "smtp.auth"),
        (["STARTTLS"], 503, None),
    ],
)
async def test_a_wrong_command_is_refused(mss, commands: list[str], code: int, rule: str | None) -> None:
    def attempt() -> int:
        client = mss.connect()
        answer = [client.docmd(command)[0] for command in commands]
        client.close()
        return answer[-1]

    assert await asyncio.to_thread(attempt) == code
    assert mss.simulator.refusals.rules == ([rule] if rule else [])


async def test_authentication_before_tls_is_refused(mss) -> None:
    def attempt() -> list[int]:
        client = smtplib.SMTP("localhost", mss.simulator.ports()["smtp_port"], timeout=60)
        client.ehlo()
        codes = [client.docmd("AUTH EXTERNAL =")[0], client.docmd(f"MAIL FROM:<{mss.sender}>")[0]]
        client.close()
        return codes

    assert await asyncio.to_thread(attempt) == [504, 530]
    assert mss.simulator.refusals.rules == ["smtp.auth", "smtp.starttls"]
