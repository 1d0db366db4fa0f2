"""From the provider's callback to a session: all checks, in order, fail-closed (spec/psc.md §3.2)."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass

import structlog
from navette_chassis import Service

from navette_psc_auth.domain.callback import Callback, check_answer, read_callback
from navette_psc_auth.domain.errors import LoginCancelled, LoginRefused
from navette_psc_auth.domain.professional import eligible_roles, professional_of, skills_of
from navette_psc_auth.domain.provider import Provider
from navette_psc_auth.domain.session import digest
from navette_psc_auth.settings import PscAuthSettings
from navette_psc_auth.use_cases.open_session import Login, open_session
from navette_psc_auth.use_cases.record_refusal import ANONYMOUS, record_refusal
from navette_psc_auth.use_cases.take_login import LoginUnderWay, take_login

log = structlog.get_logger("navette.psc_auth.login")


@dataclass(frozen=True)
class LoggedIn:
    """The cookie to set and the page to go to."""

    cookie: str
    return_to: str


class CompleteLogin:
    """Runs the checks around the network calls; its writes are two short units of work."""

    def __init__(self, service: Service, settings: PscAuthSettings, provider: Provider) -> None:
        self._service = service
        self._settings = settings
        self._provider = provider

    async def __call__(
        self, parameters: Iterable[tuple[str, str]], *, browser: str | None, replaced_cookie: str | None
    ) -> LoggedIn:
        """Complete a login. Raises LoginRefused, LoginCancelled, ProviderUnavailable; refusals are audited."""
        trace = _Trace()
        try:
            return await self._complete(parameters, browser, replaced_cookie, trace)
        except LoginRefused as refused:
            log.warning("login.refused", code=refused.check)
            await self._service.transact(record_refusal, "login.refused", refused.check, trace.object_id, trace.actor)
            raise
        except LoginCancelled:
            await self._service.transact(record_refusal, "login.cancelled", "user", trace.object_id)
            raise

    async def _complete(
        self,
        parameters: Iterable[tuple[str, str]],
        browser: str | None,
        replaced_cookie: str | None,
        trace: "_Trace",
    ) -> LoggedIn:
        callback = read_callback(parameters)
        trace.object_id = digest(callback.state)[:16]
        under_way = await self._recognise(callback, browser)
        code = check_answer(
            callback,
            issuer=self._settings.psc_issuer,
            iss_advertised=await self._provider.advertises_iss(),
        )
        identity = await self._provider.identify(code, under_way.code_verifier, under_way.nonce)
        professional = professional_of(identity.userinfo, production=self._settings.environment == "production")
        if professional.rpps is not None:
            trace.actor = f"rpps:{professional.rpps}"
        login = Login(
            identity=identity,
            professional=professional,
            eligible=eligible_roles(professional, self._settings.imaging_skills),
            skills=skills_of(professional, self._settings.imaging_skills),
            cookie=secrets.token_urlsafe(32),
            replaced_cookie=replaced_cookie,
        )
        await self._service.transact(open_session, login, self._settings.limits, self._service.keyring)
        return LoggedIn(login.cookie, under_way.return_to)

    async def _recognise(self, callback: Callback, browser: str | None) -> LoginUnderWay:
        under_way: LoginUnderWay | None = await self._service.transact(
            take_login, callback.state, browser, self._service.keyring
        )
        if under_way is None:
            raise LoginRefused("state")
        return under_way


@dataclass
class _Trace:
    """What is known so far of a login that may yet be refused."""

    object_id: str = "callback"
    actor: str = ANONYMOUS
