"""DSN and MDN arrive in the sender's mailbox, readable by IMAP with the standard library."""

import asyncio
import email
import imaplib
import threading
from email.policy import default

import httpx
import pytest

DOCTOR = "camille.referent-fictif@medecins-fictifs.mssante.example"


def blocks(raw: bytes) -> tuple[str, dict[str, str], dict[str, str]]:
    """Report type, per-message and per-recipient fields of a report mail."""
    message = email.message_from_bytes(raw, policy=default)
    part = next(item for item in message.walk() if item.get_content_type() == "message/delivery-status")
    first, second = part.get_payload()
    return str(message.get_param("report-type")), dict(first.items()), dict(second.items())


async def test_a_success_dsn_carries_envid_and_orcpt(mss) -> None:
    options = ["ENVID=RIS000457", "RET=HDRS", "SIZE=1000", "BODY=8BITMIME"]
    await mss.send(mss.mail(), options, ["NOTIFY=SUCCESS,FAILURE", f"ORCPT=rfc822;{DOCTOR}"])
    (receipt,) = mss.inbox(mss.sender)
    kind, message, recipient = blocks(receipt.raw)
    assert kind == "delivery-status"
    assert message["Original-Envelope-Id"] == "RIS000457"
    assert (recipient["Action"], recipient["Status"]) == ("delivered", "2.0.0")
    assert recipient["Original-Recipient"] == f"rfc822;{DOCTOR}"
    assert b"X-MSS-NIL: DEV000000" in receipt.raw
    assert b"IHE_XDM.zip" not in receipt.raw


async def test_no_dsn_unless_asked(mss) -> None:
    await mss.send(mss.mail())
    await mss.send(mss.mail(), ["ENVID=A"], ["NOTIFY=FAILURE"])
    assert mss.inbox(mss.sender) == []


async def test_a_bouncing_mailbox_returns_a_failure_with_the_whole_mail_if_asked(mss) -> None:
    recipient = "salome.rebond-fictif@medecins-fictifs.mssante.example"
    await mss.send(mss.mail(recipient=recipient), ["ENVID=B", "RET=FULL"], ["NOTIFY=SUCCESS,FAILURE"])
    assert mss.inbox(recipient) == []
    (receipt,) = mss.inbox(mss.sender)
    _, _, fields = blocks(receipt.raw)
    assert (fields["Action"], fields["Status"]) == ("failed", "5.1.1")
    assert b"IHE_XDM.zip" in receipt.raw


@pytest.mark.parametrize(
    ("mail_options", "rcpt_options"),
    [(["AUTRE=1"], []), (["RET=TOUT"], []), ([], ["NOTIFY=PEUT-ETRE"]), ([], ["NOTIFY=NEVER,SUCCESS"]), ([], ["X=1"])],
)
async def test_an_unknown_or_wrong_parameter_is_refused(mss, mail_options: list, rcpt_options: list) -> None:
    with pytest.raises(Exception, match=r"5(55|01)"):
        await mss.send(mss.mail(), mail_options, rcpt_options)
    assert mss.simulator.refusals.rules == ["smtp.parameter"]


async def test_a_reading_receipt_reaches_the_sender(mss) -> None:
    mail = mss.mail(message_id=f"<lu@{mss.sender.rpartition('@')[2]}>")
    await mss.send(mail)
    async with httpx.AsyncClient(trust_env=False) as http:
        url = f"http://127.0.0.1:{mss.simulator.control_port}/state/read"
        unknown = await http.post(url, json={"address": DOCTOR, "message_id": "<x@y>"})
        done = await http.post(url, json={"address": DOCTOR, "message_id": mail.message_id})
    assert (unknown.status_code, done.status_code) == (400, 204)
    (receipt,) = mss.inbox(mss.sender)
    assert b"Disposition: manual-action/MDN-sent-manually; displayed" in receipt.raw
    assert f"Original-Message-ID: {mail.message_id}".encode() in receipt.raw


