"""Pro Santé Connect's double on its TLS port, and the scripted tester on its control port."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from cryptography import x509

from navette_sandbox.simulators.common import (
    COMMON_KINDS,
    HttpServer,
    Request,
    Response,
    Simulator,
    SimulatorConfig,
    View,
    json_response,
    server_context,
)
from navette_sandbox.simulators.psc import authorization, pages, professionals
from navette_sandbox.simulators.psc.backchannel import BackChannel
from navette_sandbox.simulators.psc.clients import Client, client_from
from navette_sandbox.simulators.psc.forms import form_pairs
from navette_sandbox.simulators.psc.paths import ISSUER_PATH, paths
from navette_sandbox.simulators.psc.sessions import Realm, Session
from navette_sandbox.simulators.psc.signing import LIES, Signer

_NO_STORE = {"cache-control": "no-store", "referrer-policy": "no-referrer"}
_HTML = "text/html; charset=utf-8"


class PscSimulator(Simulator):
    """An OpenID provider that behaves as Pro Santé Connect.

    Own fault kinds: every lie of `signing.LIES` about the next ID token (target ``token``) or logout token
    (target ``logout``), ``no_id_token``, ``other_sub`` (userinfo of somebody else), ``wrong_callback_iss``,
    ``no_callback_iss``. Targets: ``discovery``, ``authorization``, ``token``, ``userinfo``, ``introspection``,
    ``revocation``, ``jwks``, ``logout``.
    """

    name = "psc"
    kinds = COMMON_KINDS | LIES | {"no_id_token", "other_sub", "wrong_callback_iss", "no_callback_iss"}

    def __init__(
        self,
        config: SimulatorConfig,
        clients: Sequence[Client] = (),
        public_url: str | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(config)
        self._clock = now
        self._public_url = public_url
        self.clients = {client.client_id: client for client in clients}
        self.people = professionals.load(config.data or professionals.DEFAULT_FILE)
        self.signer = Signer()
        self.realm = Realm()
        self._scripted: deque[Mapping[str, Any]] = deque()
        self._server = HttpServer(
            self._request,
            port=config.port,
            host=config.host,
            context=server_context(config.pki, "psc-server", client_certificate="optional"),
            refusing=self.faults.down,
            on_handshake_error=self.note_handshake_error,
        )
        self._back: BackChannel

    @property
    def base_url(self) -> str:
        """Public address of the main port."""
        return self._public_url or f"https://127.0.0.1:{self._server.port}"

    @property
    def issuer(self) -> str:
        """Issuer identifier of the realm."""
        return self.base_url + ISSUER_PATH

    def now(self) -> int:
        """Whole seconds since the epoch."""
        return int(self._clock())

    async def start_main(self) -> None:
        await self._server.start()
        self._back = BackChannel(
            issuer=self.issuer,
            base_url=self.base_url,
            realm=self.realm,
            signer=self.signer,
            clients=self.clients,
            people=self.people,
            faults=self.faults,
            refusals=self.refusals,
            now=self.now,
            internal_ca=self.config.pki / "internal-ca.pem",
        )

    async def stop_main(self) -> None:
        await self._server.stop()

    def ports(self) -> Mapping[str, int]:
        return {"port": self._server.port}

    def views(self) -> Mapping[str, View]:
        return {"sessions": self._view_sessions, "people": self._view_people}

    def _view_sessions(self, _path: Sequence[str]) -> list[dict[str, Any]]:
        return [
            {
                "sid": one.sid,
                "subject": one.person.national_id,
                "client_id": one.client_id,
                "auth_time": one.auth_time,
                "ended": one.ended or None,
            }
            for one in self.realm.sessions.values()
        ]

    def _view_people(self, _path: Sequence[str]) -> list[dict[str, str]]:
        return [{"subject": one.national_id, "label": one.label} for one in self.people.values()]

    # -- main port ----------------------------------------------------------------------------------

    async def _request(self, request: Request) -> Response:
        routes: dict[str, tuple[str, Callable[[Request], Any]]] = {
            **self._back.routes(),
            paths().authorization: ("authorization", self._authorize),
            paths().decision: ("authorization", self._decide),
        }
        found = routes.get(request.path)
        if found is None:
            return json_response({"error": "unknown"}, status=404)
        target, handler = found
        replaced = await self.http_faults(target)
        if replaced is not None:
            return replaced
        answer: Response = await handler(request)
        return Response(cut=True) if self.faults.take(target, "lost_answer") else answer

    async def _authorize(self, request: Request) -> Response:
        if request.method not in ("GET", "POST"):
            return Response(status=405)
        parameters = request.query if request.method == "GET" else form_pairs(request)
        try:
            asked = authorization.check(parameters, self.clients)
        except authorization.PageError as error:
            self.refusals.record("authorization", "invalid_request", error.rule)
            return Response(400, pages.problem(error.rule), _HTML, _NO_STORE)
        except authorization.RedirectError as error:
            self.refusals.record("authorization", error.error, error.rule)
            return self._redirect(error.redirect_uri, error.state, {"error": error.error})
        if self._scripted:
            return self._conclude(asked, str(self._scripted.popleft().get("subject") or ""))
        handle = self.realm.remember_choice(asked, self.now())
        return Response(200, pages.choice(handle, asked.client_id, self.people.values()), _HTML, _NO_STORE)

    async def _decide(self, request: Request) -> Response:
        form = dict(form_pairs(request))
        asked = self.realm.take_choice(form.get("request", ""), self.now())
        if request.method != "POST" or asked is None:
            self.refusals.record("authorization", "invalid_request", "decision answers a waiting request, once")
            rule = "decision answers a waiting request, once"
            return Response(400, pages.problem(rule), _HTML, _NO_STORE)
        return self._conclude(asked, form.get("subject", ""))

    def _conclude(self, asked: authorization.AuthorizationRequest, subject: str) -> Response:
        person = self.people.get(subject)
        if person is None:
            return self._redirect(asked.redirect_uri, asked.state, {"error": "access_denied"})
        code = self.realm.approve(asked, person, self.now())
        session = next(reversed(self.realm.sessions))
        return self._redirect(asked.redirect_uri, asked.state, {"code": code, "session_state": session})

    def _redirect(self, uri: str, state: str | None, answer: dict[str, str]) -> Response:
        if state is not None:
            answer["state"] = state
        if not self.faults.take("authorization", "no_callback_iss"):
            wrong = self.faults.take("authorization", "wrong_callback_iss")
            answer["iss"] = "https://autre-fournisseur.example/realm" if wrong else self.issuer
        separator = "&" if "?" in uri else "?"
        headers = {"location": f"{uri}{separator}{urlencode(answer)}", **_NO_STORE}
        return Response(status=302, headers=headers)

    # -- control port -------------------------------------------------------------------------------

    async def _control_request(self, request: Request) -> Response:
        actions = {
            "/approve-next": self._script_approval,
            "/clients": self._register_client,
            "/rotate-keys": self._rotate_keys,
            "/logout": self._end_sessions,
        }
        action = actions.get(request.path)
        if action is None or request.method != "POST":
            return await super()._control_request(request)
        try:
            body = json.loads(request.body or b"{}")
            if not isinstance(body, dict):
                raise ValueError("a JSON object is expected")
            return json_response(await action(body))
        except ValueError as error:
            return json_response({"error": str(error)}, status=400)

    async def _script_approval(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The next authorization request is answered without a page; an empty subject cancels it."""
        subject = str(body.get("subject") or "")
        if subject and subject not in self.people:
            raise ValueError("subject: unknown national identifier")
        self._scripted.append({"subject": subject})
        return {"waiting": len(self._scripted)}

    async def _register_client(self, body: Mapping[str, Any]) -> dict[str, Any]:
        client = client_from(body)
        self.clients[client.client_id] = client
        return {"client_id": client.client_id, "auth_method": client.auth_method}

    async def _rotate_keys(self, _body: Mapping[str, Any]) -> dict[str, Any]:
        return {"kid": self.signer.rotate()}

    async def _end_sessions(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """End sessions by `sid` or `subject` from the provider's side and tell the services."""
        wanted = {str(value) for value in (body.get("sid"), body.get("subject")) if value}
        ended: list[Session] = [
            one for one in self.realm.sessions.values() if not one.ended and wanted & {one.sid, one.person.national_id}
        ]
        return {"ended": len(ended), "told": [await self._back.end(one, "ended at the provider") for one in ended]}


def subject_of(certificate: bytes) -> str:
    """RFC 4514 text of the subject of a PEM certificate (the first of a chain file)."""
    return x509.load_pem_x509_certificate(certificate).subject.rfc4514_string()
