"""MLLP over real sockets: frames, answers, limits, TLS, a stop that answers what has arrived."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from navette_chassis import OutcomeKind, TlsFiles
from navette_chassis.mllp import (
    Destination,
    Frame,
    FrameDecoder,
    Listener,
    ListenerUnavailable,
    Malformed,
    MllpClient,
    MllpServer,
    Peer,
    Refusal,
    Reply,
    frame,
    mllp_client,
    origin_of,
    outcome_of,
)
from navette_chassis.telemetry.metrics import Metrics, metrics, use
from navette_chassis.testing import until
from navette_sandbox.pki import Pki
from structlog.testing import capture_logs

pytestmark = pytest.mark.dsr("RIS.INS.55")


def adt(control_id: str, more: str = "") -> bytes:
    return f"MSH|^~\\&|A|B|C|D|1||ADT^A28|{control_id}|P|2.5\rPID|1||{more}\r".encode()


def ack(data: bytes, code: str = "AA") -> bytes:
    control_id = data.split(b"|")[9].decode()
    return f"MSH|^~\\&|C|D|A|B|1||ACK|{control_id}x|P|2.5\rMSA|{code}|{control_id}\r".encode()


class Desk:
    """Remembers what it was given and answers as told."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.refusals: list[Malformed] = []
        self.peers: list[Peer] = []
        self.code = "AA"
        self.broken = False
        self.hold: asyncio.Event | None = None
        self.held = 0

    async def received(self, data: bytes, peer: Peer) -> bytes:
        if self.hold is not None:
            self.held += 1
            await self.hold.wait()
        if self.broken:
            raise RuntimeError
        self.taken.append(data)
        self.peers.append(peer)
        return ack(data, self.code)

    async def refused(self, piece: Malformed, peer: Peer) -> bytes | None:
        self.refusals.append(piece)
        return b"MSH|^~\\&\rMSA|AR|\r" if piece.why is not Refusal.OUTSIDE else None


@asynccontextmanager
async def serving(desk: Desk, tls: ssl.SSLContext | None = None, **limits: Any) -> AsyncIterator[MllpServer]:
    server = MllpServer(Listener("pam", stop_seconds=10.0, **limits), desk, tls=tls)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@asynccontextmanager
async def line(server: MllpServer) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def answer(reader: asyncio.StreamReader) -> bytes:
    return (await asyncio.wait_for(reader.readuntil(b"\x1c\r"), 30))[1:-2]


@pytest.fixture
def desk() -> Desk:
    return Desk()


@given(st.lists(st.binary(min_size=1, max_size=40).filter(lambda one: not {0x0B, 0x1C} & set(one))), st.data())
def test_messages_come_out_whole_however_the_network_cuts_them(messages: list[bytes], data: st.DataObject) -> None:
    stream = b"\r\n".join(frame(one) for one in messages)
    decoder, found, position = FrameDecoder(1000), [], 0
    while position < len(stream):
        step = data.draw(st.integers(1, 30))
        found += list(decoder.feed(stream[position : position + step]))
        position += step
    assert found == [Frame(one) for one in messages]
    assert decoder.end() is None


@given(st.binary(max_size=400))
def test_any_bytes_are_held_within_the_limit_and_a_good_message_after_them_is_read(noise: bytes) -> None:
    decoder = FrameDecoder(50)
    pieces = list(decoder.feed(noise)) + list(decoder.feed(b"\x1c\r" + frame(b"GOOD")))
    assert pieces[-1] == Frame(b"GOOD")
    assert all(isinstance(one, Malformed) or len(one.data) <= 50 for one in pieces)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", Refusal.OUTSIDE),
        (b"\x0b" + b"x" * 200 + b"\x1c\r", Refusal.TOO_LARGE),
        (b"\x0bMSH|half\x0bMSH|whole\x1c\r", Refusal.RESTARTED),
        (b"\x0bMSH|a\x1cb\x1c\r", Refusal.END_WITHOUT_CR),
        (b"\x0b\x1c\r", Refusal.EMPTY),
    ],
)
def test_each_malformed_piece_is_named(data: bytes, why: Refusal) -> None:
    decoder = FrameDecoder(100)
    pieces = list(decoder.feed(data)) + list(decoder.feed(frame(b"next")))
    assert next(one.why for one in pieces if isinstance(one, Malformed)) is why
    assert pieces[-1] == Frame(b"next")


