"""The portability export: whose documents leave, in what form, who is told."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from typing import Any

import pytest
from lxml import etree
from navette_contracts.events import AccessRecorded

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def composed(world: Any, rpps: str) -> str:
    patient_id = world.new_patient()
    await world.identify(patient_id, qualified=True)
    report_id = await world.draft(patient_id)
    async with world.radiologist(rpps=rpps) as caller:
        assert (await caller.post(f"/reports/{report_id}/sign", json={})).status_code == 200
    await world.become(report_id, dmp="scheduled")
    return str(report_id)


async def export(world: Any, query: str, *roles: str, **claims: Any) -> Any:
    async with world.caller(*(roles or ("administrator",)), **claims) as caller:
        return await caller.get(f"/portability.zip?{query}")


def opened(answer: Any) -> zipfile.ZipFile:
    assert answer.status_code == 200, answer.text
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    return archive


@pytest.mark.dsr("RIS.PORT.01")
async def test_the_documents_of_a_professional_leave_with_their_history(world, make_rpps, outbox_events):
    mine = [await composed(world, make_rpps(51)) for _ in range(2)]
    await composed(world, make_rpps(52))
    answer = await export(world, f"rpps={make_rpps(51)}")
    archive = opened(answer)
    assert answer.headers["content-disposition"] == f'attachment; filename="portabilite-{make_rpps(51)}.zip"'
    rows = list(csv.DictReader(io.StringIO(archive.read("index.csv").decode("utf-8-sig")), delimiter=";"))
    assert {row["compte_rendu"] for row in rows} == set(mine)
    for row in rows:
        pdf, cda = archive.read(row["fichier_pdf"]), archive.read(row["fichier_cda"])
        assert hashlib.sha256(pdf).hexdigest() == row["sha256_pdf"]
        assert hashlib.sha256(cda).hexdigest() == row["sha256_cda"]
        header = etree.fromstring(cda)
        assert header.find("{urn:hl7-org:v3}id").get("root") == row["identifiant_unique"]
        assert (row["finess"], row["ins_qualifiee"], row["etat"]) == ("999900016", "oui", "composed")
    (first, *_) = json.loads(archive.read("index.json"))["documents"]
    assert {line["canal"] for line in first["envois"]} == {"dmp", "mss"}
    told = [event for event, _ in outbox_events.seen if isinstance(event, AccessRecorded)]
    assert [one.object_id for one in told if one.action == "portability.export"] == [make_rpps(51)]
    assert len([one for one in told if one.action == "document.export"]) == 2


@pytest.mark.dsr("RIS.PORT.01")
async def test_the_archive_explains_itself(world, make_rpps):
    archive = opened(await export(world, f"rpps={make_rpps(59)}"))
    assert archive.namelist() == ["LISEZ-MOI.txt", "index.csv", "index.json"]
    words = archive.read("LISEZ-MOI.txt").decode()
    heads = archive.read("index.csv").decode("utf-8-sig").strip().split(";")
    assert [head for head in heads if head not in words] == []


@pytest.mark.dsr("RIS.PORT.01")
async def test_no_cell_of_the_index_is_a_formula_and_the_data_are_as_written(world, make_rpps):
    patient_id = world.new_patient()
    await world.identify(patient_id, qualified=True)
    exam = world.samples.content().exam.model_dump() | {"accession_number": "-2+3", "order_placer_number": "@SUM(A1)"}
    report_id = await world.draft(patient_id, title='=HYPERLINK("https://exemple.example")', exam=exam)
    async with world.radiologist(rpps=make_rpps(55)) as caller:
        assert (await caller.post(f"/reports/{report_id}/sign", json={})).status_code == 200
    await world.become(report_id, dmp="scheduled")
    archive = opened(await export(world, f"rpps={make_rpps(55)}"))
    (row,) = csv.DictReader(io.StringIO(archive.read("index.csv").decode("utf-8-sig")), delimiter=";")
    assert not [name for name, cell in row.items() if cell.startswith(("=", "+", "-", "@"))]
    (written,) = json.loads(archive.read("index.json"))["documents"]
    assert (written["numero_examen"], written["numero_demande"]) == ("-2+3", "@SUM(A1)")


@pytest.mark.dsr("RIS.PORT.01")
async def test_the_period_decides_what_leaves(world, make_rpps):
    await composed(world, make_rpps(53))
    for query, count in (("until=2020-01-01", 0), ("since=2020-01-01", 1), ("since=2020-01-01&until=2020-12-31", 0)):
        archive = opened(await export(world, f"rpps={make_rpps(53)}&{query}"))
        assert len(json.loads(archive.read("index.json"))["documents"]) == count


async def test_other_sites_are_not_exported(world, make_rpps):
    await composed(world, make_rpps(54))
    archive = opened(await export(world, f"rpps={make_rpps(54)}", sites=[world.other_site]))
    assert json.loads(archive.read("index.json"))["documents"] == []


@pytest.mark.parametrize(
    ("query", "rule"),
    [("rpps=123", "rpps"), ("rpps={}&since=2026-02-01&until=2026-01-01", "until"), ("", "rpps")],
)
async def test_a_request_that_makes_no_sense_is_refused(world, make_rpps, query, rule):
    refused = await export(world, query.format(make_rpps(51)))
    assert refused.status_code == 422
    assert rule in {error["field"] for error in refused.json()["errors"]}


@pytest.mark.parametrize("role", ["radiologist", "secretary", "operator"])
async def test_others_may_not_export(world, make_rpps, role):
    assert (await export(world, f"rpps={make_rpps(51)}", role)).status_code == 403
