"""Answers, repetitions, hostile bytes, killed processes: nothing lost, nothing doubled, the connection goes on."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from navette_chassis import TlsFiles
from navette_chassis.mllp import Destination, Peer, mllp_client
from navette_documents.hl7v2 import parse, read_ack
from navette_documents.sites import load_sites
from navette_report.adapters import intake_worker
from navette_report.adapters.intake_links import intake_desk
from navette_report.adapters.intake_listener import ReportIntake
from navette_report.adapters.intake_messages import MESSAGES, MessageStore
from navette_report.domain.intake.reasons import REASONS
from navette_report.use_cases import integrate_report_message
from navette_sandbox.ports import free_port
from pymongo import MongoClient


async def rows(links: Any) -> list[dict[str, Any]]:
    return list(await links.service.database[MESSAGES].find({}).sort("_id", 1).to_list())


# --- answers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "code", "condition", "location"),
    [
        ({"MSH_3": "INCONNU"}, "AR", "207", "MSH^1^3"),
        ({"MSH_9": "ADT^A01"}, "AE", "200", "MSH^1^9^1^1"),
        ({"MSH_9": "MDM^T08", "MSH_10": "O1"}, "AE", "201", "MSH^1^9^1^2"),
        ({"MSH_10": ""}, "AE", "101", "MSH^1^10"),
        ({"PID_1": None}, "AE", "100", "PID^1"),
        ({"OBR_1": None}, "AE", "100", "OBR^1"),
        ({"OBX_1": None}, "AE", "100", "OBX^1"),
    ],
)
async def test_what_the_sender_must_correct_is_answered_with_its_position_and_kept(
    links: Any, reference: Any, change: dict[str, str | None], code: str, condition: str, location: str
) -> None:
    answer = await links.raw(reference("oru_r01_legacy_text", **change))
    read = read_ack(answer)
    assert (read.code, read.conditions) == (code, (condition,))
    assert parse(answer).require("ERR").raw(2) == location
    (row,) = await rows(links)
    assert (row["state"], row["ack_code"]) == ("refused", code)
    assert await links.reports() == []


async def test_a_test_message_is_refused_in_production(open_links: Any, reference: Any, monkeypatch: Any) -> None:
    from navette_report.use_cases import receive_report_message

    judged = receive_report_message._check
    monkeypatch.setattr(receive_report_message, "_check", lambda message, **_: judged(message, production=True))
    async with open_links() as links:
        assert (await links.send(reference("oru_r01_legacy_text"))).conditions == ("202",)
        assert (await links.send(reference("oru_r01_legacy_text", MSH_11="P", MSH_10="O1"))).code == "AA"


async def test_an_answer_swaps_the_systems_and_speaks_the_charset_of_the_message(links: Any, reference: Any) -> None:
    answer = await links.raw(reference("oru_r01_legacy_text"))
    msh = parse(answer).msh
    assert [msh.value(number) for number in (3, 4, 5, 6)] == ["RIS", "IMAGERIE-TEST", "OLDRIS", "CH-TEST"]
    assert (msh.raw(9), msh.value(12), msh.value(17), msh.value(18)) == ("ACK^R01^ACK", "2.3.1", "FRA", "8859/15")
    assert msh.value(21) == ""
    assert read_ack(answer).control_id == "O0004"


# --- repetitions ------------------------------------------------------------------------------------------------------


async def test_the_same_bytes_under_the_same_number_are_one_message(links: Any, oru: Any) -> None:
    await links.identify()
    await links.take(oru())
    assert [(await links.send(oru())).code for _ in range(3)] == ["AA"] * 3
    assert len(await rows(links)) == 1
    assert len(await links.reports()) == 1


async def test_other_bytes_under_a_known_number_are_refused_and_kept(links: Any, oru: Any) -> None:
    await links.identify()
    await links.take(oru())
    answer = await links.send(oru(OBX_5="CONCLUSION : autre chose"))
    assert (answer.code, answer.conditions) == ("AE", ("199",))
    kept = (await rows(links))[1]
    assert (kept["state"], kept["reason"]) == ("refused", "control_id_reused")
    assert (await links.send(oru(OBX_5="CONCLUSION : autre chose"))).code == "AE"
    assert len(await rows(links)) == 2
    # A person may still let it go: the rules of documents then decide.
    done = await links.ask("POST", f"/intake/messages/{kept['_id']}/replay", json={})
    assert (done["state"], done["reason"]) == ("waiting", "changed_without_correction")


async def test_of_two_processes_that_receive_one_number_at_once_only_one_accepts(
    links: Any, oru: Any, monkeypatch: Any
) -> None:
    """Both look before either writes: one is accepted, the other refused for its number and kept."""
    both_looked, earlier = asyncio.Barrier(2), MessageStore.earlier
    looks = itertools.count()

    async def look(self: Any, keys: Any) -> Any:
        found = await earlier(self, keys)
        if next(looks) < 2:
            await both_looked.wait()
        return found

    monkeypatch.setattr(MessageStore, "earlier", look)
    sites = load_sites(links.settings.required_sites_file().read_bytes())
    desk = intake_desk(links.service, links.settings, sites, ZoneInfo("Europe/Paris"))
    limits = {"stored": lambda: None, "max_items": 1, "max_bytes": 1_000_000}

    async def process(data: bytes) -> str:
        async with ReportIntake(links.service, desk.rules, **limits).running() as intake:
            return str(read_ack(await intake.received(data, Peer("intake", None))).code)

    answers = await asyncio.gather(process(oru()), process(oru(OBX_5="CONCLUSION : autre chose")))
    assert sorted(answers) == ["AA", "AE"]
    kept = {row["ack_code"]: row for row in await rows(links)}
    assert (kept["AE"]["reason"], len(kept)) == ("control_id_reused", 2)


async def test_a_number_accepted_meanwhile_is_not_accepted_again_for_what_was_put_off(
    links: Any, oru: Any, tmp_path: Path
) -> None:
    """The first was answered "later", another took its number, and the first comes again."""
    senders = tmp_path / "senders.json"
    known = senders.read_text()
    senders.write_text("[]")
    assert (await links.send(oru())).code == "AR"
    senders.write_text(known)
    assert (await links.send(oru(OBX_5="CONCLUSION : autre chose"))).code == "AA"
    again = await links.send(oru())
    assert (again.code, again.conditions) == ("AE", ("199",))
    assert [row["ack_code"] for row in await rows(links)] == ["AR", "AA"]


async def test_a_sender_configured_later_is_heard_when_it_comes_again_or_is_replayed(
    links: Any, oru: Any, tmp_path: Path
) -> None:
    await links.identify()
    assert (await links.send(oru(MSH_3="NOUVEAU"))).code == "AR"
    assert (await links.send(oru(MSH_3="NOUVEAU", MSH_10="N2", OBR_3="A2", ORC_3="A2"))).code == "AR"
    refused = (await rows(links))[1]
    async with links.caller("operator") as http:
        still = await http.post(f"/intake/messages/{refused['_id']}/replay", json={})
    assert still.status_code == 409
    assert "émetteur" in still.json()["detail"]
    known = json.loads((tmp_path / "senders.json").read_text())
    (tmp_path / "senders.json").write_text(json.dumps([*known, known[0] | {"name": "neuf", "application": "NOUVEAU"}]))
    assert (await links.send(oru(MSH_3="NOUVEAU"))).code == "AA"
    row = await links.become("O0004", "integrated")
    assert (row["sender"], row["site_id"], row["ack_code"]) == ("neuf", "site-nord", "AA")
    done = await links.ask("POST", f"/intake/messages/{refused['_id']}/replay", roles=("operator",), json={})
    assert done["state"] == "integrated"
    assert len(await rows(links)) == 2


async def test_an_unusable_file_of_senders_is_not_taken(links: Any, oru: Any, tmp_path: Path) -> None:
    (tmp_path / "senders.json").write_text("[{]")
    assert (await links.send(oru())).code == "AA"


async def test_many_messages_at_once_are_written_together_and_each_is_answered(links: Any, oru: Any) -> None:
    async def one(number: int) -> str:
        return str((await links.send(oru(MSH_10=f"B{number}", PID_3=f"X{number}^^^CH-TEST&990000019&M^PI"))).code)

    answers = await asyncio.gather(*(one(number) for number in range(24)))
    assert answers == ["AA"] * 24
    assert len({row["control_id"] for row in await rows(links)}) == 24


# --- hostile bytes ----------------------------------------------------------------------------------------------------


async def test_hostile_bytes_are_refused_and_recorded_and_the_same_connection_goes_on(links: Any, oru: Any) -> None:
    await links.identify()
    chance = random.Random(7)
    reader, writer = await asyncio.open_connection("127.0.0.1", links.port)

    async def ask(data: bytes) -> Any:
        writer.write(data)
        return read_ack((await asyncio.wait_for(reader.readuntil(b"\x1c\r"), 30))[1:-2])

    def framed(data: bytes) -> bytes:
        return b"\x0b" + data + b"\x1c\r"

    for garbage in (
        chance.randbytes(900).replace(b"\x0b", b"").replace(b"\x1c", b""),
        b"MSH",
        b"MSH|^~\\&" + b"|" * 5_000,
        b"MSH|||||\r",
        b"\x00" * 50,
        b"PID|1\r" * 10,
    ):
        assert (await ask(framed(garbage))).code == "AR"
    assert (await ask(framed(oru(MSH_10="H1") + b"NTE|1||" + b"^" * 50_000 + b"\r"))).code == "AE"
    assert (await ask(framed(oru(MSH_10="H2") + b"ZZZ|1\r" * 6_000))).code == "AE"
    assert (await ask(b"noise" + framed(oru()))).code == "AA"
    assert (await links.become("O0004", "integrated"))["report_id"]
    writer.close()
    kept = [row["reason"] for row in await rows(links) if row["state"] == "refused"]
    assert len(kept) == 9
    assert "framing_outside_frame" in kept
    assert set(kept) <= set(REASONS), "each has a sentence of its own"
    assert len({REASONS[reason] for reason in kept}) == len(set(kept)) > 5


async def test_a_message_beyond_the_limit_is_refused_without_being_held(open_links: Any, oru: Any) -> None:
    async with open_links(intake_max_message_bytes=20_000) as links:
        await links.identify()
        large = oru(MSH_10="L1") + b"NTE|1||" + b"x" * 30_000
        answer = await links.send(large)
        # Not AR: a sender would send it again for ever.
        assert (answer.code, answer.control_id) == ("AE", "L1")
        assert (await links.send(oru())).code == "AA"
        refused = (await rows(links))[0]
        assert (refused["reason"], refused["whole"]) == ("message_too_large", False)
        async with links.caller("operator") as http:
            replay = await http.post(f"/intake/messages/{refused['_id']}/replay", json={})
        assert replay.status_code == 409
        assert "renvoyer" in replay.json()["detail"]


async def test_a_large_message_is_kept_in_pieces_and_read_whole(links: Any, reference: Any) -> None:
    import base64

    await links.identify()
    pdf = b"%PDF-1.4\n" + random.Random(3).randbytes(7_000_000)
    field = "^application^pdf^Base64^" + base64.b64encode(pdf).decode()
    data = reference("oru_r01_legacy_pdf", OBX_5=field) + b"ZDS|1.2.250.1.999.1.7\r"
    row = await links.take(data, "to_review")
    async with links.caller("secretary") as http:
        assert (await http.get(f"/reports/{row['report_id']}/received")).content == pdf


async def test_other_senders_are_answered_while_a_large_report_is_read(
    links: Any, reference: Any, oru: Any, monkeypatch: Any
) -> None:
    import base64

    await links.identify()
    read, begun, answered = integrate_report_message.read_report, threading.Event(), threading.Event()
    order = []

    def slowly(message: Any, *arguments: Any, **more: Any) -> Any:
        if message.control_id == "LARGE":
            begun.set()
            answered.wait(20)  # nobody is answered where this keeps the loop
            order.append("read")
        return read(message, *arguments, **more)

    monkeypatch.setattr(integrate_report_message, "read_report", slowly)
    rtf = base64.b64encode(b"{\\rtf1 CONCLUSION : longue." + b"\\par " * 200_000 + b"}").decode()
    await links.send(reference("oru_r01_legacy_pdf", MSH_10="LARGE", OBX_5=f"^TEXT^RTF^Base64^{rtf}"))
    assert await asyncio.to_thread(begun.wait, 30)
    assert (await links.send(oru())).code == "AA"
    order.append("answered")
    answered.set()
    assert (await links.row("LARGE"))["state"] == "waiting"
    assert order == ["answered", "read"]


async def test_a_message_that_breaks_the_program_is_kept_and_does_not_stop_those_behind_it(
    links: Any, oru: Any, monkeypatch: Any
) -> None:
    await links.identify()
    integrate = intake_worker.integrate_report_message

    async def breaks(uow: Any, desk: Any, message_id: str) -> Any:
        row = await uow.collection(MESSAGES).find_one({"_id": message_id})
        if row["control_id"] == "BOOM":
            raise RuntimeError("unforeseen")
        return await integrate(uow, desk, message_id)

    monkeypatch.setattr(intake_worker, "integrate_report_message", breaks)
    await links.send(oru(MSH_10="BOOM", OBR_3="A1", ORC_3="A1"))
    await links.take(oru())
    assert (await links.become("BOOM", "waiting"))["reason"] == "unexpected"
    monkeypatch.undo()
    boom = next(row for row in await rows(links) if row["control_id"] == "BOOM")
    done = await links.ask("POST", f"/intake/messages/{boom['_id']}/replay", roles=("operator",), json={})
    assert done["state"] == "integrated"


async def test_without_a_database_the_sender_keeps_its_message(links: Any, oru: Any, monkeypatch: Any) -> None:
    from pymongo.errors import ServerSelectionTimeoutError

    transact = links.service.transact

    async def away(*_: Any, **__: Any) -> Any:
        raise ServerSelectionTimeoutError("away")

    monkeypatch.setattr(links.service, "transact", away)
    answer = await links.send(oru())
    assert (answer.code, answer.control_id) == ("AR", "O0004")
    monkeypatch.setattr(links.service, "transact", transact)
    assert (await links.send(oru())).code == "AA"


async def test_senders_show_a_certificate_and_one_may_be_held_to_its_own(
    open_links: Any, oru: Any, pki: Any, tmp_path: Path
) -> None:
    certificate, key = pki.pair("service-report")
    own, own_key = pki.pair("service-ins")
    known = json.loads((tmp_path / "senders.json").read_text())
    files = {"intake_cert": certificate, "intake_key": key, "intake_ca": pki.internal_ca}

    async def send(port: int, number: str) -> str:
        tls = TlsFiles("sender", pki.internal_ca, own, own_key)
        async with mllp_client(Destination("sender", "localhost", port, tls)) as client:
            return (await client.send(oru(MSH_10=number), number)).code

    async with open_links(**files) as links:
        assert await send(links.port, "T1") == "AA"
        (row,) = await rows(links)
        (tmp_path / "senders.json").write_text(json.dumps([known[0] | {"certificate": "somebody-else"}]))
        assert await send(links.port, "T2") == "AR"
        (tmp_path / "senders.json").write_text(json.dumps([known[0] | {"certificate": row["certificate"]}]))
        assert await send(links.port, "T3") == "AA"
        reader, writer = await asyncio.open_connection("127.0.0.1", links.port)
        writer.write(b"\x0b" + oru() + b"\x1c\r")
        assert b"MSA" not in await asyncio.wait_for(reader.read(), 30)
        writer.close()


# --- killed processes -------------------------------------------------------------------------------------------------


@contextmanager
def process(settings: Any, port: int, *, mode: str = "serve") -> Iterator[subprocess.Popen[bytes]]:
    """The service as an operator runs it."""
    names = ("environment", "kafka_bootstrap", "kafka_idempotent", "mongo_database", "psc_auth_url", "keyring")
    names += ("sites_file", "index_key", "intake_senders_file", "lease_ttl_seconds", "intake_poll_seconds")
    values = {f"NAVETTE_{name.upper()}": str(getattr(settings, name)) for name in names}
    values |= {"NAVETTE_MONGO_URI": settings.mongo_uri.get_secret_value(), "NAVETTE_HTTP_HOST": "127.0.0.1"}
    values |= {"NAVETTE_HTTP_PORT": str(free_port()), "NAVETTE_INTAKE_PORT": str(port)}
    command = [sys.executable, "-m", "navette_report", mode]
    started = subprocess.Popen(command, env={"PATH": os.environ["PATH"], **values}, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert started.poll() is None, "the service ended"
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield started
    finally:
        if started.poll() is None:
            started.send_signal(signal.SIGKILL)
        started.wait(30)


def _wait(condition: Any) -> Any:
    deadline = time.monotonic() + 60
    while not (value := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return value


def test_killed_between_the_store_and_the_answer_nothing_is_lost_and_nothing_doubled(
    intake_settings: Any, oru: Any
) -> None:
    """The sender never reads an answer; each process is killed as soon as the message is durable, or a bit later."""
    port = free_port()
    with MongoClient[dict[str, Any]](intake_settings.mongo_uri.get_secret_value()) as client:
        messages = client[intake_settings.mongo_database][MESSAGES]
        for number, pause in enumerate((0.0, 0.02, 0.1, 0.3)):
            data = oru(MSH_10=f"K{number}", OBR_3=f"A{number}", ORC_3=f"A{number}")
            with process(intake_settings, port) as running:
                sender = socket.create_connection(("127.0.0.1", port), 10)
                sender.sendall(b"\x0b" + data + b"\x1c\r")
                _wait(lambda key=f"K{number}": messages.find_one({"control_id": key}))
                time.sleep(pause)
                running.send_signal(signal.SIGKILL)
                running.wait(30)
                sender.close()
        with process(intake_settings, port):
            for number in range(4):
                data = oru(MSH_10=f"K{number}", OBR_3=f"A{number}", ORC_3=f"A{number}")
                with socket.create_connection(("127.0.0.1", port), 10) as again:
                    again.settimeout(30)
                    again.sendall(b"\x0b" + data + b"\x1c\r")
                    answer = b""
                    while not answer.endswith(b"\x1c\r"):
                        answer += again.recv(65536)
                assert read_ack(answer[1:-2]).code == "AA"
            _wait(lambda: messages.count_documents({"state": "waiting", "reason": "patient_unknown"}) == 4)
        assert messages.count_documents({}) == 4


async def test_killed_at_any_step_of_the_integration_a_report_is_made_once(
    links: Any, oru: Any, monkeypatch: Any
) -> None:
    """Each write of the integration is cut off once: the transaction leaves nothing, and the next round does it all."""
    from navette_chassis.unit_of_work import BoundCollection
    from pymongo.errors import AutoReconnect

    await links.identify()
    cut = {"at": 0, "seen": 0}

    def broken(original: Any) -> Any:
        async def write(self: Any, *arguments: Any, **more: Any) -> Any:
            cut["seen"] += 1
            if cut["seen"] == cut["at"]:
                raise AutoReconnect("cut")
            return await original(self, *arguments, **more)

        return write

    integrate = intake_worker.integrate_report_message

    async def one_step_further(*arguments: Any) -> Any:
        cut.update(at=cut["at"] + 1, seen=0)
        return await integrate(*arguments)

    monkeypatch.setattr(intake_worker, "integrate_report_message", one_step_further)
    for name in ("insert_one", "insert_many", "update_one", "replace_one", "update_many"):
        monkeypatch.setattr(BoundCollection, name, broken(getattr(BoundCollection, name)))
    assert (await links.send(oru())).code == "AA"
    row = await links.become("O0004", "integrated")
    assert cut["at"] > 6, "each write of the integration was cut off once"
    assert [one["report_id"] for one in await links.reports()] == [row["report_id"]]
