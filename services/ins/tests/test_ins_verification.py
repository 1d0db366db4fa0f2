"""Verification of what is held: units, batches, outages, KO, against the double (spec/ins.md §2.8, §2.9)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from navette_chassis import Service
from navette_chassis.testing import until
from navette_ins.adapters.sealed_bytes import open_bytes
from navette_ins.adapters.verifications import subject_sent
from navette_ins.settings import InsSettings
from navette_sandbox.simulators.insi.server import InsiSimulator

SECOND = {
    "birth_name": "GARNIER-ESSAI",
    "first_birth_given_name": "THOMAS",
    "birth_given_names": "THOMAS",
    "birth_date": "1983-06-14",
    "sex": "M",
    "birth_place_code": "33063",
}


class ShiftedClock:
    """The clock of the machine, moved by hand: what runs meanwhile still sees time pass."""

    def __init__(self) -> None:
        self.shift = timedelta(0)

    def now(self) -> datetime:
        moment = datetime.now(UTC) + self.shift
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


@pytest.fixture
def clock() -> ShiftedClock:
    return ShiftedClock()


@pytest.fixture
def verifying(settings: InsSettings, insi: InsiSimulator) -> InsSettings:
    changes = {
        "insi_verification": "sandbox",
        "insi_verification_url": f"https://127.0.0.1:{insi.ports()['port']}",
        "insi_verification_round_seconds": 0.1,
    }
    return InsSettings.model_validate(settings.model_dump() | changes)


@pytest.fixture
async def cell(verifying: InsSettings, insi: InsiSimulator, open_desk: Any, clock: ShiftedClock) -> AsyncIterator[Any]:
    """A desk of somebody of the cellule d'identitovigilance."""
    async with open_desk(verifying, insi, "secretary", "identity-supervisor", clock=clock) as desk:
        yield desk


async def qualified(desk: Any, **changes: Any) -> dict[str, Any]:
    patient = await desk.create(**changes)
    await desk.act(patient["patient_id"], "identity-checks", document_kind="CN")
    assert (await desk.search(patient["patient_id"]))["state"] == "accepted"
    return dict(await desk.read(patient["patient_id"]))


async def verified(desk: Any, patient_id: str) -> dict[str, Any]:
    asked = await desk.act(patient_id, "verifications", expect=202)

    async def finished() -> dict[str, Any] | None:
        state = await desk.read(patient_id, f"/verifications/{asked['check_id']}")
        return state if state["state"] != "requested" else None

    return dict(await until(finished))


async def batches(desk: Any) -> list[dict[str, Any]]:
    answer = await desk.http.get("/verification-batches")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["batches"])


async def batch_in(desk: Any, *states: str) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        return next((one for one in await batches(desk) if one["state"] in states), None)

    return dict(await until(look))


async def looks_until(desk: Any, clock: ShiftedClock, *states: str) -> dict[str, Any]:
    """Let the waits between two looks at a lot pass, one by one, until a batch is in one of these states."""

    async def look() -> dict[str, Any] | None:
        found = next((one for one in await batches(desk) if one["state"] in states), None)
        if found is None:
            await skip_wait(desk, clock)
        return found

    return dict(await until(look))


async def skip_wait(desk: Any, clock: ShiftedClock) -> None:
    """Go to the moment the next look is due, unless one is under way."""
    waiting = {"channel": "insi-verification-batch", "state": {"$in": ["scheduled", "retry_scheduled"]}}
    rows = await desk.service.database["deliveries"].find(waiting).to_list()
    gap = min((row["due"] for row in rows if "due" in row), default=clock.now()) - clock.now()
    if gap > timedelta(seconds=5):
        clock.shift += gap


async def cases(service: Service) -> list[dict[str, Any]]:
    rows = await service.database["identity_cases"].find({"kind": "verification_ko"}).to_list()
    return [row["case"] for row in rows]


async def due_of(desk: Any, patient_id: str) -> dict[str, Any]:
    return dict(await desk.service.database["verification_due"].find_one({"_id": patient_id}))