def test_a_message_that_holds_framing_bytes_is_not_sent() -> None:
    with pytest.raises(ValueError, match="no VT"):
        frame(b"a\x1cb")


async def test_messages_of_one_connection_are_answered_in_order_and_connections_stand_side_by_side(desk: Desk) -> None:
    async with serving(desk) as server, line(server) as (reader, writer), line(server) as (other, other_writer):
        writer.write(frame(adt("1")) + frame(adt("2")))
        other_writer.write(frame(adt("9")))
        assert b"MSA|AA|1\r" in await answer(reader)
        assert b"MSA|AA|2\r" in await answer(reader)
        assert b"MSA|AA|9\r" in await answer(other)
    assert desk.peers[0] == Peer("pam", None)


async def test_after_garbage_and_an_oversized_message_the_connection_goes_on(desk: Desk) -> None:
    async with serving(desk, max_message_bytes=1000) as server, line(server) as (reader, writer):
        writer.write(b"hello?" + frame(adt("big", "x" * 300_000)))
        assert b"MSA|AR|" in await answer(reader)
        writer.write(frame(adt("3")))
        assert b"MSA|AA|3" in await answer(reader)
    assert [one.why for one in desk.refusals] == [Refusal.OUTSIDE, Refusal.TOO_LARGE]
    assert desk.refusals[1].size > 300_000
    assert len(desk.refusals[1].evidence) <= 4096


async def test_a_peer_that_never_speaks_mllp_is_cut_off(desk: Desk) -> None:
    async with serving(desk, max_unframed_bytes=100_000) as server, line(server) as (reader, writer):
        writer.write(b"x" * 400_000)
        # What the server did not read any more makes its close a reset, depending on when it arrives.
        with suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(), 30) == b""
    assert desk.taken == []


@pytest.mark.parametrize("sent", [b"", b"\x0bMSH|never ended"])
async def test_silence_and_a_message_that_does_not_end_close_the_connection(desk: Desk, sent: bytes) -> None:
    async with serving(desk, idle_seconds=0.2, message_seconds=0.2) as server, line(server) as (reader, writer):
        writer.write(sent)
        assert await asyncio.wait_for(reader.read(), 30) == b""


async def test_a_peer_that_sends_without_a_pause_is_not_taken_for_one_that_never_ends(desk: Desk) -> None:
    """Each packet ends one message and begins the next: the time of one message does not run on over all of them."""
    async with serving(desk, message_seconds=0.5) as server, line(server) as (reader, writer):
        data = frame(adt("0"))
        writer.write(data[:20])
        for number in range(1, 9):
            await asyncio.sleep(0.1)
            following = frame(adt(str(number)))
            writer.write(data[20:] + following[:20])
            data = following
            assert f"MSA|AA|{number - 1}\r".encode() in await answer(reader)


async def test_a_message_cut_by_the_end_of_the_connection_is_recorded_and_not_taken(desk: Desk) -> None:
    async with serving(desk) as server:
        async with line(server) as (_, writer):
            writer.write(b"\x0b" + adt("1"))
            await writer.drain()
        await until(lambda: desk.refusals)
    assert desk.refusals[0].why is Refusal.TRUNCATED
    assert desk.taken == []


async def test_one_connection_too_many_is_closed(desk: Desk) -> None:
    async with serving(desk, max_connections=1) as server, line(server) as (reader, writer):
        writer.write(frame(adt("1")))
        await answer(reader)
        async with line(server) as (second, _):
            assert await asyncio.wait_for(second.read(), 30) == b""
        writer.write(frame(adt("2")))
        assert b"MSA|AA|2" in await answer(reader)


async def test_when_a_message_cannot_be_kept_there_is_no_answer_and_others_go_on(desk: Desk) -> None:
    desk.broken = True
    async with serving(desk) as server:
        async with line(server) as (reader, writer):
            writer.write(frame(adt("1")))
            assert await asyncio.wait_for(reader.read(), 30) == b""
        desk.broken = False
        async with line(server) as (reader, writer):
            writer.write(frame(adt("1")))
            assert b"MSA|AA|1" in await answer(reader)


