"""What every Navette service stands on.

Names are imported when they are first used: a module that needs only ``UnitOfWork`` pays for no web
framework and no Kafka client.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from navette_chassis.clock import Clock, ManualClock, SystemClock
    from navette_chassis.ids import uuid7
    from navette_chassis.received import Received
    from navette_chassis.runner import run
    from navette_chassis.service import Mode, Resource, Service
    from navette_chassis.settings import ServiceSettings
    from navette_chassis.unit_of_work import UnitOfWork

_HOMES = {
    "Clock": "clock",
    "ManualClock": "clock",
    "Mode": "service",
    "Received": "received",
    "Resource": "service",
    "Service": "service",
    "ServiceSettings": "settings",
    "SystemClock": "clock",
    "UnitOfWork": "unit_of_work",
    "run": "runner",
    "uuid7": "ids",
}

__all__ = [
    "Clock",
    "ManualClock",
    "Mode",
    "Received",
    "Resource",
    "Service",
    "ServiceSettings",
    "SystemClock",
    "UnitOfWork",
    "run",
    "uuid7",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
