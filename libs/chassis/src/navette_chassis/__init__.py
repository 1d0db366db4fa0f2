"""What every Navette service stands on.

Names are imported when they are first used: a module that needs only ``UnitOfWork`` pays for no web
framework and no Kafka client.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from navette_chassis.auth import Principal, Role, public, require
    from navette_chassis.clock import Clock, ManualClock, SystemClock, to_millis
    from navette_chassis.deliveries import (
        BreakerPolicy,
        Channel,
        Delivery,
        DeliveryState,
        Outcome,
        OutcomeKind,
        RetryPolicy,
    )
    from navette_chassis.http import ApiModel, FieldProblem, ProblemError
    from navette_chassis.ids import uuid7
    from navette_chassis.received import Received
    from navette_chassis.runner import run
    from navette_chassis.service import Mode, Resource, Service
    from navette_chassis.settings import ServiceSettings
    from navette_chassis.tls import ReloadingTransport, TlsFiles
    from navette_chassis.unit_of_work import UnitOfWork

_HOMES = {
    "ApiModel": "http",
    "BreakerPolicy": "deliveries",
    "Channel": "deliveries",
    "Clock": "clock",
    "Delivery": "deliveries",
    "DeliveryState": "deliveries",
    "FieldProblem": "http",
    "ManualClock": "clock",
    "Mode": "service",
    "Outcome": "deliveries",
    "OutcomeKind": "deliveries",
    "Principal": "auth",
    "ProblemError": "http",
    "Received": "received",
    "ReloadingTransport": "tls",
    "Resource": "service",
    "RetryPolicy": "deliveries",
    "Role": "auth",
    "Service": "service",
    "ServiceSettings": "settings",
    "SystemClock": "clock",
    "TlsFiles": "tls",
    "UnitOfWork": "unit_of_work",
    "public": "auth",
    "require": "auth",
    "run": "runner",
    "to_millis": "clock",
    "uuid7": "ids",
}

__all__ = [
    "ApiModel",
    "BreakerPolicy",
    "Channel",
    "Clock",
    "Delivery",
    "DeliveryState",
    "FieldProblem",
    "ManualClock",
    "Mode",
    "Outcome",
    "OutcomeKind",
    "Principal",
    "ProblemError",
    "Received",
    "ReloadingTransport",
    "Resource",
    "RetryPolicy",
    "Role",
    "Service",
    "ServiceSettings",
    "SystemClock",
    "TlsFiles",
    "UnitOfWork",
    "public",
    "require",
    "run",
    "to_millis",
    "uuid7",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