async def test_a_stop_answers_what_has_arrived_and_takes_nothing_more(desk: Desk) -> None:
    desk.hold = asyncio.Event()
    async with serving(desk) as server:
        port = server.port
        async with line(server) as (reader, writer):
            writer.write(frame(adt("1")))
            await until(lambda: desk.held)
            stopping = asyncio.gather(server.stop(), server.stop())
            desk.hold.set()
            assert b"MSA|AA|1" in await answer(reader)
            await stopping
        with pytest.raises(OSError, match=str(port)):
            await asyncio.open_connection("127.0.0.1", port)


def server_tls(pki: Pki) -> ssl.SSLContext:
    certificate, key = pki.pair("service-ins")
    return TlsFiles("pam", pki.igc_ca, certificate, key).server_context()


def client_of(server: MllpServer, pki: Pki | None = None, pair: str | None = None, **options: Any) -> MllpClient:
    tls = None
    if pki is not None:
        certificate, key = pki.pair(pair) if pair else (None, None)
        tls = TlsFiles("pam-out", pki.internal_ca, certificate, key)
    return MllpClient(Destination("gam", "127.0.0.1", server.port, tls, **options))


async def test_with_tls_the_peer_is_known_by_its_certificate(desk: Desk, pki: Pki) -> None:
    async with serving(desk, server_tls(pki)) as server:
        client = client_of(server, pki, "mss-client")
        assert (await client.send(adt("1"), "1")).code == "AA"
        await client.close()
    assert desk.peers[0].subject is not None
    assert "@" in desk.peers[0].subject


async def test_with_tls_the_other_names_of_a_certificate_are_known_too(desk: Desk, pki: Pki) -> None:
    certificate, key = pki.pair("service-ins")
    tls = TlsFiles("pam", pki.internal_ca, certificate, key).server_context()
    async with serving(desk, tls) as server:
        client = client_of(server, pki, "service-report")
        assert (await client.send(adt("1"), "1")).code == "AA"
        await client.close()
    (peer,) = desk.peers
    assert "localhost" in peer.alternatives
    known = origin_of(peer)
    assert known["certificate"] == peer.subject
    assert known["certificate_names"].split() == list(peer.alternatives)


@pytest.mark.parametrize("pair", [None, "rogue-client", "expired-client"])
async def test_with_tls_a_peer_without_a_good_certificate_is_not_heard(desk: Desk, pki: Pki, pair: str | None) -> None:
    async with serving(desk, server_tls(pki)) as server:
        client = client_of(server, pki, pair)
        reply = await client.send(adt("1"), "1")
        await client.close()
        assert reply.code == ""
        assert outcome_of(reply).endpoint_down
        plain = client_of(server, answer_seconds=0.5)
        assert (await plain.send(adt("1"), "1")).code == ""
        await plain.close()
    assert desk.taken == []


@pytest.mark.parametrize(
    ("pair", "reason"),
    [(None, "peer_did_not_return_a_certificate"), ("rogue-client", "certificate_verify_failed")],
)
async def test_a_handshake_that_fails_leaves_a_line_and_a_count(
    desk: Desk, pki: Pki, pair: str | None, reason: str
) -> None:
    before = metrics()
    use(Metrics())
    try:
        async with serving(desk, server_tls(pki)) as server:
            with capture_logs() as lines:
                client = client_of(server, pki, pair)
                assert (await client.send(adt("1"), "1")).code == ""
                await client.close()
                await until(lambda: lines)
        (line_,) = [one for one in lines if one["event"] == "mllp.handshake_failed"]
        assert (line_["name"], line_["reason"]) == ("pam", reason)
        assert 'navette_mllp_refused_total{listener="pam",reason="tls_handshake"} 1' in metrics().text()
    finally:
        use(before)


async def test_a_port_that_is_taken_is_said_with_the_name_of_the_listener(desk: Desk) -> None:
    async with serving(desk) as server:
        second = MllpServer(Listener("receipts", port=server.port), desk)
        with (
            capture_logs() as lines,
            pytest.raises(ListenerUnavailable, match=f"receipts .*:{server.port}: EADDRINUSE"),
        ):
            await second.start()
        (line_,) = lines
        assert (line_["event"], line_["name"], line_["port"]) == ("mllp.not_listening", "receipts", server.port)
        assert (line_["log_level"], line_["reason"]) == ("error", "EADDRINUSE")


