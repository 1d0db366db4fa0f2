"""A service in a process of its own, which can be told to die by SIGKILL at a named step.

It acts on ``first`` by writing a row and emitting ``second``, and on ``second`` by writing another row. Rows have
no unique key of their own: an event handled twice shows as two rows.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from navette_chassis import Received, Service, ServiceSettings, UnitOfWork, run, steps

from conftest import make_event


def create_service(settings: ServiceSettings) -> Service:
    service = Service(settings, name=os.environ["CRASHING_NAME"])
    first, second = (make_event(family) for family in os.environ["CRASHING_FAMILIES"].split(","))

    @service.on(first)
    async def begin(received: Received[Any], uow: UnitOfWork) -> None:
        number = received.event.number
        await uow.collection("begun").insert_one({"n": number})
        await uow.emit(second(thing_id=received.subject, number=number), subject=received.subject, sequence=number)

    @service.on(second, ordered=True)
    async def end(received: Received[Any], uow: UnitOfWork) -> None:
        await uow.collection("ended").insert_one({"n": received.event.number, "key": received.subject})

    return service


def die_at(step: str, times: int) -> None:
    """Kill this process, as the kernel would, when the step is reached for the ``times``-th time."""
    left = times

    def observe(reached: steps.Step) -> None:
        nonlocal left
        left -= reached == step
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

    steps.observe(observe)


if __name__ == "__main__":
    if "CRASHING_STEP" in os.environ:
        die_at(os.environ["CRASHING_STEP"], int(os.environ["CRASHING_TIMES"]))
    sys.exit(run(create_service, ServiceSettings))
