"""The endpoints that services call: token, userinfo, introspection, revocation, logout, keys, discovery."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx

from navette_sandbox.simulators.common import FaultBook, Refusals, Request, Response, json_response
from navette_sandbox.simulators.psc import pages
from navette_sandbox.simulators.psc.clients import Client, ClientRefusedError, authenticate
from navette_sandbox.simulators.psc.forms import form_pairs
from navette_sandbox.simulators.psc.paths import paths
from navette_sandbox.simulators.psc.professionals import Professional
from navette_sandbox.simulators.psc.sessions import GrantError, Realm, Session
from navette_sandbox.simulators.psc.signing import LIES, Signer
from navette_sandbox.simulators.psc.tokens import Writer

_NO_STORE = {"cache-control": "no-store", "pragma": "no-cache"}
Route = tuple[str, Callable[[Request], Awaitable[Response]]]


class _RefusedError(Exception):
    """A back-channel request is refused with an OAuth error."""

    def __init__(self, error: str, rule: str, status: int = 400) -> None:
        super().__init__(rule)
        self.error = error
        self.rule = rule
        self.status = status


@dataclass
class BackChannel:
    """Serves the back channel of one realm. `now` gives whole seconds since the epoch."""

    issuer: str
    base_url: str
    realm: Realm
    signer: Signer
    clients: Mapping[str, Client]
    people: Mapping[str, Professional]
    faults: FaultBook
    refusals: Refusals
    now: Callable[[], int]
    internal_ca: Path

    def __post_init__(self) -> None:
        self._writer = Writer(self.issuer, self.signer, self.realm)

    def routes(self) -> dict[str, Route]:
        """Handlers by path, each with the target name of fault scripts."""
        return {
            paths().discovery: ("discovery", self._discovery),
            paths().jwks: ("jwks", self._jwks),
            paths().token: ("token", self._guarded("token", self._token)),
            paths().userinfo: ("userinfo", self._userinfo),
            paths().introspection: ("introspection", self._guarded("introspection", self._introspect)),
            paths().revocation: ("revocation", self._guarded("revocation", self._revoke)),
            paths().end_session: ("logout", self._end_session),
        }

    async def end(self, session: Session, reason: str) -> dict[str, Any]:
        """Close a session and tell its service by a logout token; returns what happened."""
        self.realm.end(session, reason)
        client = self.clients.get(session.client_id)
        if client is None or client.backchannel_logout_uri is None:
            return {"sid": session.sid, "told": False}
        lie = self._lie("logout")
        token = self._writer.logout_token(session, self.now(), lie=lie)
        context = ssl.create_default_context(cafile=str(self.internal_ca))
        try:
            async with httpx.AsyncClient(verify=context, timeout=5) as http:
                answer = await http.post(client.backchannel_logout_uri, data={"logout_token": token})
        except httpx.HTTPError as error:
            return {"sid": session.sid, "told": False, "error": type(error).__name__}
        return {"sid": session.sid, "told": True, "status": answer.status_code}

    def _lie(self, target: str) -> str | None:
        fault = self.faults.take(target, *LIES)
        return None if fault is None else fault.kind

    def _guarded(self, operation: str, handler: Callable[[Request, Client, dict[str, str]], Response]) -> Any:
        """Check method, form and client, then answer; refusals become OAuth errors."""

        async def answer(request: Request) -> Response:
            try:
                if request.method != "POST":
                    raise _RefusedError("invalid_request", "method is POST", 405)
                pairs = form_pairs(request)
                form = dict(pairs)
                if not pairs or len(form) != len(pairs):
                    raise _RefusedError("invalid_request", "body is a form whose fields occur once")
                try:
                    client = authenticate(self.clients, form, request.headers.get("authorization"), request.peer)
                except ClientRefusedError as error:
                    raise _RefusedError("invalid_client", str(error), 401) from error
                return handler(request, client, form)
            except _RefusedError as refused:
                self.refusals.record(operation, refused.error, refused.rule)
                body = {"error": refused.error, "error_description": refused.rule}
                return _json(body, refused.status)

        return answer

    def _token(self, _request: Request, client: Client, form: dict[str, str]) -> Response:
        now = self.now()
        grant = form.get("grant_type")
        try:
            if grant == "authorization_code":
                session = self.realm.redeem(
                    form.get("code", ""),
                    client.client_id,
                    form.get("redirect_uri", ""),
                    form.get("code_verifier", ""),
                    now,
                )
            elif grant == "refresh_token":
                session = self.realm.refresh(form.get("refresh_token", ""), client.client_id, now)
            else:
                raise _RefusedError("unsupported_grant_type", "grant_type is authorization_code or refresh_token")
        except GrantError as error:
            raise _RefusedError("invalid_grant", str(error)) from error
        with_id_token = self.faults.take("token", "no_id_token") is None
        return _json(self._writer.answer(session, now, lie=self._lie("token"), id_token=with_id_token))

    def _introspect(self, _request: Request, _client: Client, form: dict[str, str]) -> Response:
        if not form.get("token"):
            raise _RefusedError("invalid_request", "token is present")
        return _json(self._writer.introspection(form["token"], self.now()))

    def _revoke(self, _request: Request, client: Client, form: dict[str, str]) -> Response:
        if not form.get("token"):
            raise _RefusedError("invalid_request", "token is present")
        session = self.realm.by_refresh(form["token"], self.now())
        if session is not None and session.client_id == client.client_id:
            self.realm.end(session, "revoked")
        claims = self.signer.read(form["token"])
        if claims is not None and claims.get("azp") == client.client_id:
            self.realm.revoke_access(str(claims.get("jti", "")))
        return Response(status=200, headers=_NO_STORE)

    async def _userinfo(self, request: Request) -> Response:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        session: Session | None = None
        claims = self.signer.read(token) if scheme.lower() == "bearer" else None
        if claims is not None and claims.get("typ") == "Bearer" and self.now() < int(claims["exp"]):
            session = self.realm.by_access(str(claims["jti"]))
        if request.method not in ("GET", "POST") or session is None:
            self.refusals.record("userinfo", "invalid_token", "access token of an open session, in Authorization")
            headers = _NO_STORE | {"www-authenticate": 'Bearer error="invalid_token"'}
            return Response(401, b'{"error": "invalid_token"}', headers=headers)
        shown = session.person.userinfo()
        if self.faults.take("userinfo", "other_sub"):
            other = next(one for one in self.people.values() if one is not session.person)
            shown = other.userinfo()
        return _json(shown)

    async def _end_session(self, request: Request) -> Response:
        values = dict(request.query if request.method == "GET" else form_pairs(request))
        claims = self.signer.read(values.get("id_token_hint", ""))
        session = None if claims is None else self.realm.sessions.get(str(claims.get("sid")))
        if session is None:
            return self._logout_problem("id_token_hint is a token of this realm")
        uri = values.get("post_logout_redirect_uri")
        client = self.clients.get(session.client_id)
        if uri is not None and (client is None or uri not in client.post_logout_redirect_uris):
            return self._logout_problem("post_logout_redirect_uri is exactly a registered one")
        await self.end(session, "logged out")
        if uri is None:
            return Response(200, pages.logged_out(), "text/html; charset=utf-8", _NO_STORE)
        state = {"state": values["state"]} if "state" in values else {}
        separator = "&" if "?" in uri else "?"
        location = f"{uri}{separator}{urlencode(state)}" if state else uri
        return Response(status=302, headers=_NO_STORE | {"location": location})

    def _logout_problem(self, rule: str) -> Response:
        self.refusals.record("logout", "invalid_request", rule)
        return Response(400, pages.problem(rule), "text/html; charset=utf-8", _NO_STORE)

    async def _jwks(self, _request: Request) -> Response:
        return json_response(self.signer.jwks())

    async def _discovery(self, _request: Request) -> Response:
        where = paths()
        return json_response(
            {
                "issuer": self.issuer,
                "authorization_endpoint": self.base_url + where.authorization,
                "token_endpoint": self.base_url + where.token,
                "userinfo_endpoint": self.base_url + where.userinfo,
                "introspection_endpoint": self.base_url + where.introspection,
                "revocation_endpoint": self.base_url + where.revocation,
                "end_session_endpoint": self.base_url + where.end_session,
                "jwks_uri": self.base_url + where.jwks,
                "response_types_supported": ["code"],
                "response_modes_supported": ["query"],
                "grant_types_supported": ["authorization_code", "refresh_token"],
                "subject_types_supported": ["public"],
                # More than the realm uses, as the real document does: a client has to pin RS256 itself.
                "id_token_signing_alg_values_supported": ["PS256", "RS256", "ES256", "HS256", "EdDSA"],
                "userinfo_signing_alg_values_supported": ["RS256", "none"],
                "token_endpoint_auth_methods_supported": ["tls_client_auth", "client_secret_basic"],
                "scopes_supported": ["openid", "scope_all", "eidas1", "eidas2"],
                "acr_values_supported": ["0", "0"],
                "code_challenge_methods_supported": ["plain", "S256"],
                "authorization_response_iss_parameter_supported": True,
                "backchannel_logout_supported": True,
                "backchannel_logout_session_supported": True,
                "tls_client_certificate_bound_access_tokens": False,
            }
        )


def _json(data: dict[str, Any], status: int = 200) -> Response:
    plain = json_response(data, status)
    headers = dict(_NO_STORE)
    if status == 401:
        headers["www-authenticate"] = 'Basic realm="esante-wallet"'
    return Response(plain.status, plain.body, plain.content_type, headers)
