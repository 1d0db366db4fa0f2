"""Routes deny by default: who may call them is declared, and a service that forgot does not start."""

from __future__ import annotations

from typing import Annotated

import pytest
from fastapi import APIRouter, Depends
from navette_chassis.auth import Principal, UnguardedRouteError, check_routes, public, require
from pydantic import BaseModel


class Lax(BaseModel):
    name: str


async def caller(principal: Annotated[Principal, require("operator")]) -> Principal:
    return principal


def routes() -> APIRouter:
    router = APIRouter()

    @router.get("/anyone", dependencies=[public()])
    async def anyone() -> str:
        return "ok"

    @router.get("/signed-on")
    async def signed_on(caller: Annotated[Principal, require()]) -> str:
        return caller.subject

    @router.get("/sign", dependencies=[require("radiologist")])
    async def sign() -> str:
        return "ok"

    @router.get("/internal", dependencies=[require(service=True)])
    async def internal() -> str:
        return "ok"

    @router.get("/either", dependencies=[require("secretary", service=True)])
    async def either() -> str:
        return "ok"

    @router.get("/sites/{site_id}", dependencies=[require("radiologist", site_from="site_id")])
    async def site(site_id: str) -> str:
        return site_id

    return router


@pytest.mark.parametrize(
    ("caller", "path", "status"),
    [
        ("", "/anyone", 200),
        ("", "/signed-on", 401),
        ("forged", "/signed-on", 401),
        ("offline", "/signed-on", 503),
        ("secretary", "/signed-on", 200),
        ("service", "/signed-on", 403),
        ("radiologist", "/sign", 200),
        ("secretary", "/sign", 403),
        ("service", "/sign", 403),
        ("service", "/internal", 200),
        ("radiologist", "/internal", 403),
        ("secretary", "/either", 200),
        ("service", "/either", 200),
        ("radiologist", "/either", 403),
        ("radiologist", "/sites/site-1", 200),
        ("radiologist", "/sites/site-2", 403),
    ],
)
async def test_who_may_call_what(client_of, caller, path, status):
    async with client_of(routes(), caller=caller) as client:
        answer = await client.get(path)
    assert answer.status_code == status
    if status >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
    if status == 401:
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_refusals_are_counted_by_the_rule_they_broke(client_of, fresh_metrics):
    async with client_of(routes(), caller="forged") as client:
        await client.get("/sign")
    assert 'navette_auth_refused_total{code="signature_invalid"} 1' in fresh_metrics.text()


@pytest.mark.parametrize("header", ["Basic dTpw", "Bearer", "Bearer ", "radiologist"])
async def test_other_authorization_headers_are_refused(client_of, header):
    async with client_of(routes(), caller="") as client:
        answer = await client.get("/sign", headers={"Authorization": header})
    assert answer.status_code == 401


def test_a_route_nobody_decided_about_stops_the_service_from_starting():
    router = APIRouter()

    @router.get("/forgotten")
    async def forgotten() -> str:
        return "open to all"

    with pytest.raises(UnguardedRouteError, match=r"/forgotten: neither require\(\) nor public\(\)"):
        check_routes(router.routes)


def test_a_guard_further_down_the_dependencies_counts_and_one_beside_the_route_does_not():
    router, inner = APIRouter(), APIRouter()

    @inner.get("/guarded")
    async def guarded(who: Annotated[Principal, Depends(caller)]) -> str:
        return who.subject

    @inner.get("/unguarded")
    async def unguarded() -> str:
        return ""

    router.include_router(inner, prefix="/inner")
    with pytest.raises(UnguardedRouteError) as refused:
        check_routes(router.routes)
    assert "/inner/unguarded" in str(refused.value)
    assert "/inner/guarded" not in str(refused.value)


def test_what_cannot_carry_a_guard_is_refused():
    router = APIRouter()
    router.mount("/static", lambda scope, receive, send: None)
    with pytest.raises(UnguardedRouteError, match="not an API route"):
        check_routes(router.routes)


def test_a_body_that_tolerates_unknown_fields_is_refused_at_boot():
    router = APIRouter()

    @router.post("/lax", dependencies=[public()])
    async def lax(body: Lax) -> str:
        return body.name

    with pytest.raises(UnguardedRouteError, match="Lax must forbid unknown fields"):
        check_routes(router.routes)


def test_an_unknown_role_is_refused_where_it_is_written():
    with pytest.raises(ValueError, match="knows the roles"):
        require("radiologue")


async def test_no_documentation_is_served(client_of):
    async with client_of(routes()) as client:
        for path in ("/docs", "/redoc", "/openapi.json", "/asyncapi"):
            assert (await client.get(path)).status_code == 404
