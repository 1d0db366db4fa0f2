"""A report service whose site hands everything to one PFI over mutual TLS, started with the entry a test describes."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from navette_chassis.testing import until
from navette_documents.hl7v2 import AckCode, AckError, Message, MessageError, build_ack, parse
from navette_sandbox.pki import Pki
from navette_sandbox.ports import free_port
from navette_sandbox.simulators.common import SimulatorConfig
from navette_sandbox.simulators.pfi.server import PfiSimulator
from navette_sandbox.simulators.pfi.settings import PfiSettings

AT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
PFI = "PFI du CH d’Exemple"
ENTRY = {
    "name": "ch", "label": PFI, "kind": "pfi", "host": "localhost", "application": "PFI-EXEMPLE",
    "facility": "CH-EXEMPLE", "sending_facility": "CENTRE", "answer_seconds": 5,
}  # fmt: skip
EVERYTHING = {"site_id": "site-nord", "dmp": "ch", "professionals": "ch", "patient": "ch"}


@dataclass
class Hospital:
    """A running report service and the platform of its site."""

    world: Any
    pfi: PfiSimulator
    receipts_port: int = 0

    async def report(self, *, qualified: bool = True, patient_id: str = "", **choices: Any) -> str:
        """A signed report."""
        patient_id = patient_id or self.world.new_patient()
        await self.world.identify(patient_id, qualified=qualified)
        return str(await self.world.signed(patient_id, **choices))

    async def act(self, report_id: str, verb: str, **body: Any) -> None:
        """An act of the radiologist."""
        async with self.world.radiologist() as caller:
            answer = await caller.post(f"/reports/{report_id}/{verb}", json=body)
        assert answer.status_code in (200, 201), answer.text

    async def replace(self, report_id: str, built_on: int, **content: Any) -> None:
        """A corrected version, signed."""
        written = self.world.samples.content(conclusion="Corrigé.", **content)
        body = {"built_on": built_on, "content": json.loads(written.model_dump_json())}
        await self.act(report_id, "replace", **body)
        assert (await self.world.sign(report_id)).status_code == 200

    async def qualify(self, patient_id: str, revision: int, *, qualified: bool = True) -> None:
        """Another revision of an identity, once the service knows it."""
        await self.world.identify(patient_id, qualified=qualified, revision=revision)

        async def known() -> bool:
            row = await self.world.service.database["patients"].find_one({"_id": patient_id})
            return row is not None and row.get("revision") == revision

        await until(known, 60)

    async def lines(self, report_id: str, kind: str = "report") -> dict[str, dict[str, Any]]:
        """Lines of the version in force: dmp, patient, doctor, and messages by platform and edition."""
        found = (await self.world.journey(report_id))["lines"]
        return {one["recipient_id"].replace("corr-1", "doctor"): one for one in found if one["kind"] == kind}

    async def become(self, report_id: str, kind: str = "report", **expected: str) -> dict[str, dict[str, Any]]:
        """Wait until these lines are in these states ("ch_1" for "ch/1")."""
        wanted = {name.replace("_", "/"): state for name, state in expected.items()}

        async def reached() -> bool:
            states = {name: line["state"] for name, line in (await self.lines(report_id, kind)).items()}
            return wanted.items() <= states.items()

        try:
            await until(reached, 60)
        except AssertionError:
            raise AssertionError(f"wanted {wanted}, got {await self.world.journey(report_id)}") from None
        return await self.lines(report_id, kind)

    async def replay(self, report_id: str) -> list[str]:
        """The operator replays what ended without arriving, oldest first; why not, where it is refused."""
        said = []
        async with self.world.caller("operator") as caller:
            rows = (await caller.get("/ops/deliveries", params={"channel": "platform-ch", "limit": 500})).json()
            ours = [row for row in rows["deliveries"] if row["group"].endswith(report_id)]
            for row in sorted(ours, key=lambda one: str(one["id"])):
                if row["state"] in ("rejected", "failed", "cancelled"):
                    answer = await caller.post(f"/ops/deliveries/{row['id']}/replay")
                    said.append("replayed" if answer.status_code == 202 else answer.json()["detail"])
        return said

    def taken(self) -> list[tuple[str, Message]]:
        """Action and content of every message the platform took, in order."""
        rows = self.pfi.register.as_json("messages")
        folder = Path(self.pfi.config.state) / "messages"
        return [(row["action"], parse((folder / row["file"]).read_bytes())) for row in rows]

    def documents(self) -> list[str]:
        """Where the documents stand over there, in the order they came."""
        return [row["status"] for row in self.pfi.register.as_json("documents")]

    def in_order(self) -> None:
        """The platform knows nothing and behaves."""
        self.pfi.faults.clear()
        self.pfi.reset_state()
        self.pfi.refusals.entries.clear()


HospitalWith = Callable[..., AbstractAsyncContextManager[Hospital]]


@pytest.fixture(scope="module")
def hospital_with(world_with: Any, pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> HospitalWith:
    """Runs a service; `sites` and further `platforms` of the file, `double` for the platform, the rest is its entry."""

    @asynccontextmanager
    async def opened(
        *,
        sites: Sequence[dict[str, Any]] = (EVERYTHING,),
        platforms: Sequence[dict[str, Any]] = (),
        double: PfiSettings | None = None,
        **entry: Any,
    ) -> AsyncIterator[Hospital]:
        folder, port = tmp_path_factory.mktemp("hospital"), free_port()
        certificate, key = pki.pair("ris-client")
        own_certificate, own_key = pki.pair("service-report")
        async with AsyncExitStack() as stack:
            config = SimulatorConfig(pki=pki.directory, state=folder / "pfi")
            pfi = await stack.enter_async_context(PfiSimulator(config, double, receipts_to=("localhost", port)))
            link = {"port": pfi.ports()["port"], "ca": str(pki.igc_ca), "cert": str(certificate), "key": str(key)}
            described = {"platforms": [ENTRY | link | entry, *platforms], "sites": list(sites)}
            (folder / "pfi.json").write_text(json.dumps(described))
            world = await stack.enter_async_context(
                world_with(
                    pfi_file=folder / "pfi.json",
                    pfi_port=port,
                    pfi_cert=own_certificate,
                    pfi_key=own_key,
                    pfi_ca=pki.igc_ca,
                    pfi_retry_first_seconds=0.2,
                    pfi_probe_seconds=0.2,
                    delivery_poll_seconds=0.1,
                )
            )
            yield Hospital(world, pfi)

    return opened


@pytest.fixture(scope="session")
def said() -> Callable[[Message], str]:
    """DESTDMP, DESTMSSANTEPS and DESTMSSANTEPAT of a message, as "YNN"."""

    def read(message: Message) -> str:
        values = {one.value(3): one.value(5) for one in message.all("OBX")[1:]}
        return "".join(values[name] for name in ("DESTDMP", "DESTMSSANTEPS", "DESTMSSANTEPAT"))

    return read


@dataclass
class Receiver:
    """A platform on a plain port that takes one version of the volet, and knows messages again by their MSH-10."""

    takes: str = "2.1"
    first_code: str = ""
    """What stands in MSA-1 of its first answer instead of the code, "-" for nothing."""
    port: int = field(default_factory=free_port)
    heard: list[bytes] = field(default_factory=list)
    memory: dict[str, bytes] = field(default_factory=dict)

    async def run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                raw = (await reader.readuntil(b"\x1c\r"))[1:-2]
                self.heard.append(raw)
                answer = self.answer(raw)
                if self.first_code and len(self.heard) == 1:
                    answer = answer.replace(b"MSA|AA|", f"MSA|{self.first_code.strip('-')}|".encode())
                writer.write(b"\x0b" + answer + b"\x1c\r")
        except (OSError, asyncio.IncompleteReadError):
            writer.close()

    def answer(self, raw: bytes) -> bytes:
        message = parse(raw)
        if message.control_id not in self.memory:
            good = message.msh.value(21) == self.takes
            errors = [] if good else [AckError(MessageError.VERSION, "version")]
            code: AckCode = "AA" if good else "AE"
            self.memory[message.control_id] = build_ack(message, code, own_id="1", at=AT, errors=errors)
        return self.memory[message.control_id]


@pytest.fixture
def receiver() -> Callable[..., AbstractAsyncContextManager[Receiver]]:
    """Runs a receiver."""

    @asynccontextmanager
    async def running(**how: Any) -> AsyncIterator[Receiver]:
        platform = Receiver(**how)
        async with await asyncio.start_server(platform.run, "127.0.0.1", platform.port, limit=2**24):
            yield platform

    return running


@pytest.fixture
def served(world_with: Any, tmp_path: Path) -> HospitalWith:
    """Runs a service with these entries (`{"port": …}` and what else differs), on a database that outlives it."""
    database, receipts = f"test_{uuid.uuid4().hex[:12]}", free_port()
    quick = {"delivery_poll_seconds": 0.1, "pfi_probe_seconds": 0.2, "pfi_retry_first_seconds": 0.2}

    @asynccontextmanager
    async def opened(*entries: dict[str, Any], **routes: Any) -> AsyncIterator[Hospital]:
        plain = ENTRY | {"host": "127.0.0.1"}
        named = {one.get("name", "ch") for one in entries}
        sites = [EVERYTHING | routes] if "ch" in named else []
        path = tmp_path / "pfi.json"
        path.write_text(json.dumps({"platforms": [plain | one for one in entries], "sites": sites}))
        more = {"pfi_port": receipts, "mongo_database": database, **quick}
        async with world_with(pfi_file=path, **more) as world:
            yield Hospital(world, pfi=cast(PfiSimulator, None), receipts_port=receipts)

    return opened