@pytest.mark.dsr("RIS.INS.42", "RIS.INS.48")
async def test_a_person_has_an_ins_verified_and_the_answer_is_kept(cell: Any, clock: ShiftedClock) -> None:
    patient = await qualified(cell)
    before = (await due_of(cell, patient["patient_id"]))["positive_at"]
    clock.shift += timedelta(days=30)
    check = await verified(cell, patient["patient_id"])
    assert (check["state"], check["state_label"]) == ("ok", "INS vérifiée")
    assert (await cell.read(patient["patient_id"]))["revision"] == patient["revision"]
    assert (await due_of(cell, patient["patient_id"]))["positive_at"] - before >= timedelta(days=30)
    assert cell.insi.views()["calls"](())[-1]["caller"] == "INSI-MANU"

    (row,) = await cell.service.database["verification_answers"].find().to_list()
    assert (row["operation"], row["code"], row["requested_by"]) == ("verify", "OK", "user-1")
    assert subject_sent(row, cell.keyring).birth_name == "DUVAL-FICTIF"
    assert b'"OK"' in open_bytes(row["reply"], cell.keyring)
    assert "DUVAL" not in repr(row)


@pytest.mark.dsr("RIS.INS.43")
async def test_a_ko_opens_a_case_and_only_a_person_takes_the_ins_away(cell: Any) -> None:
    patient = await qualified(cell)
    cell.insi.faults.add({"kind": "verification_ko", "target": "unit", "count": 1})
    check = await verified(cell, patient["patient_id"])
    assert (check["state"], check["who_must_act"]) == ("ko", "secretary")
    assert (await cell.read(patient["patient_id"]))["status"] == "qualifiee"
    (case,) = await cases(cell.service)
    assert case["patient_ids"] == [patient["patient_id"]]

    decided = await cell.http.post(f"/cases/{case['case_id']}/decision", json={"decision": "confirm"})
    assert decided.status_code == 200, decided.text
    downgraded = await cell.read(patient["patient_id"])
    assert (downgraded["status"], downgraded["ins"]) == ("validee", None)
    assert await cell.service.database["verification_due"].find_one({"_id": patient["patient_id"]}) is None


async def test_a_technical_answer_is_asked_for_again_and_an_outage_never_blocks_the_desk(cell: Any) -> None:
    patient = await qualified(cell)
    cell.insi.faults.add({"kind": "verification_technical", "target": "unit", "count": 1})
    cell.insi.faults.add({"kind": "http_error", "target": "unit", "status": 503, "count": 1})
    cell.insi.faults.add({"kind": "lost_answer", "target": "unit", "count": 1})
    assert (await verified(cell, patient["patient_id"]))["state"] == "ok"


async def test_an_answer_about_an_identity_that_changed_meanwhile_is_not_used(cell: Any) -> None:
    patient = await qualified(cell)
    cell.insi.faults.add({"kind": "verification_ko", "target": "unit"})
    cell.insi.faults.add({"kind": "stalled", "target": "unit"})
    asked = await cell.act(patient["patient_id"], "verifications", expect=202)
    await cell.act(patient["patient_id"], "identity-checks", document_kind="PA")
    cell.insi.faults.lift("stalled")

    async def finished() -> bool:
        state = await cell.read(patient["patient_id"], f"/verifications/{asked['check_id']}")
        return bool(state["state"] == "outdated")

    await until(finished)
    assert await cases(cell.service) == []


async def test_one_verification_at_a_time_and_none_without_an_ins(cell: Any) -> None:
    patient = await cell.create()
    refused = await cell.act(patient["patient_id"], "verifications", expect=409)
    assert "rien à vérifier" in refused["detail"]
    patient = await qualified(cell, **SECOND)
    cell.insi.faults.add({"kind": "stalled", "target": "unit"})
    await cell.act(patient["patient_id"], "verifications", expect=202)
    assert "en cours" in (await cell.act(patient["patient_id"], "verifications", expect=409))["detail"]
    cell.insi.faults.lift("stalled")


async def test_an_installation_without_verification_says_so(desk: Any) -> None:
    patient = await qualified(desk)
    refused = await desk.act(patient["patient_id"], "verifications", expect=503)
    assert "Vérification non configurée" in refused["detail"]
    worklist = (await desk.http.get("/worklists/verification-due")).json()
    assert "non configurée" in worklist["what_to_do"]


