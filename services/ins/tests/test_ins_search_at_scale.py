"""The prior search on a base: two thousand records in every run, as many as `NAVETTE_SCALE_RECORDS` says to measure.

The people are fictitious and always the same: names of three or four syllables, birth dates over a hundred years. Two
thousand are imported by the command of an operator, the rest is loaded as rows of the same form. The times include
HTTP, token, audit, opening and serialising.
"""

from __future__ import annotations

import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from navette_chassis import uuid7
from navette_contracts.sealed import Sealed
from navette_ins.adapters.identities import IDENTITIES, BlindIndex
from navette_ins.adapters.search_tokens import SEARCH, SEARCH_VERSION, VERSION, candidates_query
from navette_ins.domain.identity import Identity
from navette_ins.domain.prior_search import prior_search

IMPORTED = 2000
RECORDS = int(os.environ.get("NAVETTE_SCALE_RECORDS", "2000"))
ASKED = 60 if RECORDS <= IMPORTED else 300
COLUMNS = "local_id;birth_name;first_birth_given_name;birth_given_names;birth_date;sex;birth_place_code;used_name"
SYLLABLES = ["BA", "BE", "CHA", "DE", "DU", "FE", "GA", "JO", "LA", "LE", "MA", "MI", "PE", "RO", "SA", "TI", "VA"]
GIVEN = ["ALIX", "ANNE", "BASILE", "CAMILLE", "CLARA", "EDITH", "FELIX", "HUGO", "INES", "JEANNE", "LEA", "LOUIS"]
MOMENT = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
KINDS: dict[str, Callable[[list[str]], dict[str, str]]] = {
    "birth date": lambda one: {"birth_date": one[4]},
    "date, 1 letter": lambda one: {"birth_date": one[4], "name": one[1][:1]},
    "date, 3 letters": lambda one: {"birth_date": one[4], "name": one[1][:3].lower()},
    "date, given name": lambda one: {"birth_date": one[4], "given_name": one[3].split(" ")[-1]},
    "local id": lambda one: {"local_id": one[0]},
    "matricule": lambda one: {"matricule": matricule_of(one)},
}
HOLDERS = 100
"""Records with an INS, beside the others."""


def matricule_of(one: list[str]) -> str:
    """A sound matricule for a person of this base; several may share it."""
    body = f"{'1' if one[5] == 'M' else '2'}{one[4][2:4]}{one[4][5:7]}38185{int(one[0][3:]) % 1000:03d}"
    return f"{body}{97 - int(body) % 97:02d}"


def people(number: int) -> Iterator[list[str]]:
    chance = random.Random(20261122)
    for serial in range(number):
        name = "".join(chance.choices(SYLLABLES, k=chance.choice((3, 4)))) + "-FICTIF"
        used = "".join(chance.choices(SYLLABLES, k=3)) if chance.random() < 0.3 else ""
        given = chance.sample(GIVEN, chance.choice((1, 2, 2, 3)))
        born = date(1926, 1, 1) + timedelta(days=chance.randrange(36_500))
        yield [f"IPP{serial}", name, given[0], " ".join(given), born.isoformat(), chance.choice("FM"), "38185", used]


async def load(database: Any, known: list[list[str]], desk: Any, *, with_ins: bool = False) -> None:
    """Rows as the repository writes them, without history and events."""
    tokens = BlindIndex(desk.service.settings.blind_index_key()).tokens
    names = COLUMNS.split(";")
    for start in range(0, len(known), 250):
        rows = []
        for one in known[start : start + 250]:
            traits = {name: value for name, value in zip(names, one, strict=True) if value}
            values = {"patient_id": uuid7(), "site_id": "lilas", "revision": 1, "traits": traits}
            if with_ins:
                found = {"matricule": matricule_of(one), "oid": "1.2.250.1.213.1.4.8", "search_id": "s"}
                values |= {"recovery": found | {"at": MOMENT, "accepted_by": "insi-auto"}}
            identity = Identity.model_validate(values | {"created_at": MOMENT, "updated_at": MOMENT})
            row = {"_id": identity.patient_id, "site_id": "lilas", "revision": 1, "status": identity.status.value}
            row |= {"sealed": Sealed.seal(identity, desk.keyring).token, SEARCH: tokens.of(identity)}
            rows.append(row | {"merged_into": None, "updated_at": MOMENT, "attributes": [], SEARCH_VERSION: VERSION})
        await database[IDENTITIES].insert_many(rows)


async def floor(desk: Any, token: Callable[..., str]) -> str:
    """What the same machine needs at the same moment to answer the simplest audited question."""
    row = await desk.service.database[IDENTITIES].find_one({})
    times = []
    for _ in range(ASKED):
        headers = {"Authorization": f"Bearer {token('secretary')}"}
        began = time.perf_counter()
        answer = await desk.http.get(f"/patients/{row['_id']}", headers=headers)
        times.append((time.perf_counter() - began) * 1000)
        assert answer.status_code == 200
    return summary(times)


def summary(times: list[float]) -> str:
    """Median and 95th percentile of milliseconds."""
    return f"p50 {statistics.median(times):.1f} ms, p95 {statistics.quantiles(times, n=20)[-1]:.1f} ms"


def report(line: str) -> None:
    """For whoever measures with `pytest -s`."""
    sys.stdout.write(f"{line}\n")


@pytest.mark.timeout(1800)
@pytest.mark.dsr("RIS.INS.07", "RIS.INS.08", "RIS.INS.10")
async def test_a_search_reads_only_its_answers_however_many_records_there_are(
    desk: Any, commands: Any, tmp_path: Path, token: Callable[..., str]
) -> None:
    known = list(people(RECORDS + HOLDERS))
    known, holders = known[:RECORDS], known[RECORDS:]
    file = tmp_path / "base.csv"
    file.write_text("\n".join([COLUMNS, *(";".join(one) for one in known[:IMPORTED])]), encoding="utf-8")
    arguments = ("--site", "lilas", "--rate", "100000", "--batch", "250")
    status, said = await commands.run("import", str(file), *arguments, seconds=1700)
    assert status == 0, said
    report(next(line for line in said.splitlines() if "lignes en" in line))
    chance = random.Random(1)
    database = desk.service.database
    await load(database, known[IMPORTED:], desk)
    await load(database, holders, desk, with_ins=True)
    report(f"{RECORDS} records, floor (one record read by its id, audited): {await floor(desk, token)}")
    tokens = BlindIndex(desk.service.settings.blind_index_key()).tokens
    for kind, criteria in KINDS.items():
        times = []
        for one in chance.choices(holders if kind == "matricule" else known, k=ASKED):
            headers = {"Authorization": f"Bearer {token('secretary')}"}
            began = time.perf_counter()
            answer = await desk.http.post("/patients/search", json=criteria(one), headers=headers)
            times.append((time.perf_counter() - began) * 1000)
            found = answer.json()
            assert one[0] in [line["local_id"] for line in found["patients"]]
            query = candidates_query(tokens.asked(prior_search(**criteria(one))), ["lilas"])
            command = {"find": IDENTITIES, "filter": query}
            plan = await database.command("explain", command, verbosity="executionStats")
            assert plan["queryPlanner"]["winningPlan"]["inputStage"]["stage"] == "IXSCAN"
            read = plan["executionStats"]["totalDocsExamined"]
            assert read == plan["executionStats"]["nReturned"] <= max(20, RECORDS // 5000)
        report(f"{RECORDS} records, {kind}: {summary(times)}")