async def test_the_client_keeps_its_connection_and_survives_a_server_that_restarts(desk: Desk) -> None:
    async with serving(desk) as server:
        client = client_of(server)
        assert [(await client.send(adt(str(n)), str(n))).code for n in range(3)] == ["AA"] * 3
        port = server.port
    refused = await client.send(adt("4"), "4")
    assert (refused.code, outcome_of(refused).kind) in {("", OutcomeKind.TRANSIENT), ("", OutcomeKind.AMBIGUOUS)}
    async with serving(desk, port=port):
        assert (await client.send(adt("4"), "4")).code == "AA"
        await client.close()


async def test_nobody_listening_means_not_sent(desk: Desk) -> None:
    async with serving(desk) as server:
        client = client_of(server)
    reply = await client.send(adt("1"), "1")
    assert not reply.sent
    assert outcome_of(reply).kind is OutcomeKind.TRANSIENT


@asynccontextmanager
async def answering(*answers: bytes, answer_seconds: float = 0.3) -> AsyncIterator[Destination]:
    """A peer that answers each message with given bytes, whatever was asked."""

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\x1c\r")
        for one in answers:
            writer.write(one)
        await writer.drain()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(peer, "127.0.0.1", 0)
    async with server:
        yield Destination("gam", "127.0.0.1", server.sockets[0].getsockname()[1], answer_seconds=answer_seconds)


async def test_a_late_answer_to_another_message_is_not_taken_for_ours() -> None:
    async with (
        answering(frame(ack(adt("1"), "AE")), frame(ack(adt("2"))), answer_seconds=30) as destination,
        mllp_client(destination) as client,
    ):
        assert (await client.send(adt("2"), "2")).code == "AA"


@pytest.mark.parametrize(
    "said", [b"", b"garbage", frame(ack(adt("7"))), frame(b"MSH|^~\\&\rMSA\r"), b"\x0b\x1c\r", b"\x0bMSH|half"]
)
async def test_without_an_answer_to_our_message_nobody_knows(said: bytes) -> None:
    async with answering(said) as destination, mllp_client(destination) as client:
        outcome = outcome_of(await client.send(adt("2"), "2"))
    assert (outcome.kind, outcome.endpoint_down) == (OutcomeKind.AMBIGUOUS, True)


@pytest.mark.parametrize("code", ["", "OK", "MSA"])
async def test_an_answer_to_our_message_without_a_code_of_the_table_says_nothing(code: str) -> None:
    answer = ack(adt("2")).replace(b"MSA|AA|", f"MSA|{code}|".encode())
    async with answering(frame(answer), answer_seconds=30) as destination, mllp_client(destination) as client:
        outcome = outcome_of(await client.send(adt("2"), "2"))
    # Somebody answered: the others need not wait.
    assert (outcome.kind, outcome.code, outcome.endpoint_down) == (
        OutcomeKind.AMBIGUOUS,
        "unknown_acknowledgement",
        False,
    )


@pytest.mark.parametrize(
    ("reply", "kind", "code"),
    [
        (Reply("AA"), OutcomeKind.DELIVERED, "AA"),
        (Reply("CA"), OutcomeKind.DELIVERED, "CA"),
        (Reply("AE", "101"), OutcomeKind.PERMANENT, "AE.101"),
        (Reply("AR", "207"), OutcomeKind.TRANSIENT, "AR.207"),
        (Reply("AR", "DUPONT"), OutcomeKind.TRANSIENT, "AR"),
        (Reply("ZZ"), OutcomeKind.AMBIGUOUS, "unknown_acknowledgement"),
        (Reply("none"), OutcomeKind.AMBIGUOUS, "unknown_acknowledgement"),
        (Reply("", sent=False, why="ConnectionRefusedError"), OutcomeKind.TRANSIENT, "ConnectionRefusedError"),
        (Reply("", why="TimeoutError"), OutcomeKind.AMBIGUOUS, "TimeoutError"),
    ],
)
def test_each_answer_has_its_class(reply: Reply, kind: OutcomeKind, code: str) -> None:
    outcome = outcome_of(reply)
    assert (outcome.kind, outcome.code) == (kind, code)
