"""Scenarios by name, injected replies and quotas of the INSi double, through its control port."""

from __future__ import annotations

import ssl
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from lxml import etree
from navette_sandbox.pki import Pki
from navette_sandbox.simulators.common import SimulatorConfig
from navette_sandbox.simulators.insi import people
from navette_sandbox.simulators.insi.quota import Quota
from navette_sandbox.simulators.insi.scenarios import NAMES, Script
from navette_sandbox.simulators.insi.server import InsiSimulator

PEOPLE = people.load(people.DEFAULT_FILE)
RES = "{http://www.cnamts.fr/INSiResultat}"


def played(name: str) -> etree._Element:
    script = Script()
    script.play({"name": name})
    answer = script.answer([PEOPLE[0]], PEOPLE, "uuid:1")
    assert answer is not None
    assert script.answer([PEOPLE[0]], PEOPLE, "uuid:1") is None
    return etree.fromstring(answer.body)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_scenario_is_one_reply_or_one_fault(name: str) -> None:
    document = played(name)
    results = list(document.iter(f"{RES}RESULTAT"))
    faults = list(document.iter("{urn:siram}Erreur"))
    assert len(results) + len(faults) == 1


def test_a_scenario_changes_what_it_is_named_after_and_nothing_else() -> None:
    usual = played("found")
    for name, path in {"no_sex": "Sexe", "no_birth_name": "NomNaissance", "day_00": "DateNaissance"}.items():
        changed = played(name)
        different = [
            tag
            for tag in ("NomNaissance", "ListePrenom", "Sexe", "DateNaissance", "LieuNaissance")
            if usual.findtext(f".//{RES}{tag}") != changed.findtext(f".//{RES}{tag}")
        ]
        assert different == [path]
    assert played("no_key").find(f".//{RES}INSACTIF/{RES}IdIndividu/{RES}Cle") is None
    assert played("nia_2.05").findtext(f".//{RES}INSACTIF/{RES}OID") == "1.2.250.1.213.1.4.9"
    assert len(list(played("history_dates_first_2.04").iter(f"{RES}INSHISTO"))) == 2


@pytest.mark.parametrize("command", [{}, {"name": "autre"}, {"names": []}, {"names": "found"}, {"nom": "found"}, []])
def test_a_scenario_of_no_name_is_refused(command: Any) -> None:
    with pytest.raises(ValueError, match="scenario"):
        Script().play(command)


@pytest.mark.parametrize("command", [{}, {"body": 1}, {"body": "<a/>", "code": "00"}, []])
def test_an_injected_reply_without_a_body_is_refused(command: Any) -> None:
    with pytest.raises(ValueError, match="reply"):
        Script().inject(command)


def test_a_quota_counts_calls_in_a_time_and_can_be_lifted() -> None:
    now = [datetime(2026, 11, 22, 9, 0, tzinfo=UTC)]
    quota = Quota(lambda: now[0])
    assert not quota.spent()
    quota.set({"calls": 2, "seconds": 60})
    assert [quota.spent() for _ in range(3)] == [False, False, True]
    now[0] += timedelta(seconds=60)
    assert not quota.spent()
    quota.set({"calls": 0})
    assert [quota.spent() for _ in range(3)] == [False, False, False]


@pytest.mark.parametrize("command", [{"calls": -1}, {"calls": "2"}, {"calls": 1, "seconds": 0}, {"limit": 1}, []])
def test_a_quota_that_makes_no_sense_is_refused(command: Any) -> None:
    with pytest.raises(ValueError, match="quota"):
        Quota(lambda: datetime.now(UTC)).set(command)


class Bench:
    """The double over its sockets."""

    def __init__(self, simulator: InsiSimulator, pki: Pki) -> None:
        self.simulator = simulator
        self.pki = pki
        self.control = f"http://127.0.0.1:{simulator.control_port}"

    async def command(self, name: str, body: object) -> int:
        async with httpx.AsyncClient() as http:
            return (await http.post(f"{self.control}/state/{name}", json=body)).status_code

    async def search(self, *, psc: bool = False, security: str = "", sender: str = "1990000002") -> httpx.Response:
        context = ssl.create_default_context(cafile=str(self.pki.igc_ca))
        if not psc:
            context.load_cert_chain(*self.pki.pair("insi-client-manu"))
        port = self.simulator.ports()["psc_port" if psc else "port"]
        async with httpx.AsyncClient(verify=context, timeout=60) as http:
            return await http.post(
                f"https://localhost:{port}/lps", content=envelope(security, sender).encode(), headers=HEADERS
            )


