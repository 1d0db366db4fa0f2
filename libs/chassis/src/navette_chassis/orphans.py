"""Transactions that a killed process left open, aborted by its successor on the same machine.

A process killed between its first write and its commit leaves documents locked until the database reaps the
transaction (MongoDB ``transactionLifetimeLimitSeconds``, 60 s by default), and its successor would wait that
long for the same message. So each process writes down the database sessions it uses, and a successor on the
same host kills those of processes that are gone. Killing the session of a living one would only make it retry.
"""

from __future__ import annotations

import os
import socket
from datetime import datetime, timedelta
from typing import Any

import structlog
from bson.binary import Binary
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase

from navette_chassis.clock import Clock
from navette_chassis.index import Index

log = structlog.get_logger("navette.orphans")

#: Collection of the database sessions in use.
SESSIONS = "database_sessions"

_KEPT = timedelta(days=2)
_NOTED_AGAIN = timedelta(days=1)

INDEXES = (Index(SESSIONS, (("noted_at", 1),), ttl=_KEPT),)


class SessionLedger:
    """The database sessions of this process, where its successor finds them."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]], clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._owner = {"host": socket.gethostname(), "pid": os.getpid()}
        self._noted: dict[bytes, datetime] = {}

    async def note(self, session: AsyncClientSession) -> None:
        """Write a session down before its first transaction; sessions are pooled, so this is rare."""
        lsid: Binary = session.session_id["id"]
        now = self._clock.now()
        if now - self._noted.get(lsid, datetime.min.replace(tzinfo=now.tzinfo)) < _NOTED_AGAIN:
            return
        await self._database[SESSIONS].replace_one({"_id": lsid}, self._owner | {"noted_at": now}, upsert=True)
        self._noted[lsid] = now

    async def reap(self) -> None:
        """Abort what dead processes of this host left open."""
        rows = await self._database[SESSIONS].find({"host": self._owner["host"]}).to_list()
        orphans = [row["_id"] for row in rows if not self._may_live(row["pid"])]
        if not orphans:
            return
        await self._database.client.admin.command("killSessions", [{"id": lsid} for lsid in orphans])
        await self._database[SESSIONS].delete_many({"_id": {"$in": orphans}})
        log.info("orphans_reaped", count=len(orphans))

    async def forget(self) -> None:
        """Take this process's sessions out, at an orderly stop."""
        await self._database[SESSIONS].delete_many(self._owner)
        self._noted.clear()

    def _may_live(self, pid: int) -> bool:
        # In a container the successor has the number of its predecessor: it cannot be alive beside us.
        if pid == self._owner["pid"]:
            return False
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True
