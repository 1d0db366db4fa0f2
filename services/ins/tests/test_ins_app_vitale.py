"""The Appli carte Vitale qualifies an identity in one act, on the word of a known reader (spec/ins.md §2.5, §5.5)."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import ECKey
from navette_ins.app import create_service
from navette_ins.settings import InsSettings
from navette_sandbox.simulators.insi.server import InsiSimulator

READER = ECKey.generate_key("P-256", {"kid": "poste-3", "alg": "ES256"})
STRANGER = ECKey.generate_key("P-256", {"kid": "poste-3", "alg": "ES256"})
MATRICULE = "268043818590119"


def reading(key: ECKey = READER, **changes: Any) -> str:
    content = {
        "reading_id": uuid.uuid4().hex,
        "read_at": datetime.now(UTC).isoformat(),
        "matricule": MATRICULE,
        "oid": "1.2.250.1.213.1.4.8",
        "birth_name": "DUVAL-FICTIF",
        "birth_given_names": "CAMILLE ROSE",
        "sex": "F",
        "birth_date": "1968-04-17",
        "birth_place_code": "38185",
    }
    return jws.serialize_compact({"alg": "ES256", "kid": "poste-3"}, json.dumps(content | changes).encode(), key)


@pytest.fixture
async def reception(settings: InsSettings, insi: InsiSimulator, open_desk: Any, tmp_path: Path) -> AsyncIterator[Any]:
    keys = tmp_path / "readers.json"
    keys.write_text(json.dumps({"keys": [READER.as_dict(private=False)]}))
    configured = settings.model_copy(update={"app_readers_file": keys})
    async with open_desk(configured, insi, "secretary", "identity-supervisor") as desk:
        yield desk


async def show(desk: Any, patient_id: str, expect: int = 200, **changes: Any) -> dict[str, Any]:
    return dict(await desk.act(patient_id, "app-vitale-reading", expect, reading=reading(**changes)))


@pytest.mark.dsr("RIS.INS.25", "RIS.INS.50")
async def test_a_reading_that_agrees_qualifies_and_is_kept_as_it_came(reception: Any) -> None:
    patient = await reception.create(used_name="EPOUX-FICTIF")
    assert (await show(reception, patient["patient_id"]))["state"] == "accepted"
    record = await reception.read(patient["patient_id"])
    assert (record["status"], record["ins"]["matricule"]) == ("qualifiee", MATRICULE)
    assert (record["check"]["document_kind"], record["traits"]["used_name"]) == ("AV", "EPOUX-FICTIF")
    assert reception.insi.views()["calls"](()) == []
    (row,) = await reception.service.database["insi_exchanges"].find().to_list()
    assert (row["operation"], row["code"], row["requested_by"]) == ("lireAppliCarteVitale", "AV", "user-1")
    assert MATRICULE not in repr(row)
    changes = (await reception.read(patient["patient_id"], "/history"))["changes"]
    assert changes[-1]["action"] == "app_vitale"


async def test_a_reading_of_somebody_else_is_compared_and_refused(reception: Any) -> None:
    patient = await reception.create()
    shown = await show(reception, patient["patient_id"], birth_name="AUTRE-FICTIF")
    assert (shown["state"], shown["differences"]) == ("to_decide", ["birth_name"])
    sides = await reception.read(patient["patient_id"], f"/insi-calls/{shown['call_id']}/comparison")
    assert next(one for one in sides["traits"] if one["differs"])["insi"] == "AUTRE-FICTIF"
    decision = f"insi-calls/{shown['call_id']}/decision"
    await reception.act(patient["patient_id"], decision, 409, accepted=True)
    assert (await reception.act(patient["patient_id"], decision, accepted=False))["state"] == "refused"
    assert (await reception.read(patient["patient_id"]))["status"] == "provisoire"


async def test_differences_that_a_person_confirms_are_taken_over(reception: Any) -> None:
    patient = await reception.create(birth_name="EPOUX-FICTIF")
    shown = await show(reception, patient["patient_id"])
    decision = f"insi-calls/{shown['call_id']}/decision"
    decided = await reception.act(patient["patient_id"], decision, accepted=True, confirmed=["birth_name"])
    record = await reception.read(patient["patient_id"])
    assert (decided["state"], record["status"]) == ("accepted", "qualifiee")
    assert record["traits"]["birth_name"] == "DUVAL-FICTIF"


async def test_a_reading_counts_once_and_soon(reception: Any) -> None:
    patient = await reception.create()
    signed = reading(birth_name="AUTRE-FICTIF")
    await reception.act(patient["patient_id"], "app-vitale-reading", reading=signed)
    again = await reception.act(patient["patient_id"], "app-vitale-reading", 409, reading=signed)
    assert "déjà servi" in again["detail"]
    for moment, field in ((timedelta(minutes=-21), "read_at"), (timedelta(minutes=5), "read_at")):
        refused = await show(reception, patient["patient_id"], 422, read_at=(datetime.now(UTC) + moment).isoformat())
        assert refused["errors"][0]["field"] == field


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"key": STRANGER}, "reading"),
        ({"matricule": "26804381859011"}, "reading"),
        ({"sex": "X"}, "reading"),
        ({"birth_date": None}, "reading"),
        ({"oid": "1.2.250.9.9"}, "oid"),
    ],
)
async def test_what_no_known_reader_says_of_a_person_is_refused_without_a_value(
    reception: Any, changes: dict[str, Any], field: str
) -> None:
    patient = await reception.create()
    refused = await show(reception, patient["patient_id"], 422, **changes)
    assert [one["field"] for one in refused["errors"]] == [field]
    assert "26804" not in json.dumps(refused)


@pytest.mark.parametrize("signed", ["a.b.c", "e30.e30.", "x" * 9000, reading()[:-8] + "AAAAAAAA"])
async def test_garbage_is_refused(reception: Any, signed: str) -> None:
    patient = await reception.create()
    await reception.act(patient["patient_id"], "app-vitale-reading", 422, reading=signed)


async def test_an_unsigned_reading_is_not_one(reception: Any) -> None:
    patient = await reception.create()
    header = "eyJhbGciOiJub25lIn0"
    unsigned = f"{header}.{reading().split('.')[1]}."
    await reception.act(patient["patient_id"], "app-vitale-reading", 422, reading=unsigned)


async def test_a_doubtful_record_takes_no_reading(reception: Any) -> None:
    patient = await reception.create()
    await reception.act(patient["patient_id"], "attributes", attribute="douteuse")
    assert "douteuse" in (await show(reception, patient["patient_id"], 409))["detail"]


@pytest.mark.dsr("RIS.INS.15")
async def test_an_incomplete_date_of_birth_is_not_taken_over(reception: Any) -> None:
    patient = await reception.create()
    assert (await show(reception, patient["patient_id"], birth_date="1968-00-17"))["state"] == "unusable"


async def test_the_ins_of_another_record_is_a_duplicate(reception: Any) -> None:
    first, second = await reception.create(), await reception.create(local_id="IPP-2")
    await show(reception, first["patient_id"])
    assert (await show(reception, second["patient_id"]))["state"] == "duplicate"
    assert (await reception.read(second["patient_id"]))["ins"] is None


async def test_a_new_number_keeps_the_old_one(reception: Any) -> None:
    patient = await reception.create()
    await show(reception, patient["patient_id"])
    shown = await show(reception, patient["patient_id"], matricule="268043818590218")
    assert shown["differences"] == ["matricule"]
    decision = f"insi-calls/{shown['call_id']}/decision"
    await reception.act(patient["patient_id"], decision, accepted=True, confirmed=["matricule"])
    answer = await reception.http.post("/patients/search", json={"matricule": MATRICULE})
    assert [one["patient_id"] for one in answer.json()["patients"]] == [patient["patient_id"]]


async def test_who_may_not_qualify_may_not_take_a_reading(reception: Any, token: Any) -> None:
    patient = await reception.create()
    headers = {"Authorization": f"Bearer {token('radiologist')}"}
    path = f"/patients/{patient['patient_id']}/app-vitale-reading"
    assert (await reception.http.post(path, json={"reading": reading()}, headers=headers)).status_code == 403


async def test_without_readers_the_route_says_so(desk: Any) -> None:
    patient = await desk.create()
    refused = await desk.act(patient["patient_id"], "app-vitale-reading", 503, reading=reading())
    assert "non configurée" in refused["detail"]


def test_a_file_of_readers_holds_public_keys_only(settings: InsSettings, tmp_path: Path) -> None:
    keys = tmp_path / "readers.json"
    keys.write_text(json.dumps({"keys": [READER.as_dict(private=True)]}))
    with pytest.raises(ValueError, match="public EC keys only"):
        create_service(settings.model_copy(update={"app_readers_file": keys}))
