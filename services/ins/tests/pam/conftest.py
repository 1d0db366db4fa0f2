"""The service with its HL7 v2 links open: hospitals that send, systems that are told, over real sockets."""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey
from navette_chassis import Mode, Service, SystemClock, TlsFiles
from navette_chassis.auth.jwks import JwksCache
from navette_chassis.auth.tokens import TokenVerifier
from navette_chassis.mllp import Listener, MllpServer, Peer
from navette_chassis.testing import running, until
from navette_documents.hl7v2 import Acknowledgement, Message, build_ack, parse, read_ack, read_ins, read_pid
from navette_ins.adapters.identities import IDENTITIES, identity_of
from navette_ins.app import create_service
from navette_ins.domain.identity import Identity
from navette_ins.settings import InsSettings
from navette_sandbox.pki import Pki

KEY = ECKey.generate_key("P-256", {"kid": "pam", "alg": "ES256"})

SENDERS: list[dict[str, object]] = [
    {"name": "chu-x", "facility": "CHU-X", "authority_id": "000897406", "trust": "own_domain"},
    {"name": "ch-test", "facility": "CH-TEST", "authority_id": "990000019", "trust": "own_domain"},
    {"name": "labo", "facility": "LABO", "authority_id": "990000019", "trust": "contract"},
    {"name": "autre", "facility": "AUTRE", "authority_id": "990000019", "trust": "third_party"},
]


def sender_rows(**more: object) -> list[dict[str, object]]:
    return [{"application": "GAM", "site_id": "lilas", "authority": one["facility"]} | one | more for one in SENDERS]


def _token(*roles: str) -> str:
    now = int(time.time())
    claims: dict[str, Any] = {"iss": "navette-psc-auth", "aud": "ins", "sub": "user-1", "kind": "user", "iat": now}
    claims |= {"exp": now + 100, "jti": uuid.uuid4().hex, "roles": list(roles), "sites": ["lilas"]}
    return jwt.encode({"alg": "ES256", "kid": "pam"}, claims | {"rpps": "99700001003"}, KEY)


async def _as_operator(request: httpx.Request) -> None:
    """A token of this moment at each request: a test may outlive one."""
    request.headers.setdefault("Authorization", f"Bearer {_token('operator')}")


