"""Login, callback, session and logout (spec/psc.md §11.1)."""

import hmac
import secrets
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from navette_chassis import Service
from navette_chassis.auth import public
from navette_chassis.http import ApiModel
from navette_chassis.problem import FieldProblem, ProblemError
from pydantic import Field
from starlette.responses import HTMLResponse, RedirectResponse, Response

from navette_psc_auth.api import cookies, pages
from navette_psc_auth.api.guards import Guards
from navette_psc_auth.domain.errors import (
    LoginCancelled,
    LoginRefused,
    LogoutTokenRefused,
    ProviderUnavailable,
)
from navette_psc_auth.domain.provider import Provider
from navette_psc_auth.domain.return_to import safe_return_to
from navette_psc_auth.domain.session import csrf_token
from navette_psc_auth.settings import PscAuthSettings
from navette_psc_auth.use_cases.begin_login import LOGIN_LIFE, begin_login
from navette_psc_auth.use_cases.choose_site import choose_site
from navette_psc_auth.use_cases.complete_login import CompleteLogin
from navette_psc_auth.use_cases.end_provider_sessions import end_provider_sessions
from navette_psc_auth.use_cases.log_out import LogOut
from navette_psc_auth.use_cases.verify_logout_token import VerifyLogoutToken

_LOGIN_SECONDS = int(LOGIN_LIFE.total_seconds())


class GrantView(ApiModel):
    """One role at one site."""

    site_id: str
    role: str


class SessionView(ApiModel):
    """Who is logged in, what for, until when, and the token unsafe requests must carry."""

    name: str
    rpps: str
    grants: list[GrantView]
    acr: str
    auth_mode: str
    expires_at: datetime
    site_id: str | None
    csrf_token: str


class SiteChoice(ApiModel):
    """The site to act for; null: what holds at every site."""

    site_id: Annotated[str, Field(max_length=64)] | None


class LogoutView(ApiModel):
    """Where the browser must go to end the session at Pro Santé Connect too; null when it cannot be reached."""

    redirect: str | None


def auth_router(service: Service, settings: PscAuthSettings, provider: Provider, guards: Guards) -> APIRouter:
    """The routes of the sign-on."""
    router = APIRouter(prefix="/auth")
    _add_login(router, service, settings, provider)
    _add_session(router, service, provider, guards)
    _add_backchannel(router, service, VerifyLogoutToken(settings, provider, service.clock))
    return router


def _add_login(router: APIRouter, service: Service, settings: PscAuthSettings, provider: Provider) -> None:
    complete_login = CompleteLogin(service, settings, provider)

    @router.get("/psc/login", dependencies=[public()])
    async def login(request: Request, return_to: Annotated[str | None, Query(max_length=1024)] = None) -> Response:
        target = safe_return_to(return_to, default=settings.default_return_to, prefixes=settings.return_to_prefixes)
        if target is None:
            raise ProblemError.invalid(FieldProblem("return_to", "doit être une page de cette application"))
        try:
            authorization = await provider.authorize()
        except ProviderUnavailable:
            return pages.unavailable()
        # Kept when there is one: two tabs may log in at the same time.
        browser = cookies.read(request, cookies.LOGIN) or secrets.token_urlsafe(32)
        await service.transact(begin_login, authorization, browser=browser, return_to=target, keyring=service.keyring)
        response = RedirectResponse(authorization.url, 303)
        cookies.put(response, cookies.LOGIN, browser, seconds=_LOGIN_SECONDS)
        return response

    @router.get("/psc/callback", dependencies=[public()])
    async def callback(request: Request) -> Response:
        try:
            logged_in = await complete_login(
                request.query_params.multi_items(),
                browser=cookies.read(request, cookies.LOGIN),
                replaced_cookie=cookies.read(request, cookies.SESSION),
            )
        except LoginRefused as error:
            return pages.refused(error.check)
        except LoginCancelled:
            return pages.cancelled()
        except ProviderUnavailable:
            return pages.unavailable()
        response = RedirectResponse(logged_in.return_to, 303)
        cookies.erase(response, cookies.LOGIN)
        cookies.put(response, cookies.SESSION, logged_in.cookie)
        return response


def _add_session(router: APIRouter, service: Service, provider: Provider, guards: Guards) -> None:
    log_out = LogOut(service, provider)

    @router.get("/session", dependencies=[public()])
    async def session(request: Request) -> SessionView:
        current = await guards.current(request)
        found = current.session
        return SessionView(
            name=found.name,
            rpps=found.rpps,
            grants=[GrantView(site_id=one.site_id, role=one.role) for one in current.grants],
            acr=found.acr,
            auth_mode=found.auth_mode,
            expires_at=found.expires_at,
            site_id=found.site_id,
            csrf_token=csrf_token(current.cookie),
        )

    @router.post("/situation", dependencies=[public()], status_code=204)
    async def situation(request: Request, choice: SiteChoice) -> None:
        current = await guards.current(request)
        await guards.check_csrf(request, current)
        if choice.site_id is not None and choice.site_id not in {one.site_id for one in current.grants}:
            raise ProblemError.forbidden("Vous n’avez aucun rôle sur ce site.")
        await service.transact(choose_site, current.session, choice.site_id)

    @router.post("/logout", dependencies=[public()])
    async def logout(request: Request, response: Response) -> LogoutView:
        current = await guards.current(request)
        await guards.check_csrf(request, current)
        state = secrets.token_urlsafe(32)
        redirect = await log_out(current.session, state)
        cookies.erase(response, cookies.SESSION)
        if redirect is not None:
            cookies.put(response, cookies.LOGOUT, state, seconds=_LOGIN_SECONDS)
        return LogoutView(redirect=redirect)

    @router.get("/psc/logged-out", dependencies=[public()])
    async def logged_out(request: Request) -> HTMLResponse:
        state, expected = request.query_params.get("state"), cookies.read(request, cookies.LOGOUT)
        # The provider may leave the state out (spec/psc.md §9); one it made up is not ours.
        if state is not None and not hmac.compare_digest(state.encode(), (expected or "").encode()):
            return pages.refused("state")
        response = pages.logged_out()
        cookies.erase(response, cookies.LOGOUT)
        return response


def _add_backchannel(router: APIRouter, service: Service, verify: VerifyLogoutToken) -> None:
    @router.post("/backchannel-logout", dependencies=[public()])
    async def backchannel_logout(logout_token: Annotated[str, Form(max_length=16384)]) -> Response:
        try:
            order = await verify(logout_token)
            await service.transact(end_provider_sessions, order)
        except LogoutTokenRefused as refused:
            raise ProblemError(400, f"logout-token-{refused.check}", "Le jeton de déconnexion est refusé.") from None
        except ProviderUnavailable:
            raise ProblemError(503, "psc-unavailable", "Les clés de Pro Santé Connect sont hors d’atteinte.") from None
        return Response(status_code=200)
