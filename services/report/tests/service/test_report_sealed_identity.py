"""An identity altered on its way is put aside; it neither blocks the identities behind it nor becomes a patient."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from navette_chassis.testing import until
from navette_contracts.events import IdentityStatus, Ins, PatientIdentified, Traits
from navette_contracts.sealed import Sealed

pytestmark = pytest.mark.asyncio(loop_scope="module")


def altered(seal: Sealed[Any]) -> Sealed[Any]:
    """The same with one bit of the content flipped."""
    parts = seal.token.split(".")
    parts[3] = ("A" if parts[3][0] != "A" else "B") + parts[3][1:]
    return Sealed[Any](".".join(parts))


async def dead_letters(kafka_broker: Any, patient_id: str) -> list[dict[str, bytes]]:
    async with AIOKafkaConsumer(
        "patient.identified.dlq", bootstrap_servers=kafka_broker.bootstrap, auto_offset_reset="earliest"
    ) as consumer:
        async with asyncio.timeout(60):
            while True:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    if found := [dict(one.headers) for one in records if one.key == patient_id.encode()]:
                        return found


async def test_an_altered_identity_is_put_aside_and_the_next_one_is_taken(world: Any, kafka_broker: Any) -> None:
    keyring, known = world.service.keyring, world.samples.identity()
    bad, good = world.new_patient(), world.new_patient()
    await world.emit(
        PatientIdentified(
            patient_id=bad,
            revision=1,
            status=IdentityStatus.QUALIFIEE,
            site_id=world.site,
            traits=Sealed[Traits].seal(known.traits, keyring),
            ins=altered(Sealed[Ins].seal(known.ins, keyring)),
        )
    )
    await world.identify(good, qualified=True)
    (letter,) = await dead_letters(kafka_broker, bad)
    assert letter["dlq_reason"] == b"sealed_field"
    report_id = await world.signed(good)
    await world.become(report_id, dmp="scheduled")
    assert (await world.service.checks())["consumer:project_identity"] == "ok"
    unknown = await world.signed(bad)
    lines = await until(lambda: world.lines(unknown))
    assert "scheduled" not in {line["state"] for line in lines.values()}