class Receiver:
    """A connected system: answers as told and remembers every message."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.code: str = "AA"

    async def received(self, data: bytes, peer: Peer) -> bytes:
        message = parse(data)
        self.messages.append(message)
        return build_ack(message, self.code, own_id="R1", at=SystemClock().now())  # type: ignore[arg-type]  # a code of a test

    async def refused(self, piece: object, peer: Peer) -> bytes | None:
        raise AssertionError("our own client broke the framing")

    def told(self) -> list[str]:
        """Each event with the status told and whether an INS went along."""
        shown = []
        for one in self.messages:
            pid = read_pid(one)
            ins = "INS" if read_ins(pid.identifiers) else "-INS" if pid.ins_deleted else ""
            shown.append(" ".join(filter(None, (one.event, "~".join(pid.statuses), ins))))
        return shown


@dataclass
class Links:
    """The service, and a hospital connected to it."""

    service: Service
    http: httpx.AsyncClient
    senders_file: Path
    settings: InsSettings

    async def send(self, data: bytes) -> Acknowledgement:
        return read_ack(await self.raw(data))

    async def raw(self, data: bytes) -> bytes:
        """Send without looking at MSH-10 and give back the answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(b"\x0b" + data + b"\x1c\r")
        try:
            return (await asyncio.wait_for(reader.readuntil(b"\x1c\r"), 60))[1:-2]
        finally:
            writer.close()

    @property
    def port(self) -> int:
        return self.server.port

    @property
    def server(self) -> MllpServer:
        opened = [one.opened[0] for one in self.service.resources if one.opened]
        return next(one for one in opened if isinstance(one, MllpServer))

    async def identities(self) -> list[Identity]:
        """Every record that is not merged, oldest first."""
        rows = await self.service.database[IDENTITIES].find({}).to_list()
        found = [identity_of(row, self.service.keyring) for row in rows]
        return sorted((one for one in found if one.merged_into is None), key=lambda one: one.patient_id)

    async def identity(self) -> Identity:
        (only,) = await self.identities()
        return only

    async def messages(self, *states: str) -> list[dict[str, Any]]:
        query = "&".join(f"state={one}" for one in states)
        answer = await self.http.get(f"/pam/messages?{query}")
        assert answer.status_code == 200, answer.text
        return list(answer.json()["messages"])

    async def replay(self, message_id: str, expect: int = 200) -> dict[str, Any]:
        answer = await self.http.post(f"/pam/messages/{message_id}/replay")
        assert answer.status_code == expect, answer.text
        return dict(answer.json())

    async def create(self, **traits: str) -> dict[str, Any]:
        """A secretary records a person."""
        headers = {"Authorization": f"Bearer {_token('secretary')}"}
        answer = await self.http.post("/patients", json={"site_id": "lilas", **traits}, headers=headers)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def act(self, patient_id: str, path: str, *, method: str = "POST", **body: Any) -> dict[str, Any]:
        """The cell of the site does something with a record."""
        return await self.ask(method, f"/patients/{patient_id}/{path}", **body)

    async def act_on_site(self, worklist: str) -> dict[str, Any]:
        """A worklist of the site."""
        return await self.ask("GET", f"/sites/lilas/worklists/{worklist}")

    async def ask(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {_token('secretary', 'identity-supervisor')}"}
        answer = await self.http.request(method, path, json=body or None, headers=headers)
        assert answer.status_code < 300, answer.text
        return dict(answer.json())

    async def qualify(self, **traits: str) -> str:
        """A person whose card was held and whom INSi knows; the id of the record."""
        person = {
            "birth_name": "DUVAL-FICTIF",
            "first_birth_given_name": "CAMILLE",
            "birth_given_names": "CAMILLE ROSE",
            "birth_date": "1968-04-17",
            "sex": "F",
            "birth_place_code": "38185",
        }
        patient_id: str = (await self.create(**person | traits))["patient_id"]
        await self.act(patient_id, "identity-checks", document_kind="CN")
        await self.act(patient_id, "insi-search")

        async def qualified() -> bool:
            return any(one.patient_id == patient_id and one.recovery for one in await self.identities())

        await until(qualified)
        return patient_id


@pytest.fixture(scope="session")
def folder() -> Path:
    default = Path(__file__).resolve().parents[4].parent / "shared" / "conformance"
    path = Path(os.environ.get("NAVETTE_CONFORMANCE_DIR", default)) / "hl7v2"
    if not path.is_dir():
        pytest.skip("NAVETTE_CONFORMANCE_DIR names no directory")
    return path


@pytest.fixture(scope="session")
def token() -> Callable[..., str]:
    return _token


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def open_links(settings: InsSettings, tmp_path: Path) -> Callable[..., Any]:
    """Start the service with these connected systems and settings."""

    @asynccontextmanager
    async def start(systems: list[dict[str, object]] | None = None, **more: object) -> AsyncIterator[Links]:
        senders = tmp_path / "senders.json"
        senders.write_text(json.dumps(sender_rows()))
        values: dict[str, object] = {"pam_port": 0, "pam_senders_file": senders, "pam_retry_first_seconds": 0.2}
        if systems is not None:
            (tmp_path / "systems.json").write_text(json.dumps(systems))
            values["pam_systems_file"] = tmp_path / "systems.json"
        configured = settings.model_copy(update=values | more)
        service = create_service(configured)

        async def public_keys() -> Any:
            return {"keys": [KEY.as_dict(private=False)]}

        async with running(service, Mode.SERVE):
            app = service.asgi
            app.state.token_verifier = TokenVerifier(audience="ins", jwks=JwksCache(public_keys), clock=SystemClock())
            transport = httpx.ASGITransport(app=app)
            hooks = {"request": [_as_operator]}
            async with httpx.AsyncClient(transport=transport, base_url="http://ins", event_hooks=hooks) as http:
                yield Links(service, http, senders, configured)

    return start


@pytest.fixture
async def links(open_links: Callable[..., Any]) -> AsyncIterator[Links]:
    async with open_links() as opened:
        yield opened


@pytest.fixture
async def told(receiver: Receiver, open_links: Callable[..., Any], pki: Pki) -> AsyncIterator[Links]:
    """The service with one connected system, over mutual TLS."""
    certificate, key = pki.pair("service-report")
    server = MllpServer(
        Listener("dpi"), receiver, tls=TlsFiles("dpi", pki.internal_ca, certificate, key).server_context()
    )
    await server.start()
    own, own_key = pki.pair("service-ins")
    system = {
        "name": "dpi",
        "host": "localhost",
        "port": server.port,
        "application": "DPI",
        "facility": "CH-TEST",
        "sending_facility": "LILAS",
        "ca": str(pki.internal_ca),
        "cert": str(own),
        "key": str(own_key),
    }
    try:
        async with open_links([system]) as opened:
            yield opened
    finally:
        await server.stop()


@pytest.fixture(scope="session")
def wait() -> Any:
    return until


@pytest.fixture(scope="session")
def adt(folder: Path) -> Callable[..., bytes]:
    """A reference message, with changes by field: `adt("adt_a28_create_qualified.hl7", MSH_10="X1", PID_32="PROV")`."""

    def read(name: str, **changes: str) -> bytes:
        path = next(folder.glob(f"pam-fr*/{name}*"))
        text = path.read_bytes().decode("utf-8", errors="surrogateescape")
        for where, value in changes.items():
            segment, number = where.split("_")
            lines = re.split(r"[\r\n]+", text.strip())
            for index, line in enumerate(lines):
                if line.startswith(segment + "|"):
                    fields = line.split("|")
                    position = int(number) - (1 if segment == "MSH" else 0)
                    fields += [""] * (position + 1 - len(fields))
                    fields[position] = value
                    lines[index] = "|".join(fields)
            text = "\r".join(lines) + "\r"
        return text.encode("utf-8", errors="surrogateescape")

    return read