def read_with_imaplib(mss) -> dict:
    client = mss.imap()
    client.authenticate("EXTERNAL", lambda _: b"")
    found: dict = {"select": client.select("INBOX")}
    found["all"] = client.uid("SEARCH", None, "ALL")[1][0]
    found["unseen"] = client.uid("SEARCH", None, "UNSEEN")[1][0]
    found["since"] = client.uid("SEARCH", None, "SINCE", "01-Jan-2020")[1][0]
    found["before"] = client.uid("SEARCH", None, "BEFORE", "01-Jan-2020")[1][0]
    found["header"] = client.uid("SEARCH", None, "HEADER", "Auto-Submitted", '"auto-replied"')[1][0]
    found["not"] = client.uid("SEARCH", None, "NOT", "HEADER", "Auto-Submitted", '""')[1][0]
    found["peek"] = client.uid("FETCH", "1", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)] FLAGS)")[1]
    found["body"] = client.uid("FETCH", "1", "(BODY[])")[1][0][1]
    found["seen"] = client.uid("SEARCH", None, "SEEN")[1][0]
    client.create("Traites")
    found["move"] = client.uid("MOVE", "1", "Traites")
    found["left"] = client.uid("SEARCH", None, "ALL")[1][0]
    client.uid("COPY", "2", "Traites")
    client.uid("STORE", "2", "+FLAGS", "(\\Deleted)")
    client.expunge()
    found["gone"] = client.uid("SEARCH", None, "ALL")[1][0]
    client.select("Traites")
    found["kept"] = client.search(None, "ALL")[1][0]
    client.logout()
    return found


async def test_imaplib_reads_searches_flags_and_moves(mss) -> None:
    for envid in ("A", "B"):
        await mss.send(mss.mail(), [f"ENVID={envid}"], ["NOTIFY=SUCCESS"])
    found = await asyncio.to_thread(read_with_imaplib, mss)
    assert found["select"] == ("OK", [b"2"])
    assert found["all"] == found["unseen"] == found["since"] == found["header"] == b"1 2"
    assert (found["before"], found["not"]) == (b"", b"")
    assert b"Subject: Successful Mail Delivery Report" in found["peek"][0][1]
    assert b"Original-Envelope-Id: A" in found["body"]
    assert found["seen"] == b"1"
    assert found["move"][0] == "OK"
    assert (found["left"], found["gone"], found["kept"]) == (b"2", b"", b"1 2")


def idle(mss, ready: threading.Event) -> str:
    client = mss.imap()
    client.authenticate("EXTERNAL", lambda _: b"")
    client.select("INBOX")
    client.send(b"I1 IDLE\r\n")
    assert client.readline().startswith(b"+")
    ready.set()
    pushed = client.readline().decode()
    client.send(b"DONE\r\n")
    while not (line := client.readline()).startswith(b"I1 "):
        pushed += line.decode()
    client.shutdown()
    return pushed


async def test_idle_tells_of_a_new_mail(mss) -> None:
    ready = threading.Event()
    waiting = asyncio.create_task(asyncio.to_thread(idle, mss, ready))
    await asyncio.to_thread(ready.wait, 10)
    await mss.send(mss.mail(), ["ENVID=A"], ["NOTIFY=SUCCESS"])
    assert "* 1 EXISTS" in await waiting


@pytest.mark.parametrize(
    "attempt",
    [
        lambda client: client.authenticate("EXTERNAL", lambda _: b"autre@mssante.example"),
        lambda client: client.login("a", "b"),
        lambda client: client.select("INBOX"),
    ],
)
async def test_imap_shows_a_mailbox_to_its_certificate_only(mss, attempt) -> None:
    def run() -> None:
        client = mss.imap()
        try:
            attempt(client)
        finally:
            client.shutdown()

    with pytest.raises(imaplib.IMAP4.error):
        await asyncio.to_thread(run)


@pytest.mark.parametrize("name", [None, "rogue-client"])
async def test_imap_tls_needs_a_valid_client_certificate(mss, name: str | None) -> None:
    def run() -> None:
        client = mss.imap(name)
        client.authenticate("EXTERNAL", lambda _: b"")

    with pytest.raises((OSError, imaplib.IMAP4.error)):
        await asyncio.to_thread(run)
    assert "tls.handshake" in mss.simulator.refusals.rules


@pytest.mark.parametrize("line", ["FETCH 1 (", "SEARCH INVENTE", "INCONNU", "FETCH 1 (INVENTE)"])
async def test_a_wrong_imap_command_is_bad(mss, line: str) -> None:
    def run() -> str:
        client = mss.imap()
        client.authenticate("EXTERNAL", lambda _: b"")
        client.select("INBOX")
        client.send(f"X1 {line}\r\n".encode())
        answer = client.readline()
        client.shutdown()
        return answer.decode()

    await mss.send(mss.mail(), ["ENVID=A"], ["NOTIFY=SUCCESS"])
    assert (await asyncio.to_thread(run)).startswith("X1 BAD")
