"""An application as every service gets it, without broker or database behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import httpx
import pytest
from fastapi import APIRouter
from navette_chassis import ServiceSettings
from navette_chassis.auth import Principal, TokenRefusedError
from navette_chassis.clock import SystemClock
from navette_chassis.http import build_app
from navette_chassis.telemetry.metrics import Metrics, use


class Tokens:
    """Stands for the token verifier (test_tokens.py): the token is the name of the caller."""

    known: ClassVar = {
        "radiologist": Principal("u1", "user", frozenset({"radiologist"}), frozenset({"site-1"})),
        "secretary": Principal("u2", "user", frozenset({"secretary"}), frozenset({"site-1"})),
        "operator": Principal("u3", "user", frozenset({"operator"})),
        "service": Principal("report", "service"),
    }

    async def verify(self, token: str) -> Principal:
        if token == "offline":
            raise TokenRefusedError("jwks_unavailable")
        if token not in self.known:
            raise TokenRefusedError("signature_invalid")
        return self.known[token]


class Host:
    """What ``build_app`` needs of a service."""

    def __init__(self, settings: ServiceSettings, *routers: APIRouter) -> None:
        self.settings = settings
        self.name = "edge"
        self.clock = SystemClock()
        self.delivery_handlers: list[Any] = []
        self.routers = list(routers)
        self.served_routers = self.routers
        self.rule_words: dict[str, str] = {}
        self.document_paths = ("/documents",)
        self.state = {"service": "ok", "database": "ok", "broker": "ok", "relay": "ok", "dispatcher": "ok"}

    async def checks(self) -> dict[str, str]:
        return self.state

    async def backlog(self) -> tuple[None, int]:
        return None, 7


@pytest.fixture
def settings() -> ServiceSettings:
    return ServiceSettings(
        environment="development",
        kafka_bootstrap="none:1",
        mongo_uri="mongodb://127.0.0.1:1",
        psc_auth_url="http://127.0.0.1:1",
        max_body_bytes=1000,
        max_document_body_bytes=5000,
    )


@pytest.fixture(autouse=True)
def fresh_metrics() -> Metrics:
    fresh = Metrics()
    use(fresh)
    return fresh


@pytest.fixture
def client_of(settings: ServiceSettings) -> Callable[..., Any]:
    @asynccontextmanager
    async def client(*routers: APIRouter, caller: str = "radiologist") -> AsyncIterator[httpx.AsyncClient]:
        app = build_app(Host(settings, *routers), verifier=Tokens())  # type: ignore[arg-type]
        transport = httpx.ASGITransport(app=app)
        headers = {"Authorization": f"Bearer {caller}"} if caller else {}
        async with httpx.AsyncClient(transport=transport, base_url="http://edge", headers=headers) as one:
            one.app = app  # type: ignore[attr-defined]
            yield one

    return client
