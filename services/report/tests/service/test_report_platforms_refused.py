"""What cannot be handed to a platform is refused before it is sent, with who must act; what comes after still works."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from navette_chassis.testing import until
from navette_contracts.events import Audience, ReportComposed
from navette_report.use_cases.draft_report import draft_report
from navette_sandbox.ports import free_port

pytestmark = pytest.mark.asyncio(loop_scope="module")

PFI = {
    "name": "ch", "label": "PFI du CH", "kind": "pfi", "host": "127.0.0.1", "application": "PFI", "facility": "CH",
    "sending_facility": "C", "family": "ORU", "matrix": "strict", "ack_reception": False,
}  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def strict(world_with: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Any]:
    """A site whose mails go by a strict platform that nobody can reach; the DMP is fed by Navette. At the other site
    the platform does everything.
    """
    path = tmp_path_factory.mktemp("strict") / "pfi.json"
    routes = {"site_id": "site-nord", "professionals": "ch", "patient": "ch"}
    everything = {"site_id": "site-sud", "dmp": "ch", "professionals": "ch", "patient": "ch"}
    path.write_text(json.dumps({"platforms": [PFI | {"port": free_port()}], "sites": [routes, everything]}))
    async with world_with(
        pfi_file=path, delivery_poll_seconds=0.1, pfi_probe_seconds=0.2, pfi_retry_first_seconds=0.2
    ) as world:
        yield world


async def report(world: Any, **choices: Any) -> str:
    patient_id = world.new_patient()
    await world.identify(patient_id, qualified=True)
    return str(await world.signed(patient_id, **choices))


async def messages(world: Any, report_id: str) -> list[dict[str, Any]]:
    found = world.service.database["platform_messages"].find({"report_id": report_id}).sort("edition", 1)
    return list(await found.to_list())


@pytest.mark.dsr("RIS.INTRA.01")
async def test_a_combination_the_platform_would_refuse_is_not_sent(strict: Any, outbox_events: Any) -> None:
    report_id = await report(strict, withheld_from_patient=True)
    lines = await strict.become(report_id, corr_1="refused", dmp="scheduled", patient="cancelled")
    assert (lines["corr-1"]["reason"], lines["corr-1"]["who_must_act"]) == ("matrix_patient_left_out", "radiologist")
    assert lines["ch/1"]["state"] == "refused"
    assert lines["ch/1"]["reason_label"].startswith("Cette plateforme n’envoie au professionnel seul")
    assert await messages(strict, report_id) == []
    (composed,) = outbox_events.of(ReportComposed, report_id)
    assert composed.audience == (Audience.DMP,)


async def test_the_correction_of_what_never_left_is_a_first_sending(strict: Any) -> None:
    report_id = await report(strict, withheld_from_patient=True, withheld_from_dmp=True)
    await strict.become(report_id, corr_1="refused")
    content = json.loads(strict.samples.content(conclusion="Corrigé.").model_dump_json())
    async with strict.radiologist() as caller:
        assert (await caller.post(f"/reports/{report_id}/replace", json={"built_on": 1, "content": content})).is_success
    assert (await strict.sign(report_id, withheld_from_patient=False)).status_code == 200

    async def promised() -> bool:
        return bool(await messages(strict, report_id))

    await until(promised, 30)
    (row,) = await messages(strict, report_id)
    assert (row["action"], row["version"]) == ("create", 2)
    assert (row["indicators"]["to_professionals"], row["indicators"]["to_patient"]) == (True, True)


async def test_messages_wait_for_a_platform_nobody_can_reach(strict: Any) -> None:
    report_id = await report(strict)
    await strict.become(report_id, **{"ch/1": "scheduled", "corr_1": "scheduled"})

    async def outage() -> bool:
        async with strict.caller("operator") as caller:
            notices = (await caller.get("/ops/notices")).json()["notices"]
        return any((one["endpoint"], one["kind"]) == ("platform-ch", "outage_started") for one in notices)

    await until(outage, 60)
    assert {row["state"] for row in await messages(strict, report_id)} == {"scheduled"}


@pytest.mark.dsr("RIS.INTRA.01", "RIS.DMP.06")
async def test_the_dmp_does_not_wait_for_a_mail_that_the_matrix_has_no_line_for(strict: Any) -> None:
    patient_id = await strict.known(strict.new_patient())
    values = {"site_id": strict.other_site, "content": strict.samples.content(), "author": "user-1"}
    report_id = (await strict.service.transact(draft_report, patient_id=patient_id, **values)).report_id
    async with strict.radiologist(sites=[strict.other_site]) as caller:
        assert (await caller.post(f"/reports/{report_id}/sign", json={"announcement_needed": True})).is_success

        async def promised(number: int) -> None:
            async def there() -> bool:
                return len(await messages(strict, report_id)) == number

            await until(there, 30)

        await promised(1)
        assert (await caller.post(f"/reports/{report_id}/announce", json={})).is_success
        await promised(2)
        lines = (await caller.get(f"/reports/{report_id}/journey")).json()["lines"]
    hidden, shown = [row["indicators"] for row in await messages(strict, report_id)]
    said = ("invisible_to_patient", "to_dmp", "to_professionals", "to_patient")
    assert [hidden[name] for name in said] == [True, True, True, False]
    # The DMP shows the patient what was announced; the mail, which no line of the matrix allows, says so.
    assert [shown[name] for name in said] == [False, True, False, False]
    states = {(one["recipient_id"], one["kind"]): (one["state"], one["reason"], one["who_must_act"]) for one in lines}
    assert states["patient", "report"] == ("refused", "matrix_patient_with_dmp", "administrator")
    assert states["dmp", "release"][0] == "scheduled"
