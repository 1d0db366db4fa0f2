"""The directory client against the Annuaire Santé double (spec/annuaire.md §8)."""

from __future__ import annotations

import ssl
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from navette_mss.adapters.annuaire import AnnuaireClient
from navette_mss.domain.resolution import Decision
from navette_mss.use_cases.ports import DirectoryAnswerError, DirectoryUnavailableError
from navette_sandbox.pki import Pki
from navette_sandbox.simulators.annuaire.server import AnnuaireSimulator
from navette_sandbox.simulators.common import SimulatorConfig

KEY = "cle-de-test"
CAMILLE, SASHA, NOBODY, RED, LEFT, CAB = (
    "99700002001",
    "99700002084",
    "99700002092",
    "99700002100",
    "99700002118",
    "99700002175",
)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Bench:
    def __init__(self, simulator: AnnuaireSimulator, http: httpx.AsyncClient) -> None:
        self.simulator = simulator
        self.http = http
        self.clock = Clock()

    def client(self, key: str = KEY, cache: float = 3600) -> AnnuaireClient:
        return AnnuaireClient(
            self.http, key=lambda: key, calls_per_second=1e6, cache_seconds=cache, monotonic=self.clock
        )


@pytest.fixture
async def bench(pki: Pki, tmp_path: Path) -> AsyncIterator[Bench]:
    context = ssl.create_default_context(cafile=str(pki.igc_ca))
    config = SimulatorConfig(pki=pki.directory, state=tmp_path)
    async with AnnuaireSimulator(config, api_keys=(KEY,)) as simulator:
        base = f"https://localhost:{simulator.ports()['port']}/fhir/v2/"
        async with httpx.AsyncClient(verify=context, base_url=base) as http:
            yield Bench(simulator, http)


@pytest.mark.dsr("RIS.ANN.05")
async def test_a_known_doctor_has_one_mailbox(bench: Bench) -> None:
    found = await bench.client().resolve(CAMILLE, None)
    assert found.address == "camille.referent-fictif@medecins-fictifs.mssante.example"
    assert bench.simulator.refusals.entries == []


async def test_the_structure_of_the_order_decides_between_two_places(bench: Bench) -> None:
    client = bench.client()
    assert (await client.resolve(SASHA, "990000101")).address == "sasha.lilas@medecins-fictifs.mssante.example"
    assert (await client.resolve(SASHA, "990000127")).address == "sasha.modele@medecins-fictifs.mssante.example"
    assert (await client.resolve(SASHA, None)).decision is Decision.ASK


@pytest.mark.parametrize(
    ("rpps", "decision"),
    [(NOBODY, Decision.NONE), (RED, Decision.NONE), (LEFT, Decision.NONE), ("99700001003", Decision.NONE)],
)
async def test_who_cannot_be_reached_gives_no_address(bench: Bench, rpps: str, decision: Decision) -> None:
    found = await bench.client().resolve(rpps, None)
    assert (found.decision, found.address) == (decision, None)


async def test_a_shared_mailbox_alone_asks_a_human(bench: Bench) -> None:
    assert (await bench.client().resolve(CAB, None)).decision is Decision.ASK


async def test_a_structure_is_found_by_its_finess(bench: Bench) -> None:
    client = bench.client()
    assert (await client.resolve(None, "990000101")).address == "secretariat@cabinet-lilas.mssante.example"
    assert (await client.resolve(None, "990000135")).decision is Decision.NONE


async def test_a_sure_answer_is_remembered_for_a_while_and_a_doubt_is_not(bench: Bench) -> None:
    client = bench.client()
    for _ in range(2):
        await client.resolve(CAMILLE, None)
    assert len(bench.simulator.calls) == 1
    bench.clock.now += 3601
    await client.resolve(CAMILLE, None)
    assert len(bench.simulator.calls) == 2
    for _ in range(2):
        await client.resolve(NOBODY, None)
    assert len(bench.simulator.calls) == 4


