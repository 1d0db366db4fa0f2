"""The import as an operator runs it: a process of its own, killed, resumed, run twice, run at a bounded pace."""

from __future__ import annotations

import asyncio
import csv
import signal
import time
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from navette_chassis import Mode
from navette_chassis.testing import running, until
from navette_contracts.events import PatientIdentified
from navette_ins.adapters.history import HISTORY
from navette_ins.adapters.identities import IDENTITIES, BlindIndex
from navette_ins.adapters.import_file import read_lines
from navette_ins.adapters.imports import IMPORTS, REJECTS, OvertakenError, Progress, save_progress
from navette_ins.adapters.search_tokens import SEARCH, candidates_query
from navette_ins.app import declare
from navette_ins.domain.prior_search import prior_search
from navette_ins.settings import InsSettings
from navette_ins.use_cases.import_patients import import_patients
from navette_sandbox.embedded.broker import EmbeddedBroker
from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase

HEADER = "local_id;birth_name;first_birth_given_name;birth_date;sex;birth_place_code\n"
Database = AsyncDatabase[dict[str, Any]]


def person(number: int, **changes: str) -> str:
    values = {"local_id": f"IPP-{number}", "birth_name": "MASSE-FICTIF", "given": "ANNE"}
    values |= {"birth_date": f"19{number % 90 + 10}-03-04", "sex": "F", "place": "38185"} | changes
    return ";".join(values.values()) + "\n"


@pytest.fixture
async def database(settings: InsSettings) -> AsyncIterator[Database]:
    async with AsyncMongoClient[dict[str, Any]](settings.mongo_connection()) as client:
        yield client[settings.mongo_database]


@pytest.fixture
def base(tmp_path: Path) -> Path:
    path = tmp_path / "base.csv"
    path.write_text(HEADER + "".join(person(number) for number in range(60)), encoding="utf-8")
    return path


async def local_ids(database: Database) -> int:
    """Records, each with a token list of its own."""
    rows = await database[IDENTITIES].find().to_list()
    assert len({tuple(row[SEARCH]) for row in rows}) == len(rows), "one person was imported twice"
    return len(rows)


async def begun(database: Database) -> dict[str, Any] | None:
    row = await database[IMPORTS].find_one({})
    return row["progress"] if row is not None and row["progress"]["created"] >= 10 else None


def rejects(path: Path) -> list[tuple[str, str, str]]:
    with path.open(encoding="utf-8") as file:
        return [(row["ligne"], row["champ"], row["regle"]) for row in csv.DictReader(file, delimiter=";")]


async def test_a_file_is_imported_line_by_line_and_its_rejects_are_named(
    tmp_path: Path, commands: Any, database: Database, kafka_broker: EmbeddedBroker
) -> None:
    path = tmp_path / "base.csv"
    lines = [person(1), person(2, birth_name="MA55E"), person(3, birth_date="1968-02-30", place="1"), person(4)]
    lines += [person(1, given="Anne"), person(4, sex="M"), "only;three;cells\n"]
    path.write_text(HEADER + "".join(lines), encoding="utf-8")
    status, said = await commands.run("import", str(path), "--site", "lilas", "--by", "operator-1")
    assert status == 0, said
    assert "2 créées, 1 déjà connues, 4 rejetées" in said
    assert rejects(tmp_path / "base.csv.rejets.csv") == [
        ("3", "birth_name", "character"),
        ("4", "birth_date", "impossible"),
        ("4", "birth_place_code", "cog"),
        ("7", "sex", "differs_from_record"),
        ("8", "line", "columns"),
    ]
    written = (tmp_path / "base.csv.rejets.csv").read_text(encoding="utf-8")
    assert "MASSE" not in said + written
    assert "MA55E" not in said + written
    assert "cette date n’existe pas" in written
    rows = await database[IDENTITIES].find().to_list()
    assert {row["status"] for row in rows} == {"provisoire"}
    assert {row["change"]["by"] async for row in database[HISTORY].find()} == {"operator-1"}
    await told(kafka_broker, {str(row["_id"]) for row in rows})


async def told(broker: EmbeddedBroker, patients: set[str]) -> None:
    """Every one of these identities was announced, and carried no INS."""
    heard: set[str] = set()
    async with AIOKafkaConsumer(
        "patient.identified", bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest", fetch_max_wait_ms=20
    ) as consumer:

        async def look() -> bool:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                for event in (PatientIdentified.parse(record.value) for record in records):
                    assert event.patient_id not in patients or event.ins is None
                    heard.add(event.patient_id)
            return patients <= heard

        await until(look)


async def test_killed_in_the_middle_it_goes_on_where_it_was_and_repeats_nothing(
    base: Path, commands: Any, database: Database
) -> None:
    arguments = ("import", str(base), "--site", "lilas", "--batch", "5", "--rate", "4")
    process = commands.start(*arguments)
    progress = await until(lambda: begun(database))
    process.send_signal(signal.SIGKILL)
    await asyncio.to_thread(process.wait, 60)
    made = await local_ids(database)
    assert progress["created"] <= made < 60

    status, said = await commands.run(*arguments)
    assert (status, await local_ids(database)) == (2, made)
    assert "--resume" in said
    status, said = await commands.run(*arguments[:-1], "1000", "--resume")
    assert status == 0, said
    assert "60 créées, 0 déjà connues, 0 rejetées" in said
    assert await local_ids(database) == 60
    assert await database[HISTORY].count_documents({}) == 60


