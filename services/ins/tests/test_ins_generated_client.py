"""A client that a public generator makes of `openapi.json` calls the service, as another team would."""

from __future__ import annotations

import asyncio
import importlib
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from navette_chassis.testing import until
from navette_ins.api.openapi import COMMITTED
from navette_sandbox.ports import free_port

pytestmark = [pytest.mark.peers, pytest.mark.timeout(300)]
GENERATOR = "openapi-python-client==0.29.1"
NAME = "made_of_openapi"


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The package that the generator writes; what it said is returned, the package can be imported."""
    uvx = shutil.which("uvx")
    if uvx is None:
        pytest.skip("uvx is not installed: no generator can be had")
    folder = tmp_path_factory.mktemp("client")
    command = [uvx, "--from", GENERATOR, "openapi-python-client", "generate", "--path", str(COMMITTED)]
    command += ["--meta", "none", "--output-path", str(folder / NAME)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=280, check=False)
    if not (folder / NAME).is_dir():
        pytest.skip(f"uvx cannot fetch {GENERATOR}")
    sys.path.insert(0, str(folder))
    yield done.stdout + done.stderr
    sys.path.remove(str(folder))


def module(path: str) -> ModuleType:
    return importlib.import_module(f"{NAME}.{path}")


@pytest.fixture
def issuer(public_key: dict[str, Any]) -> Iterator[str]:
    """Where the service finds the key of our tokens."""

    class Keys(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"keys": [public_key]}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Keys)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
async def address(commands: Any, issuer: str) -> AsyncIterator[str]:
    """The service as a process of its own."""
    port = free_port()
    commands.environment |= {
        "NAVETTE_PSC_AUTH_URL": issuer,
        "NAVETTE_HTTP_HOST": "127.0.0.1",
        "NAVETTE_HTTP_PORT": str(port),
    }
    process = commands.start("serve")

    async def ready() -> bool:
        assert process.poll() is None, "the service ended"
        try:
            async with httpx.AsyncClient() as http:
                return (await http.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200
        except httpx.TransportError:
            return False

    await until(ready, seconds=90)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    await asyncio.to_thread(process.communicate)


def test_the_generator_understands_every_operation_but_the_image(made: str) -> None:
    warned = [line for line in made.splitlines() if line.startswith(("WARNING parsing", "ERROR"))]
    assert warned == ["WARNING parsing GET /patients/{patient_id}/ins-datamatrix within datamatrix."]
    count = sum(len(methods) for methods in json.loads(COMMITTED.read_text(encoding="utf-8"))["paths"].values())
    written = [one for one in Path(sys.path[0], NAME, "api").rglob("*.py") if one.name != "__init__.py"]
    assert len(written) == count


async def test_a_generated_client_records_searches_and_qualifies_a_person(
    made: str, address: str, token: Callable[..., str]
) -> None:
    models, package = module("models"), importlib.import_module(NAME)
    client = package.AuthenticatedClient(base_url=address, token=token("secretary"))
    person = models.NewPatient.from_dict(
        {
            "site_id": "lilas",
            "birth_name": "DUVAL-FICTIF",
            "first_birth_given_name": "CAMILLE",
            "birth_given_names": "CAMILLE ROSE",
            "birth_date": "1968-04-17",
            "sex": "F",
            "birth_place_code": "38185",
        }
    )
    async with client as opened:
        created = await module("api.patients.create_identity").asyncio(client=opened, body=person)
        assert isinstance(created, models.PatientAnswer)
        check = models.NewCheck(document_kind="CN")
        await module("api.facts.record_check").asyncio(created.patient_id, client=opened, body=check)
        asked = await module("api.insi.search_ins").asyncio(created.patient_id, client=opened)
        assert isinstance(asked, models.SearchAnswer)
        read = module("api.insi.read_search").asyncio

        async def answered() -> Any:
            found = await read(created.patient_id, asked.call_id, client=opened)
            return found if found.state != "requested" else None

        assert (await until(answered, seconds=60)).state == "accepted"
        qualified = await module("api.patients.read_identity").asyncio(created.patient_id, client=opened)
        assert (qualified.status, qualified.ins.nature) == ("qualifiee", "NIR")
        question = models.SearchPatients.from_dict({"birth_date": "1968-04-17", "name": "duv"})
        found = await module("api.patients.search_patients_known").asyncio(client=opened, body=question)
        assert [one.patient_id for one in found.patients] == [created.patient_id]


async def test_a_refusal_reaches_a_generated_client_as_a_problem(
    made: str, address: str, token: Callable[..., str]
) -> None:
    models, package = module("models"), importlib.import_module(NAME)
    client = package.AuthenticatedClient(base_url=address, token=token("secretary"))
    async with client as opened:
        refused = await module("api.patients.read_identity").asyncio(
            "0199c0de-0000-7000-8000-000000000001", client=opened
        )
    assert isinstance(refused, models.Problem)
    assert refused.status == 404