async def test_a_forgotten_answer_is_asked_again(bench: Bench) -> None:
    client = bench.client()
    await client.resolve(CAMILLE, None)
    client.forget(CAMILLE, None)
    await client.resolve(CAMILLE, None)
    assert len(bench.simulator.calls) == 2


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"kind": "http_error", "status": 500}, "directory-unavailable"),
        ({"kind": "http_error", "status": 429}, "directory-unavailable"),
        ({"kind": "cut_body"}, "directory-answer-cut"),
        ({"kind": "lost_answer"}, "directory-unreachable"),
        ({"kind": "down", "seconds": 60}, "directory-unreachable"),
    ],
)
async def test_a_directory_in_trouble_is_asked_again_later(bench: Bench, fault: dict[str, Any], code: str) -> None:
    bench.simulator.faults.add(fault)
    with pytest.raises(DirectoryUnavailableError) as error:
        await bench.client().resolve(CAMILLE, None)
    assert error.value.code == code


async def test_a_refused_key_is_told(bench: Bench) -> None:
    with pytest.raises(DirectoryUnavailableError) as error:
        await bench.client(key="autre").resolve(CAMILLE, None)
    assert error.value.code == "directory-key-refused"


def answering(*answers: Callable[[httpx.Request], httpx.Response]) -> httpx.AsyncClient:
    rest = list(answers)
    transport = httpx.MockTransport(lambda request: rest.pop(0)(request))
    return httpx.AsyncClient(transport=transport, base_url="https://annuaire.example/fhir/v2/")


def bundle(entries: list[Any], following: str | None = None) -> Callable[[httpx.Request], httpx.Response]:
    links = [{"relation": "next", "url": following}] if following else []
    body = {"resourceType": "Bundle", "entry": entries, "link": links}
    return lambda _: httpx.Response(200, json=body)


PERSON = {
    "resource": {
        "resourceType": "Practitioner",
        "id": "003-1",
        "active": True,
        "identifier": [{"system": "https://rpps.esante.gouv.fr", "value": CAMILLE}],
        "telecom": [
            {
                "system": "email",
                "value": "c@m.mssante.fr",
                "extension": [{"valueCoding": {"code": "MSSANTE"}}, {"valueCoding": {"code": "PER"}}],
            }
        ],
    }
}


async def test_the_following_pages_are_read() -> None:
    page = "https://annuaire.example/fhir/v2/_page?id=opaque"
    async with answering(bundle([], page), bundle([PERSON])) as http:
        found = await AnnuaireClient(http, key=lambda: KEY, calls_per_second=1e6).resolve(CAMILLE, None)
    assert found.address == "c@m.mssante.fr"


@pytest.mark.parametrize(
    "page",
    [
        "https://autre.example/fhir/v2/_page?id=1",
        "http://annuaire.example/fhir/v2/_page?id=1",
        "https://annuaire.example/ailleurs",
        "https://annuaire.example/fhir/v2/../../x",
    ],
)
async def test_a_page_elsewhere_is_not_followed(page: str) -> None:
    async with answering(bundle([], page)) as http:
        with pytest.raises(DirectoryAnswerError):
            await AnnuaireClient(http, key=lambda: KEY, calls_per_second=1e6).resolve(CAMILLE, None)


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: httpx.Response(400, json={"resourceType": "OperationOutcome"}),
        lambda _: httpx.Response(200, json={"resourceType": "OperationOutcome"}),
        lambda _: httpx.Response(200, json=[]),
        lambda _: httpx.Response(301, headers={"location": "https://autre.example/"}),
    ],
)
async def test_what_is_no_bundle_is_refused(answer: Callable[[httpx.Request], httpx.Response]) -> None:
    async with answering(answer) as http:
        with pytest.raises(DirectoryAnswerError):
            await AnnuaireClient(http, key=lambda: KEY, calls_per_second=1e6).resolve(CAMILLE, None)


async def test_calls_are_spaced() -> None:
    async with answering(*[bundle([])] * 4) as http:
        client = AnnuaireClient(http, key=lambda: KEY, calls_per_second=20)
        started = time.monotonic()
        for _ in range(4):
            await client.resolve(CAMILLE, None)
        assert time.monotonic() - started >= 0.15