ACTION = "urn:ServiceIdentiteCertifiee:1.0.0:rechercherInsAvecTraitsIdentite"
HEADERS = {"content-type": f'application/soap+xml; charset=utf-8; action="{ACTION}"'}


def envelope(security: str, sender: str) -> str:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return f"""<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"
 xmlns:wsa="http://www.w3.org/2005/08/addressing" xmlns:bam="urn:siram:bam:ctxbam" xmlns:lps="urn:siram:lps:ctxlps">
<s:Header><wsa:Action>{ACTION}</wsa:Action><wsa:MessageID>uuid:{uuid.uuid4()}</wsa:MessageID>{security}
<bam:ContexteBAM Version="01_02"><bam:Id>{uuid.uuid4()}</bam:Id><bam:Temps>{now}</bam:Temps>
<bam:Emetteur>{sender}</bam:Emetteur><bam:COUVERTURE/></bam:ContexteBAM>
<lps:ContexteLPS Version="01_00"><lps:Id>{uuid.uuid4()}</lps:Id><lps:Temps>{now}</lps:Temps>
<lps:Emetteur>{sender}</lps:Emetteur><lps:LPS><lps:IDAM R="4">N1</lps:IDAM><lps:Version>1</lps:Version>
<lps:Instance>{uuid.uuid4()}</lps:Instance><lps:Nom>urn:lps:Essai:1</lps:Nom></lps:LPS></lps:ContexteLPS></s:Header>
<s:Body><r:RECSANSVITALE xmlns:r="http://www.cnamts.fr/INSiRecSans"><r:NomNaissance>ADRUN</r:NomNaissance>
<r:Prenom>ZOE</r:Prenom><r:Sexe>F</r:Sexe><r:DateNaissance>1975-12-31</r:DateNaissance></r:RECSANSVITALE></s:Body>
</s:Envelope>"""


@pytest.fixture
async def bench(pki: Pki, tmp_path: Path) -> AsyncIterator[Bench]:
    async with InsiSimulator(SimulatorConfig(pki=pki.directory, state=tmp_path)) as simulator:
        yield Bench(simulator, pki)


async def test_the_next_answers_are_those_of_the_scenario_then_the_usual_ones(bench: Bench) -> None:
    assert await bench.command("scenario", {"names": ["several", "unavailable"]}) == 204
    assert "<CodeCR>02" in (await bench.search()).text
    assert (await bench.search()).status_code == 500
    assert "<CodeCR>00" in (await bench.search()).text
    assert await bench.command("scenario", {"name": "autre"}) == 400


async def test_an_injected_reply_comes_byte_for_byte(bench: Bench) -> None:
    assert await bench.command("reply", {"body": "<réponse/>", "status": 503}) == 204
    answer = await bench.search()
    assert (answer.status_code, answer.content) == (503, "<réponse/>".encode())


async def test_a_scenario_does_not_spare_a_request_that_breaks_the_rules(bench: Bench) -> None:
    await bench.command("scenario", {"name": "found"})
    refused = await bench.search(sender="1")
    assert 'code="desir_9003"' in refused.text


async def test_one_call_too_many_gets_the_quota_fault(bench: Bench) -> None:
    assert await bench.command("quota", {"calls": 1, "seconds": 3600}) == 204
    assert (await bench.search()).status_code == 200
    assert 'code="desir_9008"' in (await bench.search()).text


async def test_without_certificate_nor_assertion_a_call_has_no_rights(bench: Bench) -> None:
    refused = await bench.search(psc=True)
    assert (refused.status_code, 'code="desir_560"' in refused.text) == (500, True)


async def test_verification_is_not_served_where_no_certificate_is_asked_for(bench: Bench) -> None:
    context = ssl.create_default_context(cafile=str(bench.pki.igc_ca))
    port = bench.simulator.ports()["psc_port"]
    async with httpx.AsyncClient(verify=context) as http:
        answer = await http.post(f"https://localhost:{port}/navette-sandbox/verification/unit", json={})
    assert answer.status_code == 404
