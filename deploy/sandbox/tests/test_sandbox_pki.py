"""The sandbox's certificates do in a TLS handshake what a real deployment's would do."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from navette_sandbox import group
from navette_sandbox.pki import CLIENT_CNS, SERVERS, SERVICES, Pki, create_pki


def _handshake(pki: Pki, server: str, server_trusts: Path, client: str | None, client_trusts: Path) -> str:
    """Return "ok", or the reason why the handshake failed on either side."""
    server_context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(server_trusts))
    server_context.verify_mode = ssl.CERT_REQUIRED
    server_context.load_cert_chain(*pki.pair(server))
    client_context = ssl.create_default_context(cafile=str(client_trusts))
    if client:
        client_context.load_cert_chain(*pki.pair(client))
    failures: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            try:
                with connection, server_context.wrap_socket(connection, server_side=True) as secured:
                    secured.sendall(b"x")
            except OSError as error:
                failures.append(str(error))

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            with (
                socket.create_connection(listener.getsockname()) as raw,
                client_context.wrap_socket(raw, server_hostname="localhost") as secured,
            ):
                secured.recv(1)
        except OSError as error:
            failures.append(str(error))
        thread.join()
    return "; ".join(failures) or "ok"


@pytest.mark.parametrize("server", SERVERS)
def test_an_organisation_certificate_enters_every_national_server(pki: Pki, server: str) -> None:
    assert _handshake(pki, server, pki.igc_ca, "dmp-auth", pki.igc_ca) == "ok"


@pytest.mark.parametrize("service", SERVICES)
def test_services_authenticate_each_other_both_ways(pki: Pki, service: str) -> None:
    assert _handshake(pki, service, pki.internal_ca, "service-dmp", pki.internal_ca) == "ok"


@pytest.mark.parametrize(
    ("client", "reason"),
    [
        ("rogue-client", "certificate signature failure|unable to get|self.signed|unknown ca"),
        ("expired-client", "expired"),
        ("service-dmp", "unable to get|unknown ca|self.signed"),
        (None, "did not return a certificate|certificate required"),
    ],
)
def test_a_national_server_refuses_a_client_it_must_refuse(pki: Pki, client: str | None, reason: str) -> None:
    import re

    outcome = _handshake(pki, "insi-server", pki.igc_ca, client, pki.igc_ca)
    assert re.search(reason, outcome, re.IGNORECASE), outcome


def test_a_client_that_trusts_another_authority_refuses_the_server(pki: Pki) -> None:
    outcome = _handshake(pki, "dmp-server", pki.igc_ca, "dmp-auth", pki.internal_ca)
    assert "CERTIFICATE_VERIFY_FAILED" in outcome


def _leaf(pki: Pki, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pki.cert(name).read_bytes())


@pytest.mark.parametrize(("name", "common_name"), CLIENT_CNS.items())
def test_client_certificates_carry_the_name_and_the_structure_the_services_check(
    pki: Pki, name: str, common_name: str
) -> None:
    subject = _leaf(pki, name).subject
    assert subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == common_name
    assert subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)[0].value == group.STRUCT_IDNAT


def test_subjects_read_as_the_dmp_writes_them(pki: Pki) -> None:
    name = _leaf(pki, "dmp-sign").subject.rfc4514_string()
    assert name.startswith("CN=NAVETTE-DMP-CACHET,OU=1990000002,O=GROUPE IMAGERIE DES RIVES,ST=")
    assert name.endswith(",C=FR")


def test_the_seal_signs_and_commits_but_does_not_authenticate(pki: Pki) -> None:
    seal = _leaf(pki, "dmp-sign").extensions
    usage = seal.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature
    assert usage.content_commitment
    with pytest.raises(x509.ExtensionNotFound):
        seal.get_extension_for_class(x509.ExtendedKeyUsage)
    auth = _leaf(pki, "dmp-auth").extensions
    assert list(auth.get_extension_for_class(x509.ExtendedKeyUsage).value) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not auth.get_extension_for_class(x509.KeyUsage).value.content_commitment


def test_keys_are_readable_by_their_owner_only_and_a_second_start_keeps_them(tmp_path: Path) -> None:
    pki = create_pki(tmp_path / "pki")
    modes = {path.stat().st_mode & 0o777 for path in pki.directory.glob("*.key")}
    assert modes == {0o600}
    before = pki.key("dmp-sign").read_bytes()
    assert create_pki(tmp_path / "pki").key("dmp-sign").read_bytes() == before