async def test_of_two_that_read_one_file_the_second_writes_nothing(
    settings: InsSettings, base: Path, database: Database
) -> None:
    service, desk = declare(settings)
    lines = list(read_lines(base, "csv", after=0, today=date(2026, 11, 22)))
    begun = Progress(import_id="i-1", site_id="lilas", by="operator-1", started_at=service.clock.now())
    async with running(service, Mode.API):
        await service.transact(save_progress, None, begun)
        with pytest.raises(OvertakenError):
            await service.transact(save_progress, None, begun)
        work = {"progress": begun, "lines": lines[:5], "seconds": 0.0}
        first = await service.transact(import_patients, desk, **work)
        with pytest.raises(OvertakenError):
            await service.transact(import_patients, desk, **work)
    assert (first.line, first.created, await local_ids(database)) == (6, 5, 5)


async def test_asked_to_stop_it_finishes_its_batch_and_says_where_it_is(
    base: Path, commands: Any, database: Database
) -> None:
    process = commands.start("import", str(base), "--site", "lilas", "--batch", "5", "--rate", "4")
    await until(lambda: begun(database))
    process.send_signal(signal.SIGTERM)
    out, _ = await asyncio.to_thread(process.communicate, timeout=60)
    assert process.returncode == 1
    assert "--resume" in out
    row = await database[IMPORTS].find_one({})
    assert row is not None
    assert row["progress"]["created"] == await local_ids(database) < 60


async def test_a_file_imported_before_changes_nothing_and_its_rejects_are_written_again(
    tmp_path: Path, commands: Any, database: Database
) -> None:
    path, again = tmp_path / "base.csv", tmp_path / "encore.csv"
    path.write_text(HEADER + person(1) + person(2, sex="X"), encoding="utf-8")
    assert (await commands.run("import", str(path), "--site", "lilas"))[0] == 0
    (tmp_path / "base.csv.rejets.csv").unlink()
    status, said = await commands.run("import", str(path), "--site", "lilas")
    assert (status, await local_ids(database)) == (0, 1), said
    assert rejects(tmp_path / "base.csv.rejets.csv") == [("3", "sex", "format")]
    # The corrected file is another import: what it repeats is recognised by its IPP.
    again.write_text(HEADER + person(1) + person(2), encoding="utf-8")
    status, said = await commands.run("import", str(again), "--site", "lilas")
    assert "1 créées, 1 déjà connues, 0 rejetées" in said
    # The same numbers of another site are other people.
    status, said = await commands.run("import", str(again), "--site", "rives")
    assert "2 créées" in said
    assert await database[REJECTS].count_documents({}) == 1


async def test_the_pace_is_bounded(base: Path, commands: Any) -> None:
    started = time.monotonic()
    status, said = await commands.run("import", str(base), "--site", "lilas", "--batch", "10", "--rate", "30")
    assert status == 0, said
    assert time.monotonic() - started >= 2.0


@pytest.mark.parametrize(
    ("content", "arguments", "sentence"),
    [
        ("local_id;inconnu\n", (), "position 2"),
        (HEADER, ("--rate", "0"), "--rate"),
        (HEADER, ("--batch", "0"), "--batch"),
        (None, (), "FILE"),
    ],
)
async def test_what_cannot_be_imported_is_refused_and_nothing_is_written(
    tmp_path: Path,
    commands: Any,
    database: Database,
    content: str | None,
    arguments: tuple[str, ...],
    sentence: str,
) -> None:
    path = tmp_path / "base.csv"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    status, said = await commands.run("import", str(path), "--site", "lilas", *arguments)
    assert status == 2
    assert sentence in said
    assert await database[IMPORTS].count_documents({}) == 0


async def test_rows_without_tokens_get_them_once(
    settings: InsSettings, base: Path, commands: Any, database: Database
) -> None:
    assert (await commands.run("import", str(base), "--site", "lilas", "--rate", "1000"))[0] == 0
    query = candidates_query(
        BlindIndex(settings.blind_index_key()).tokens.asked(prior_search(birth_date="1915-03-04", name="mas")),
        ["lilas"],
    )
    before = await database[IDENTITIES].find(query).to_list()
    assert len(before) == 1
    await database[IDENTITIES].update_many({}, {"$unset": {"search": "", "search_version": ""}})
    assert await database[IDENTITIES].count_documents(query) == 0
    status, said = await commands.run("reindex")
    assert (status, "60 dossiers indexés" in said) == (0, True), said
    assert await database[IDENTITIES].find(query).to_list() == before
    assert "0 dossiers indexés" in (await commands.run("reindex"))[1]
