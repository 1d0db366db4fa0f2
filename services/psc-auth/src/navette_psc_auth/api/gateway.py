"""The gateway: the browser's cookie comes in, a short internal token for one service goes on (spec/psc.md §1.2)."""

from collections.abc import AsyncIterator
from urllib.parse import quote

from fastapi import APIRouter, Request
from navette_chassis import Service, uuid7
from navette_chassis.auth import public
from navette_chassis.problem import ProblemError
from starlette.responses import RedirectResponse, Response, StreamingResponse

from navette_psc_auth.adapters.keys import SigningKeys
from navette_psc_auth.adapters.upstream import UpstreamDown, Upstreams, UpstreamSilent
from navette_psc_auth.api.guards import Guards
from navette_psc_auth.api.pages import LOGIN_PATH
from navette_psc_auth.domain.gateway import (
    FORM_LIMIT,
    FORM_PROOF_HEADER,
    FORM_TYPE,
    SAFE_METHODS,
    is_form,
    public_location,
    request_headers,
    response_headers,
    upstream_path,
    without_token,
)
from navette_psc_auth.domain.internal_token import user_claims
from navette_psc_auth.domain.return_to import safe_return_to
from navette_psc_auth.domain.rights import Rights, rights_of
from navette_psc_auth.domain.session import csrf_token
from navette_psc_auth.settings import PscAuthSettings
from navette_psc_auth.use_cases.current_session import Current
from navette_psc_auth.use_cases.record_refusal import record_refusal

SITE_HEADER = "x-navette-site"
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]

_NAMES = {
    "ins": "identités",
    "report": "comptes rendus",
    "dmp": "DMP",
    "mss": "messagerie sécurisée",
}


class Gateway:
    """Forwards the requests of logged-in people."""

    def __init__(self, service: Service, settings: PscAuthSettings, guards: Guards, keys: SigningKeys) -> None:
        self._service = service
        self._settings = settings
        self._guards = guards
        self._keys = keys
        self._upstreams = service.resource(lambda: Upstreams.open(settings))

    async def forward(self, request: Request, service: str) -> Response:
        """Answer with what the service answers to the same request under the person's internal token."""
        try:
            current = await self._guards.current(request)
        except ProblemError:
            if (target := self._page_asked_for(request)) is not None:
                return RedirectResponse(f"{LOGIN_PATH}?return_to={quote(target, safe='')}", 303)
            raise
        form_token, form = await _form(request)
        await self._guards.check_csrf(request, current, form_token)
        path = upstream_path(_raw_rest(request))
        if service not in self._settings.upstreams or path is None:
            raise ProblemError.not_found("Cette adresse n’existe pas.")
        rights = await self._rights(request, current)
        return await self._send(request, service, path, current, rights, form)

    async def _rights(self, request: Request, current: Current) -> Rights:
        site = request.headers.get(SITE_HEADER) or current.session.site_id
        rights = rights_of(current.grants, site)
        if not rights.sites:
            session = current.session
            check = "site" if current.grants else "no_role"
            await self._service.transact(record_refusal, "gateway.refused", check, session.public_id, session.actor)
            raise ProblemError.forbidden(
                "Vous n’avez aucun rôle sur ce site." if site else "Votre compte ne vous donne plus aucun rôle."
            )
        return rights

    async def _send(
        self, request: Request, service: str, path: str, current: Current, rights: Rights, form: bytes | None
    ) -> Response:
        session = current.session
        token = self._keys.sign(
            user_claims(
                rpps=session.rpps,
                name=session.name,
                skills=session.skills,
                rights=rights,
                audience=service,
                session=session.public_id,
                jti=str(uuid7()),
                now=self._service.clock.now(),
            )
        )
        has_body = request.method not in SAFE_METHODS
        headers = request_headers(request.headers.items(), with_body=has_body and form is None)
        if form is not None:
            headers += [("content-type", FORM_TYPE), ("content-length", str(len(form)))]
        if "text/html" in request.headers.get("accept", ""):
            headers.append((FORM_PROOF_HEADER, csrf_token(current.cookie)))
        headers.append(("authorization", f"Bearer {token}"))
        target = f"{path}?{request.url.query}" if request.url.query else path
        body = _once(form) if form is not None else _body(request) if has_body else None
        name = _NAMES.get(service, service)
        try:
            answer = await self._upstreams().send(
                service, request.method, target, headers, body, live=lambda: self._guards.still_live(current)
            )
        except UpstreamDown:
            raise ProblemError(
                503,
                "service-down",
                f"Le service « {name} » ne répond pas pour le moment. Rien n’a été enregistré ; "
                "réessayez dans quelques instants.",
                headers={"Retry-After": "5"},
            ) from None
        except UpstreamSilent:
            raise ProblemError(
                504,
                "service-silent",
                f"Le service « {name} » n’a pas répondu à temps. Vérifiez si votre demande a été prise en compte "
                "avant de recommencer.",
            ) from None
        response = StreamingResponse(answer.body, answer.status)
        response.raw_headers = [
            (key.lower().encode("latin-1"), value.encode("latin-1")) for key, value in response_headers(answer.headers)
        ]
        for key, value in answer.headers:
            if key.lower() == "location" and (location := public_location(value, service)) is not None:
                response.headers["location"] = location
        return response

    def _page_asked_for(self, request: Request) -> str | None:
        """The page a person without session navigated to, when it is one to come back to after the login.

        A form comes back to the page it is on: pages that act take forms at their own address.
        """
        navigates = request.method == "GET" or (request.method == "POST" and is_form(request.headers))
        if not navigates or "text/html" not in request.headers.get("accept", ""):
            return None
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return safe_return_to(path, default="", prefixes=self._settings.return_to_prefixes) or None


def gateway_router(gateway: Gateway) -> APIRouter:
    """`/api/{service}/{path}`, all methods."""
    router = APIRouter()

    @router.api_route("/api/{service}/{path:path}", methods=_METHODS, dependencies=[public()])
    async def forward(request: Request, service: str) -> Response:
        return await gateway.forward(request, service)

    return router


def _raw_rest(request: Request) -> str:
    """What follows `/api/<service>/`, still percent-encoded: the service must see what the browser wrote."""
    raw: bytes = request.scope.get("raw_path") or request.url.path.encode()
    parts = raw.decode("latin-1").partition("?")[0].split("/", 3)
    return parts[3] if len(parts) == 4 else ""


async def _form(request: Request) -> tuple[str | None, bytes | None]:
    """The token of a form without script and the form to send on; nothing for any other request."""
    if request.method in SAFE_METHODS or not is_form(request.headers):
        return None, None
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_LIMIT:
            raise ProblemError(413, "body-too-large", "Le formulaire dépasse la taille admise.")
    try:
        return without_token(bytes(body))
    except ValueError:
        raise ProblemError(400, "malformed-form", "Le formulaire n’est pas lisible.") from None


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def _body(request: Request) -> AsyncIterator[bytes]:
    async for chunk in request.stream():
        if chunk:
            yield chunk
