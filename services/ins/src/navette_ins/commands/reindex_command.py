"""`python -m navette_ins reindex`: give rows written before the present rules of search their tokens.

To be run once after an upgrade that raises `search_tokens.VERSION`. It changes no identity and emits no event; it may
be killed and run again, and the service may run beside it: a row that changes meanwhile gets its tokens by that.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Mapping
from typing import Any

from navette_chassis import Service
from navette_chassis.database import connect, ensure_indexes
from pymongo import UpdateOne

from navette_ins.adapters.identities import IDENTITIES, identity_of
from navette_ins.adapters.search_tokens import SEARCH, SEARCH_VERSION, VERSION
from navette_ins.use_cases.desk import Desk


def parse(arguments: list[str]) -> int:
    """Rows a second at most, from the arguments."""
    parser = argparse.ArgumentParser(prog="navette_ins reindex", description=__doc__)
    parser.add_argument("--rate", type=int, default=2_000, help="rows per second at most")
    rate: int = parser.parse_args(arguments).rate
    if rate < 1:
        parser.error("--rate must be positive")
    return rate


async def run_reindex(service: Service, desk: Desk, per_second: int) -> int:
    """Renew the tokens of every row that has none or old ones; the exit status."""
    client = connect(service.settings)
    try:
        database = client[service.settings.mongo_database]
        await ensure_indexes(database, [one for one in service.indexes if one.collection == IDENTITIES])
        identities = database[IDENTITIES]
        started, renewed = time.monotonic(), 0
        batch: list[UpdateOne] = []
        fields = {"sealed": 1, "revision": 1}
        async for row in identities.find({SEARCH_VERSION: {"$ne": VERSION}}, fields, batch_size=200):
            batch.append(_renewal(row, desk))
            if len(batch) == 200:
                renewed += (await identities.bulk_write(batch, ordered=False)).matched_count
                batch = []
                await asyncio.sleep(max(0.0, started + renewed / per_second - time.monotonic()))
        if batch:
            renewed += (await identities.bulk_write(batch, ordered=False)).matched_count
    finally:
        await client.close()
    sys.stdout.write(f"{renewed} dossiers indexés en {time.monotonic() - started:.1f} s\n")
    return 0


def _renewal(row: Mapping[str, Any], desk: Desk) -> UpdateOne:
    tokens = desk.index.tokens.of(identity_of(row, desk.keyring()))
    # A row that another process changed has other tokens already, and another revision.
    return UpdateOne(
        {"_id": row["_id"], "revision": row["revision"]}, {"$set": {SEARCH: tokens, SEARCH_VERSION: VERSION}}
    )
