"""Who listens, behind which certificate, and what production refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from navette_chassis import Mode, TlsFiles
from navette_chassis.mllp import Destination, MllpServer, mllp_client
from navette_chassis.testing import running
from navette_ins.app import create_service
from navette_ins.pam_settings import PamSettings
from navette_ins.settings import InsSettings
from navette_sandbox.pki import Pki
from pydantic import ValidationError

pytestmark = pytest.mark.dsr("RIS.INS.55")


async def test_a_sender_shows_its_certificate_and_it_is_kept_with_the_message(
    open_links: Callable[..., Any], adt: Callable[..., bytes], pki: Pki
) -> None:
    certificate, key = pki.pair("service-ins")
    tls = {"pam_cert": certificate, "pam_key": key, "pam_ca": pki.igc_ca}
    own, own_key = pki.pair("mss-client")
    async with open_links(**tls) as links:
        files = TlsFiles("gam", pki.internal_ca, own, own_key)
        async with mllp_client(Destination("gam", "localhost", links.port, files)) as client:
            assert (await client.send(adt("adt_a28_create_qualified"), "P0001")).code == "AA"
        without = TlsFiles("gam", pki.internal_ca)
        async with mllp_client(Destination("gam", "localhost", links.port, without)) as client:
            assert (await client.send(adt("adt_a28_create_qualified"), "P0001")).code == ""
        (row,) = await links.service.database["pam_messages"].find({}).to_list()
        assert "@" in row["certificate"]


@pytest.mark.parametrize(
    ("mode", "port", "listens"),
    [(Mode.SERVE, 0, True), (Mode.API, 0, True), (Mode.WORKER, 0, False), (Mode.SERVE, None, False)],
)
async def test_only_processes_with_an_edge_listen_and_only_when_a_port_is_given(
    settings: InsSettings, mode: Mode, port: int | None, listens: bool
) -> None:
    service = create_service(settings.model_copy(update={"pam_port": port}))
    async with running(service, mode):
        opened = [one.opened[0] for one in service.resources if one.opened]
        assert any(isinstance(one, MllpServer) for one in opened) is listens


async def test_a_drained_service_takes_no_more_messages(open_links: Callable[..., Any], wait: Any) -> None:
    async with open_links() as links:
        server = links.server
        links.service.drain()
        await wait(lambda: not listening(server))


def listening(server: MllpServer) -> bool:
    try:
        return bool(server.port)
    except RuntimeError:
        return False


def configured(tmp_path: Path, environment: str, **changes: Any) -> PamSettings:
    (tmp_path / "file").write_text("x")
    values = {"environment": environment, "kafka_bootstrap": "k:1", "mongo_uri": "mongodb://127.0.0.1:1"}
    values |= {"kafka_ca": tmp_path / "file", "kafka_cert": tmp_path / "file", "kafka_key": tmp_path / "file"}
    values |= {"http_cert": tmp_path / "file", "http_key": tmp_path / "file", "internal_ca": tmp_path / "file"}
    return PamSettings.model_validate(values | {"psc_auth_url": "https://psc:1"} | changes)


def test_production_refuses_links_in_clear(tmp_path: Path) -> None:
    systems = tmp_path / "systems.json"
    system = {"name": "dpi", "host": "dpi.hopital.example", "port": 1, "application": "D", "facility": "F"}
    systems.write_text(json.dumps([system | {"sending_facility": "S"}]))
    open_port = {"pam_port": 2575, "pam_host": "0.0.0.0"}
    with pytest.raises(ValidationError, match="pam_cert, pam_key and pam_ca are required"):
        configured(tmp_path, "production", **open_port)
    with pytest.raises(ValidationError, match="dpi needs ca, cert and key"):
        configured(tmp_path, "production", pam_systems_file=systems)
    assert configured(tmp_path, "development", pam_systems_file=systems, **open_port).pam_port == 2575
    assert configured(tmp_path, "production", pam_port=2575).pam_host == "127.0.0.1"


@pytest.mark.parametrize("given", ["pam_cert", "pam_key", "pam_ca"])
def test_half_a_certificate_is_refused_at_boot(tmp_path: Path, given: str) -> None:
    with pytest.raises(ValidationError, match="pam_cert"):
        configured(tmp_path, "development", **{given: tmp_path / "file"})
