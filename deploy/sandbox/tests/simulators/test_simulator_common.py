"""The parts every simulator stands on: HTTP with cut answers, fault scripts, control port, refusal log."""

import json
from pathlib import Path

import httpx
import pytest
from navette_sandbox.simulators.common import (
    FaultBook,
    FaultScriptError,
    HttpServer,
    Request,
    Response,
    Simulator,
    SimulatorConfig,
    json_response,
)


class Echo(Simulator):
    """A simulator of nothing, to test the base."""

    name = "echo"

    def __init__(self, config: SimulatorConfig) -> None:
        super().__init__(config)
        self.seen: list[bytes] = []
        self._http = HttpServer(self.answer, port=config.port, refusing=self.faults.down)

    async def answer(self, request: Request) -> Response:
        fault = await self.http_faults("echo")
        if fault is not None:
            return fault
        self.seen.append(request.body)
        if self.faults.take("echo", "lost_answer"):
            return Response(cut=True)
        return json_response({"path": request.path, "query": request.query, "size": len(request.body)})

    async def start_main(self) -> None:
        await self._http.start()

    async def stop_main(self) -> None:
        await self._http.stop()

    def ports(self):
        return {"port": self._http.port}

    def views(self):
        return {"seen": lambda rest: len(self.seen) if not rest else None}


@pytest.fixture
async def echo(tmp_path: Path):
    async with Echo(SimulatorConfig(pki=tmp_path, state=tmp_path / "state")) as simulator:
        yield simulator


@pytest.fixture
async def client():
    async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
        yield http


def main_url(echo: Echo) -> str:
    return f"http://127.0.0.1:{echo.ports()['port']}/a%20b?x=1&x=&y=%26"


def control_url(echo: Echo, path: str) -> str:
    return f"http://127.0.0.1:{echo.control_port}{path}"


async def test_requests_on_one_connection_are_answered_in_turn(echo: Echo, client: httpx.AsyncClient) -> None:
    for size in (0, 10, 300_000):
        answer = (await client.post(main_url(echo), content=b"x" * size)).json()
        assert answer == {"path": "/a b", "query": [["x", "1"], ["x", ""], ["y", "&"]], "size": size}


async def test_a_lost_answer_is_processed_and_then_the_connection_breaks(echo: Echo, client: httpx.AsyncClient) -> None:
    posted = await client.post(control_url(echo, "/faults"), json={"kind": "lost_answer", "count": 1})
    assert posted.status_code == 200
    with pytest.raises(httpx.RemoteProtocolError):
        await client.post(main_url(echo), content=b"kept")
    assert echo.seen == [b"kept"]
    assert (await client.post(main_url(echo), content=b"again")).status_code == 200
    assert (await client.get(control_url(echo, "/state/seen"))).json() == 2


async def test_down_resets_connections_until_it_is_lifted(echo: Echo, client: httpx.AsyncClient) -> None:
    assert (await client.post(main_url(echo))).status_code == 200
    await client.post(control_url(echo, "/faults"), json={"kind": "down"})
    for _ in range(2):
        with pytest.raises(httpx.TransportError):
            await client.post(main_url(echo))
    await client.delete(control_url(echo, "/faults"))
    assert (await client.post(main_url(echo))).status_code == 200


async def test_http_error_answers_a_page_and_clearing_faults_heals(echo: Echo, client: httpx.AsyncClient) -> None:
    await client.post(control_url(echo, "/faults"), json=[{"kind": "http_error", "status": 502}])
    page = await client.post(main_url(echo))
    assert page.status_code == 502
    assert page.headers["content-type"].startswith("text/html")
    assert (await client.delete(control_url(echo, "/faults"))).json() == []
    assert (await client.post(main_url(echo))).status_code == 200


@pytest.mark.parametrize(
    ("script", "field"),
    [
        ({"kind": "explode"}, "kind"),
        ({"kind": "down", "second": 3}, "second"),
        ({"kind": "down", "seconds": "3"}, "seconds"),
        ({"kind": "slow", "delay": -1}, "delay"),
        ("down", "script"),
    ],
)
async def test_a_wrong_fault_script_is_refused_by_field(
    echo: Echo, client: httpx.AsyncClient, script: object, field: str
) -> None:
    answer = await client.post(control_url(echo, "/faults"), content=json.dumps(script))
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(field)


async def test_refusals_are_shown_and_written_with_their_rule(
    echo: Echo, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    echo.refusals.record("echo", "echo.rule", "détail", key="k1")
    shown = (await client.get(control_url(echo, "/state/refusals"))).json()
    assert [(entry["rule"], entry["key"]) for entry in shown] == [("echo.rule", "k1")]
    assert json.loads((tmp_path / "state/refusals.jsonl").read_text())["detail"] == "détail"
    assert (await client.get(control_url(echo, "/state/unknown"))).status_code == 404
    assert (await client.get(control_url(echo, "/healthz"))).json()["simulator"] == "echo"


def test_a_fault_with_a_count_hits_that_many_requests_of_its_target() -> None:
    book = FaultBook({"busy"})
    book.add({"kind": "busy", "target": "store", "count": 2})
    hits = [book.take(target, "busy") is not None for target in ("read", "store", "store", "store")]
    assert hits == [False, True, True, False]


def test_a_fault_with_seconds_ends_by_itself() -> None:
    now = [100.0]
    book = FaultBook(clock=lambda: now[0])
    book.add({"kind": "down", "seconds": 20})
    assert book.down()
    now[0] = 120.0
    assert not book.down()


def test_probability_spares_some_requests() -> None:
    book = FaultBook({"flaky"})
    book.add({"kind": "flaky", "probability": 0})
    assert book.take("x", "flaky") is None
    with pytest.raises(FaultScriptError):
        book.add({"kind": "flaky", "probability": True})


async def test_a_client_that_goes_away_in_the_handshake_was_refused_nothing(echo: Echo) -> None:
    echo.note_handshake_error("ConnectionResetError")
    assert echo.refusals.rules == []
    echo.note_handshake_error("CERTIFICATE_VERIFY_FAILED")
    assert echo.refusals.rules == ["tls.handshake"]
