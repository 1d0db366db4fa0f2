"""The HTTP application of a service: what is refused, how it is told, and what every answer carries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from navette_chassis.auth.client import service_client
from navette_chassis.auth.guard import check_routes
from navette_chassis.auth.jwks import JwksCache, fetch_from
from navette_chassis.auth.tokens import TokenVerifier
from navette_chassis.french import field_problems
from navette_chassis.health import health_router
from navette_chassis.http_edge import BodyLimits, EdgeMiddleware, accepted_types
from navette_chassis.problem import MEDIA_TYPE, FieldProblem, ProblemError

if TYPE_CHECKING:
    from navette_chassis.service import Service

__all__ = ["ApiModel", "FieldProblem", "ProblemError", "build_app", "problem_response", "service_client"]

log = structlog.get_logger("navette.http")


class ApiModel(BaseModel):
    """Base of every body a route takes or gives: unknown fields refused, inputs never shown in errors."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, frozen=True)


_DETAILS = {
    400: ("bad-request", "La requête ne peut pas être lue."),
    404: ("not-found", "Cette adresse n'existe pas."),
    405: ("method-not-allowed", "Cette méthode n'est pas admise à cette adresse."),
    408: ("body-too-slow", "Le corps de la requête tarde trop."),
    413: ("body-too-large", "Le corps de la requête dépasse la taille admise."),
    415: ("content-type-refused", "Le type de contenu du corps n'est pas admis à cette adresse."),
}


def build_app(service: Service, *, verifier: TokenVerifier | None = None) -> FastAPI:
    """The application with health, operations and the service's routes, each of them guarded.

    Raises ``UnguardedRouteError`` when a route lacks ``require(...)`` or ``public()``, or takes a body that
    does not forbid unknown fields. No interactive documentation is served.
    """
    settings = service.settings
    app = FastAPI(title=f"navette-{service.name}", openapi_url=None, docs_url=None, redoc_url=None)
    app.router.redirect_slashes = False
    app.state.token_verifier = verifier or TokenVerifier(
        audience=settings.service_name, jwks=JwksCache(fetch_from(settings)), clock=service.clock
    )
    app.state.rule_words = service.rule_words
    app.include_router(health_router(service))
    if service.delivery_handlers:
        from navette_chassis.deliveries.ops import ops_router

        app.include_router(ops_router(service))
    for router in service.routers:
        check_routes(router.routes)  # those of the whole service, whatever part of it this process serves
    for router in service.served_routers:
        app.include_router(router)
    check_routes(app.routes)
    app.add_exception_handler(ProblemError, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_middleware(
        EdgeMiddleware,
        limits=BodyLimits(settings.max_body_bytes, settings.max_document_body_bytes, service.document_paths),
        strict_transport=settings.environment == "production",
    )
    return app


def problem_response(problem: ProblemError) -> Response:
    """The answer a problem becomes."""
    return JSONResponse(problem.body(), status_code=problem.status, headers=problem.headers, media_type=MEDIA_TYPE)


async def _on_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)
    return _told(request, error)


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    if _sent_as_something_else(request):
        return await _on_http(request, HTTPException(415))
    errors: list[dict[str, Any]] = list(error.errors())
    if any(one["type"] == "json_invalid" for one in errors):
        return _told(request, ProblemError(400, "malformed-json", "Le corps de la requête n'est pas un JSON valide."))
    return _told(request, ProblemError.invalid(*field_problems(errors, request.app.state.rule_words)))


def _sent_as_something_else(request: Request) -> bool:
    """A form route never reads a body of another type: its fields merely look absent."""
    accepted = accepted_types(request.scope.get("route"))
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return accepted is not None and given != "" and given not in accepted


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code, detail = _DETAILS.get(error.status_code, ("refused", "La requête est refusée."))
    return _told(request, ProblemError(error.status_code, code, detail, headers=dict(error.headers or {})))


def _told(request: Request, problem: ProblemError) -> Response:
    route = getattr(request.scope.get("route"), "path", "unmatched")
    log.info("http.refused", method=request.method, route=route, status=problem.status, code=problem.code)
    return problem_response(problem)