@pytest.mark.dsr("RIS.INS.42")
async def test_what_was_not_confirmed_for_five_years_leaves_in_a_batch_under_the_unattended_certificate(
    cell: Any, clock: ShiftedClock
) -> None:
    first, second = await qualified(cell), await qualified(cell, **SECOND)
    assert (await cell.http.get("/worklists/verification-due")).json()["items"] == []
    clock.shift += timedelta(days=1827)
    applied = await looks_until(cell, clock, "applied")
    assert (applied["sent"], applied["counts"]) == (2, {"ok": 2})
    callers = {call["caller"] for call in cell.insi.views()["calls"](()) if call["operation"].startswith("lots")}
    assert callers == {"INSI-AUTO"}
    for patient in (first, second):
        assert (await cell.read(patient["patient_id"]))["revision"] == patient["revision"]
    operations = {row["operation"] async for row in cell.service.database["verification_answers"].find()}
    assert operations == {"deposit", "withdraw"}


@pytest.mark.dsr("RIS.INS.43")
async def test_a_ko_in_a_batch_opens_a_case_and_erases_nothing(cell: Any, clock: ShiftedClock) -> None:
    patient = await qualified(cell)
    cell.insi.faults.add({"kind": "verification_ko", "target": "lots", "count": 1})
    clock.shift += timedelta(days=1827)
    applied = await looks_until(cell, clock, "applied")
    assert applied["counts"] == {"ko": 1}
    report = (await cell.http.get(f"/verification-batches/{applied['batch_id']}")).json()
    assert report["ko_patient_ids"] == [patient["patient_id"]]
    assert (await cell.read(patient["patient_id"]))["status"] == "qualifiee"
    assert [case["opened_by"] for case in await cases(cell.service)] == ["insi-auto"]


async def test_a_deposit_whose_answer_was_lost_makes_one_lot(cell: Any, clock: ShiftedClock) -> None:
    await qualified(cell)
    cell.insi.faults.add({"kind": "lost_answer", "target": "lots", "count": 1})
    clock.shift += timedelta(days=1827)
    await looks_until(cell, clock, "applied")
    (lot,) = cell.insi.views()["lots"](())
    assert lot["deposits"] == 2


async def test_a_line_about_a_record_that_changed_is_discarded_and_asked_again(cell: Any, clock: ShiftedClock) -> None:
    patient = await qualified(cell)
    cell.insi.faults.add({"kind": "verification_ko", "target": "lots", "count": 1})
    clock.shift += timedelta(days=1827)
    await batch_in(cell, "deposited", "pending")
    await cell.act(patient["patient_id"], "identity-checks", document_kind="PA")
    first = await looks_until(cell, clock, "applied")
    assert first["counts"] == {"stale": 1}
    assert await cases(cell.service) == []

    async def second() -> bool:
        await skip_wait(cell, clock)
        return [one["counts"] for one in await batches(cell)] == [{"ok": 1}, {"stale": 1}]

    await until(second)


@pytest.mark.parametrize(("fault", "state"), [("lot_rejected", "rejected"), ("lot_expired", "expired")])
async def test_a_lot_that_comes_to_nothing_frees_its_lines(
    cell: Any, clock: ShiftedClock, fault: str, state: str
) -> None:
    patient = await qualified(cell)
    cell.insi.faults.add({"kind": fault, "target": "lots", "count": 1})
    clock.shift += timedelta(days=1827)
    ended = await looks_until(cell, clock, state)
    assert ended["counts"] == {}
    row = await due_of(cell, patient["patient_id"])
    assert row["batch_id"] is None
    clock.shift += timedelta(days=2)
    assert (await looks_until(cell, clock, "applied"))["counts"] == {"ok": 1}


async def test_a_line_missing_from_the_result_counts_as_technical(cell: Any, clock: ShiftedClock) -> None:
    await qualified(cell)
    cell.insi.faults.add({"kind": "lot_lines_missing", "target": "lots", "count": 1})
    clock.shift += timedelta(days=1827)
    assert (await looks_until(cell, clock, "applied"))["counts"] == {"technical": 1}


async def test_a_result_never_ready_is_alarmed_before_it_is_lost(cell: Any, clock: ShiftedClock) -> None:
    await qualified(cell)
    cell.insi.faults.add({"kind": "lot_never_ready", "target": "lots"})
    clock.shift += timedelta(days=1827)
    await looks_until(cell, clock, "pending")
    clock.shift += timedelta(days=6)

    async def alarmed() -> bool:
        row = await cell.service.database["verification_batches"].find_one({})
        return bool(row["batch"]["alarmed_at"])

    await until(alarmed)


