"""Certificates are files: a changed file counts without a restart, a broken one does not stop what runs."""

from __future__ import annotations

import asyncio
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from navette_chassis import tls
from navette_chassis.tls import ReloadingTransport, ServerTls, TlsFiles
from structlog.testing import capture_logs


@pytest.fixture(autouse=True)
def look_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls, "CHECK_INTERVAL", 0.0)


def copy(pki: Path, name: str, to: Path) -> TlsFiles:
    shutil.copy(pki / f"{name}.pem", to / "cert.pem")
    shutil.copy(pki / f"{name}.key", to / "cert.key")
    return TlsFiles("http", cert=to / "cert.pem", key=to / "cert.key")


@asynccontextmanager
async def server(context: ssl.SSLContext) -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with listening:
        yield listening.sockets[0].getsockname()[1]


async def shown_by(port: int, trusted: ssl.SSLContext) -> str:
    """Common name of the certificate a server shows."""
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusted, server_hostname="localhost")
    der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    subject = x509.load_der_x509_certificate(der).subject
    return str(subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value)


async def test_a_server_shows_a_renewed_certificate_without_restart(pki, tmp_path):
    files = copy(pki.directory, "service-dmp", tmp_path)
    trusted = TlsFiles("client", ca=pki.directory / "internal-ca.pem").client_context()
    served = ServerTls(files)
    async with server(served.context) as port:
        before = await shown_by(port, trusted)
        assert not served.refresh()
        copy(pki.directory, "service-mss", tmp_path)
        assert served.refresh()
        after = await shown_by(port, trusted)
        (tmp_path / "cert.pem").write_text("half written")
        with capture_logs() as lines:
            assert not served.refresh(), "a broken file keeps the old certificate in use"
            assert not served.refresh()
        assert [line["event"] for line in lines] == ["tls.reload_failed"], "told once, however often it is looked at"
        assert await shown_by(port, trusted) == after
    assert before != after


async def test_a_client_follows_a_changed_authority(pki, tmp_path):
    ca = tmp_path / "ca.pem"
    shutil.copy(pki.directory / "internal-ca.pem", ca)
    transport = ReloadingTransport(TlsFiles("internal", ca=ca))
    served = TlsFiles(
        "http", cert=pki.directory / "service-dmp.pem", key=pki.directory / "service-dmp.key"
    ).server_context()
    async with server(served) as port, httpx.AsyncClient(transport=transport) as client:
        url = f"https://localhost:{port}/"
        assert (await client.get(url)).status_code == 204
        ca.write_text("half written")
        assert (await client.get(url)).status_code == 204, "unusable files keep the old context"
        shutil.copy(pki.directory / "rogue-ca.pem", ca)
        with pytest.raises(httpx.ConnectError):
            await client.get(url)
        shutil.copy(pki.directory / "internal-ca.pem", ca)
        assert (await client.get(url)).status_code == 204


async def test_requests_in_flight_finish_on_the_transport_they_began_with(pki, tmp_path):
    ca = tmp_path / "ca.pem"
    shutil.copy(pki.directory / "internal-ca.pem", ca)
    made: list[Inner] = []

    class Inner(httpx.AsyncBaseTransport):
        closed = False

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            return httpx.Response(200, stream=Body())

        async def aclose(self) -> None:
            self.closed = True

    class Body(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b"x"

    def make(_: ssl.SSLContext) -> Inner:
        made.append(Inner())
        return made[-1]

    async with httpx.AsyncClient(transport=ReloadingTransport(TlsFiles("internal", ca=ca), make=make)) as client:
        async with client.stream("GET", "https://x/") as first:
            shutil.copy(pki.directory / "rogue-ca.pem", ca)
            await client.get("https://x/")
            assert (len(made), made[0].closed) == (2, False)
            assert await first.aread() == b"x"
        assert (made[0].closed, made[1].closed) == (True, False)


async def test_a_server_that_trusts_an_authority_refuses_clients_without_its_certificate(pki):
    context = TlsFiles(
        "http",
        ca=pki.directory / "internal-ca.pem",
        cert=pki.directory / "service-dmp.pem",
        key=pki.directory / "service-dmp.key",
    ).server_context()
    async with server(context) as port:
        anonymous = ReloadingTransport(TlsFiles("internal", ca=pki.directory / "internal-ca.pem"))
        async with httpx.AsyncClient(transport=anonymous) as client:
            with pytest.raises((httpx.ReadError, httpx.ConnectError, httpx.RemoteProtocolError)):
                await client.get(f"https://localhost:{port}/")


def test_days_to_expiry_is_a_metric_and_an_unreadable_file_is_left_out(pki, tmp_path, fresh_metrics):
    files = copy(pki.directory, "service-dmp", tmp_path)
    tls.watch_expiry(files, lambda: datetime.now(UTC))
    days = float(fresh_metrics.text().partition('days_to_expiry{certificate="http"} ')[2].split()[0])
    assert days > 0
    (tmp_path / "cert.pem").write_text("broken")
    assert 'certificate="http"' not in fresh_metrics.text()


def test_a_server_without_certificate_is_refused():
    with pytest.raises(ValueError, match="a server needs a certificate"):
        TlsFiles("http").server_context()
