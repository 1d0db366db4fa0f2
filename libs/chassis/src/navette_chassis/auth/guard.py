"""Default deny: every route says who may call it, and a service with one that does not refuses to boot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog
from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute

from navette_chassis.auth.principal import Principal, Role
from navette_chassis.problem import ProblemError
from navette_chassis.telemetry.metrics import metrics

if TYPE_CHECKING:
    from navette_chassis.auth.tokens import TokenVerifier

log = structlog.get_logger("navette.auth")


class TokenRefusedError(Exception):
    """An internal token was refused; ``code`` says which rule it broke, and nothing of the token."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class UnguardedRouteError(RuntimeError):
    """A route lacks ``require(...)`` or ``public()``, or cannot carry one."""


def require(*roles: str, service: bool = False, site_from: str | None = None) -> Any:
    """A route dependency that yields the ``Principal`` or refuses (401 without valid token, 403 otherwise).

    ``require()``: any signed-on person. ``require("radiologist", "secretary")``: a person with one of the
    roles. ``service=True`` alone: another service only; with roles: either. ``site_from`` names a path or
    query parameter holding a site id that must be one of the caller's. Use it as
    ``caller: Annotated[Principal, require("radiologist")]`` or in ``dependencies=[require(...)]``.
    """
    known = {role.value for role in Role}
    if not set(roles) <= known:
        message = f"require() knows the roles {sorted(known)}"
        raise ValueError(message)
    return Depends(_Guard(frozenset(roles), service, site_from))


def public() -> Any:
    """Mark a route as open to anyone: ``dependencies=[public()]``."""
    return Depends(_Public())


@dataclass(frozen=True, slots=True)
class _Guard:
    roles: frozenset[str]
    service: bool
    site_from: str | None

    async def __call__(self, request: Request) -> Principal:
        principal = await authenticate(request)
        reason = self._refusal(principal, request)
        if reason is not None:
            _recorded(reason, 403)
            raise ProblemError.forbidden("Vous n'avez pas le droit de faire cette opération.")
        return principal

    def _refusal(self, principal: Principal, request: Request) -> str | None:
        if principal.kind == "service":
            return None if self.service else "service_not_allowed"
        if self.service and not self.roles:
            return "service_only"
        if self.roles and not self.roles & principal.roles:
            return "role_missing"
        if self.site_from is not None:
            site = request.path_params.get(self.site_from) or request.query_params.get(self.site_from)
            if site is None or not principal.may_act_for(site):
                return "site_not_allowed"
        return None


@dataclass(frozen=True, slots=True)
class _Public:
    async def __call__(self) -> None:
        return None


async def authenticate(request: Request) -> Principal:
    """Verify the bearer token of a request (once per request). Raises the 401 problem."""
    known: Principal | None = getattr(request.state, "principal", None)
    if known is not None:
        return known
    verifier: TokenVerifier = request.app.state.token_verifier
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    try:
        if scheme.lower() != "bearer" or not token:
            raise TokenRefusedError("token_missing")
        principal = await verifier.verify(token.strip())
    except TokenRefusedError as refused:
        if refused.code == "jwks_unavailable":
            _recorded(refused.code, 503)
            raise ProblemError(503, "auth-unavailable", "Le service d'authentification ne répond pas.") from None
        _recorded(refused.code, 401)
        raise ProblemError.unauthorized("Une authentification valide est requise.") from None
    request.state.principal = principal
    return principal


def _recorded(reason: str, status: int) -> None:
    log.warning("auth.refused", code=reason, status=status)
    metrics().count("navette_auth_refused", code=reason)


def check_routes(routes: Sequence[BaseRoute]) -> None:
    """Raise ``UnguardedRouteError`` naming every route nobody decided about, or whose body takes anything."""
    problems = []
    for context in iter_route_contexts(routes):
        name = f"{sorted(context.methods or [])} {context.path}"
        dependant: Dependant | None = getattr(context, "dependant", None)
        if dependant is None:
            problems.append(f"{name}: not an API route, so it cannot carry require() or public()")
        elif not any(isinstance(call, _Guard | _Public) for call in _calls(dependant)):
            problems.append(f"{name}: neither require() nor public()")
        else:
            problems += [f"{name}: {rule}" for rule in _tolerant_bodies(dependant)]
    if problems:
        raise UnguardedRouteError("; ".join(problems))


def _calls(dependant: Dependant) -> Iterator[Any]:
    yield dependant.call
    for inner in dependant.dependencies:
        yield from _calls(inner)


def _tolerant_bodies(dependant: Dependant) -> Iterator[str]:
    for parameter in dependant.body_params:
        model = parameter.field_info.annotation
        config = getattr(model, "model_config", None)
        if config is not None and config.get("extra") != "forbid":
            yield f"body model {getattr(model, '__name__', '?')} must forbid unknown fields"
