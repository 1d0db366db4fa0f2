"""The process around a service: ``python -m navette_x serve|api|worker``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from navette_chassis.service import Service
from navette_chassis.settings import ServiceSettings

S = TypeVar("S", bound=ServiceSettings)


def run(create_service: Callable[[S], Service], settings_class: type[S], argv: Sequence[str] | None = None) -> int:
    """Read the settings, build the service and run it until SIGTERM or SIGINT; returns the exit status."""
    raise NotImplementedError