async def test_dates_survive_a_restart_and_another_period_counts_at_once(
    verifying: InsSettings, insi: InsiSimulator, open_desk: Any
) -> None:
    clock = ShiftedClock()
    slow = verifying.model_copy(update={"insi_verification_round_seconds": 3600.0})
    async with open_desk(slow, insi, "secretary", "identity-supervisor", clock=clock) as desk:
        await qualified(desk)
        clock.shift += timedelta(days=400)
        assert (await desk.http.get("/worklists/verification-due")).json()["items"] == []
    yearly = verifying.model_copy(update={"insi_verification_period_days": 365})
    async with open_desk(yearly, insi, "secretary", "identity-supervisor", clock=clock) as desk:
        assert (await looks_until(desk, clock, "applied"))["counts"] == {"ok": 1}


async def test_a_batch_under_way_is_finished_by_the_process_that_comes_next(
    verifying: InsSettings, insi: InsiSimulator, open_desk: Any
) -> None:
    clock = ShiftedClock()
    insi.faults.add({"kind": "lot_never_ready", "target": "lots"})
    async with open_desk(verifying, insi, "secretary", "identity-supervisor", clock=clock) as desk:
        patient = await qualified(desk)
        clock.shift += timedelta(days=1827)
        await looks_until(desk, clock, "pending")
    insi.faults.clear()
    async with open_desk(verifying, insi, "secretary", "identity-supervisor", clock=clock) as desk:
        assert (await looks_until(desk, clock, "applied"))["counts"] == {"ok": 1}
        assert len(await batches(desk)) == 1
        assert (await due_of(desk, patient["patient_id"]))["batch_id"] is None
    assert [one["deposits"] for one in insi.views()["lots"](())] == [1]


async def test_a_record_that_cannot_be_opened_does_not_hold_up_the_others(cell: Any, clock: ShiftedClock) -> None:
    long_ago = clock.now() - timedelta(days=4000)
    row = {"_id": "broken", "site_id": "lilas", "batch_id": None, "positive_at": long_ago, "not_before": long_ago}
    patient = await qualified(cell)
    held = await cell.service.database["identities"].find_one({"_id": patient["patient_id"]})
    altered = held["sealed"][:-22] + "A" * 22
    await cell.service.database["identities"].insert_one({"_id": "broken", "sealed": altered})
    await cell.service.database["verification_due"].insert_one(row)
    clock.shift += timedelta(days=1827)
    assert (await looks_until(cell, clock, "applied"))["counts"] == {"ok": 1}
    assert (await due_of(cell, "broken"))["not_before"] != long_ago


async def test_two_schedulers_make_one_batch(verifying: InsSettings, insi: InsiSimulator, open_desk: Any) -> None:
    clock = ShiftedClock()
    async with (
        open_desk(verifying, insi, "secretary", "identity-supervisor", clock=clock) as one,
        open_desk(verifying, insi, "secretary", "identity-supervisor", clock=clock) as _other,
    ):
        await qualified(one)
        clock.shift += timedelta(days=1827)
        await looks_until(one, clock, "applied")
        assert len(await batches(one)) == 1
        assert (await one.service.database["leases"].find_one({"_id": "verification"}))["holder"] is not None


async def test_a_record_under_discussion_waits(cell: Any, clock: ShiftedClock) -> None:
    patient = await qualified(cell)
    cell.insi.faults.add({"kind": "verification_ko", "target": "unit", "count": 1})
    await verified(cell, patient["patient_id"])
    clock.shift += timedelta(days=1827)

    async def passed_over() -> bool:
        row = await due_of(cell, patient["patient_id"])
        return bool(row["not_before"] > clock.now().replace(tzinfo=row["not_before"].tzinfo))

    await until(passed_over)
    assert await batches(cell) == []


async def test_the_worklist_of_what_is_due_masks_the_matricule(
    settings: InsSettings, insi: InsiSimulator, open_desk: Any
) -> None:
    clock = ShiftedClock()
    async with open_desk(settings, insi, clock=clock) as desk:
        patient = await qualified(desk)
        clock.shift += timedelta(days=1827)
        (item,) = (await desk.http.get("/worklists/verification-due")).json()["items"]
        assert item["patient_id"] == patient["patient_id"]
        assert item["masked_matricule"] == "2 68 04 ** *** *** **"


async def test_batches_are_for_the_cell(desk: Any) -> None:
    assert (await desk.http.get("/verification-batches")).status_code == 403


async def test_nothing_due_makes_no_batch(cell: Any) -> None:
    await qualified(cell)
    assert await batches(cell) == []
