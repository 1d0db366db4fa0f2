"""Helpers for tests that run a service: start it until it is ready, wait for what it does."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar, overload

from navette_chassis.service import Mode, Service

T = TypeVar("T")

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
