"""Helpers for tests that run a service: start it until it is ready, wait for what it does."""

from __future__ import annotations

import asyncio
import inspect
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar, overload

from pymongo import monitoring
from pymongo.asynchronous.database import AsyncDatabase

from navette_chassis.service import Mode, Service

T = TypeVar("T")
_FILTERS = {"find": "filter", "count": "query", "findAndModify": "query"}

#: How long a test waits for what must come, seconds: patience costs nothing on a quick machine.
PATIENCE = 60.0


@asynccontextmanager
async def running(service: Service, mode: Mode = Mode.SERVE, *, seconds: float = PATIENCE) -> AsyncIterator[Service]:
    """Start a service, wait until it is ready, stop it at the end of the block."""
    await service.start(mode)
    try:
        await until(lambda: is_ready(service), seconds)
        yield service
    finally:
        await service.stop()


async def is_ready(service: Service) -> bool:
    """Whether every readiness check of the service is "ok"."""
    return set((await service.checks()).values()) == {"ok"}


@overload
async def until(condition: Callable[[], Coroutine[Any, Any, T]], seconds: float = PATIENCE) -> T: ...
@overload
async def until(condition: Callable[[], T], seconds: float = PATIENCE) -> T: ...
async def until(condition: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Wait until the condition (plain or asynchronous) gives something true and return it.

    Raises ``AssertionError`` after the deadline, naming what was still missing.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while True:
        answer: Any = condition()
        value = await answer if inspect.isawaitable(answer) else answer
        if value:
            return value
        if loop.time() > deadline:
            message = f"still not true after {seconds:g} s: {inspect.getsource(condition).strip()}"
            raise AssertionError(message)
        await asyncio.sleep(0.02)


class Questions(monitoring.CommandListener):
    """Every filter the driver sends, by collection: which questions a service asks its database.

    Told from the commands and not from a plan, so that it holds for every engine.
    """

    def __init__(self) -> None:
        self.asked: dict[str, list[Mapping[str, Any]]] = defaultdict(list)

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """Note the filters of a command."""
        command, name = event.command, event.command_name
        if name in _FILTERS:
            self.asked[command[name]].append(command.get(_FILTERS[name], {}))
        elif name == "aggregate" and isinstance(command[name], str):
            first: Mapping[str, Any] = next(iter(command["pipeline"]), {})
            self.asked[command[name]].append(first.get("$match", {}))
        elif name in ("update", "delete"):
            self.asked[command[name]] += [one["q"] for one in command[f"{name}s"]]

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Nothing to note."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Nothing to note."""

    async def unfit(self, database: AsyncDatabase[dict[str, Any]], names: frozenset[str]) -> dict[str, list[list[str]]]:
        """The fields of each question to these collections that no index begins with.

        Partial indexes do not count: the embedded database does not read through them.
        """
        found = {}
        for name in sorted(names & set(self.asked)):
            indexes = (await database[name].index_information()).values()
            whole = [one for one in indexes if "partialFilterExpression" not in one]
            leading = {"_id", *(one["key"][0][0] for one in whole)}
            if asked := without_a_leading_index(self.asked[name], leading):
                found[name] = asked
        return found


def without_a_leading_index(asked: list[Mapping[str, Any]], leading: set[str]) -> list[list[str]]:
    """The fields of each question that no index begins with."""
    return [sorted(one) for one in asked if not leading & set(one)]


@contextmanager
def listening() -> Iterator[Questions]:
    """Hears the database clients made inside the block, and no others."""
    heard, known = Questions(), monitoring._LISTENERS  # the driver offers no way to take a listener back
    monitoring._LISTENERS = known._replace(command_listeners=[heard])
    try:
        yield heard
    finally:
        monitoring._LISTENERS = known
