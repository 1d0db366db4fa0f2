"""The INSi double over real TLS connections: certificates, faults, state."""

from __future__ import annotations

import ssl
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from navette_sandbox.pki import Pki
from navette_sandbox.simulators.common import SimulatorConfig
from navette_sandbox.simulators.insi.server import InsiSimulator

ACTION = "urn:ServiceIdentiteCertifiee:1.0.0:rechercherInsAvecTraitsIdentite"
HEADERS = {"content-type": f'application/soap+xml; charset=utf-8; action="{ACTION}"'}


def request(name: str = "ADRUN", message_id: str | None = None, unit: str = "1990000002") -> str:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return f"""<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"
 xmlns:wsa="http://www.w3.org/2005/08/addressing" xmlns:bam="urn:siram:bam:ctxbam" xmlns:lps="urn:siram:lps:ctxlps">
<s:Header><wsa:Action>{ACTION}</wsa:Action><wsa:MessageID>{message_id or f"uuid:{uuid.uuid4()}"}</wsa:MessageID>
<bam:ContexteBAM Version="01_02"><bam:Id>{uuid.uuid4()}</bam:Id><bam:Temps>{now}</bam:Temps>
<bam:Emetteur>{unit}</bam:Emetteur><bam:COUVERTURE/></bam:ContexteBAM>
<lps:ContexteLPS Version="01_00"><lps:Id>{uuid.uuid4()}</lps:Id><lps:Temps>{now}</lps:Temps>
<lps:Emetteur>{unit}</lps:Emetteur><lps:LPS><lps:IDAM R="4">N1</lps:IDAM><lps:Version>1</lps:Version>
<lps:Instance>{uuid.uuid4()}</lps:Instance><lps:Nom>urn:lps:Essai:1</lps:Nom></lps:LPS></lps:ContexteLPS></s:Header>
<s:Body><r:RECSANSVITALE xmlns:r="http://www.cnamts.fr/INSiRecSans"><r:NomNaissance>{name}</r:NomNaissance>
<r:Prenom>ZOE</r:Prenom><r:Sexe>F</r:Sexe><r:DateNaissance>1975-12-31</r:DateNaissance></r:RECSANSVITALE></s:Body>
</s:Envelope>"""


def client(pki: Pki, name: str | None) -> httpx.AsyncClient:
    context = ssl.create_default_context(cafile=str(pki.igc_ca))
    if name is not None:
        context.load_cert_chain(*pki.pair(name))
    return httpx.AsyncClient(verify=context, timeout=60)


class Bench:
    """The double, and what a test does with it."""

    def __init__(self, simulator: InsiSimulator, pki: Pki) -> None:
        self.simulator = simulator
        self.pki = pki
        self.url = f"https://localhost:{simulator.ports()['port']}/lps"
        self.control = f"http://127.0.0.1:{simulator.control_port}"

    async def search(self, body: str, certificate: str | None = "insi-client") -> httpx.Response:
        async with client(self.pki, certificate) as http:
            return await http.post(self.url, content=body.encode(), headers=HEADERS)

    async def fault(self, **script: object) -> None:
        async with httpx.AsyncClient() as http:
            (await http.post(f"{self.control}/faults", json=script)).raise_for_status()

    async def state(self, view: str) -> list[dict[str, str]]:
        async with httpx.AsyncClient() as http:
            found: list[dict[str, str]] = (await http.get(f"{self.control}/state/{view}")).json()
            return found


@pytest.fixture
async def bench(pki: Pki, tmp_path: Path) -> AsyncIterator[Bench]:
    async with InsiSimulator(SimulatorConfig(pki=pki.directory, state=tmp_path)) as simulator:
        yield Bench(simulator, pki)


async def test_a_search_is_answered_and_noted(bench: Bench) -> None:
    answer = await bench.search(request())
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/soap+xml; charset=utf-8"
    assert "<CodeCR>00</CodeCR>" in answer.text
    assert [call["code"] for call in await bench.state("calls")] == ["00"]


async def test_an_unknown_person_is_a_reply_and_not_a_fault(bench: Bench) -> None:
    answer = await bench.search(request("INCONNUE"))
    assert (answer.status_code, "<CodeCR>01</CodeCR>" in answer.text) == (200, True)


@pytest.mark.parametrize("certificate", [None, "rogue-client", "expired-client"])
async def test_without_a_good_certificate_there_is_no_connection(bench: Bench, certificate: str | None) -> None:
    with pytest.raises((httpx.TransportError, ssl.SSLError)):
        await bench.search(request(), certificate)
    assert await bench.state("calls") == []


async def test_a_certificate_of_another_use_gets_the_fault_560(bench: Bench) -> None:
    answer = await bench.search(request(), "psc-client")
    assert (answer.status_code, 'code="desir_560"' in answer.text) == (500, True)
    assert [entry["rule"] for entry in await bench.state("refusals")] == ["desir_560"]


async def test_a_fault_comes_with_status_500_and_echoes_the_message_id(bench: Bench) -> None:
    message = f"uuid:{uuid.uuid4()}"
    answer = await bench.search(request("Adrun", message))
    assert answer.status_code == 500
    assert f'messageID="{message}"' in answer.text
    assert 'code="insi_9001"' in answer.text


async def test_a_message_id_serves_once(bench: Bench) -> None:
    message = f"uuid:{uuid.uuid4()}"
    assert (await bench.search(request(message_id=message))).status_code == 200
    again = await bench.search(request(message_id=message))
    assert 'code="desir_9006"' in again.text


async def test_a_sender_that_is_not_the_unit_of_the_certificate_is_refused(bench: Bench) -> None:
    answer = await bench.search(request(unit="1990000010"))
    assert 'code="desir_9003"' in answer.text


async def test_a_scripted_fault_carries_its_code(bench: Bench) -> None:
    await bench.fault(kind="soap_fault", code="desir_1020", count=1)
    refused = await bench.search(request())
    assert (refused.status_code, 'code="desir_1020"' in refused.text) == (500, True)
    assert (await bench.search(request())).status_code == 200


async def test_a_lost_answer_was_processed(bench: Bench) -> None:
    await bench.fault(kind="lost_answer", count=1)
    with pytest.raises(httpx.RemoteProtocolError):
        await bench.search(request())
    assert [call["code"] for call in await bench.state("calls")] == ["00"]


async def test_a_truncated_answer_is_no_xml(bench: Bench) -> None:
    await bench.fault(kind="truncated", count=1)
    assert not (await bench.search(request())).text.endswith("Envelope>")


async def test_down_refuses_connections(bench: Bench) -> None:
    await bench.fault(kind="down", seconds=60)
    with pytest.raises(httpx.TransportError):
        await bench.search(request())


async def test_prefixes_vary_on_demand(bench: Bench) -> None:
    assert "<env:Body" in (await bench.search(request())).text
    await bench.fault(kind="plain_prefixes", count=1)
    assert "<soap:Body>" in (await bench.search(request())).text


async def test_another_path_or_method_is_not_the_service(bench: Bench) -> None:
    async with client(bench.pki, "insi-client") as http:
        assert (await http.get(bench.url)).status_code == 405
        assert (await http.post(bench.url + "/autre")).status_code == 404
