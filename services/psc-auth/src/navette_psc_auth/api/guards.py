"""What stands before every route that needs a person: a live session, and proof that our page asked."""

from fastapi import Request
from navette_chassis import Service
from navette_chassis.problem import ProblemError

from navette_psc_auth.api import cookies
from navette_psc_auth.domain.errors import CsrfRefused, NotLoggedIn
from navette_psc_auth.domain.gateway import by_itself, check_csrf
from navette_psc_auth.domain.provider import Provider
from navette_psc_auth.settings import PscAuthSettings
from navette_psc_auth.use_cases.current_session import Current, CurrentSession
from navette_psc_auth.use_cases.record_refusal import record_refusal


class Guards:
    """Session and CSRF checks, answered as problems."""

    def __init__(self, service: Service, settings: PscAuthSettings, provider: Provider) -> None:
        self._service = service
        self._origin = settings.public_url
        self._current = CurrentSession(service, settings, provider)

    async def current(self, request: Request) -> Current:
        """The live session of a request, or the 401 problem."""
        try:
            return await self._current(cookies.read(request, cookies.SESSION), used=not by_itself(request.headers))
        except NotLoggedIn:
            raise ProblemError(
                401, "not-logged-in", "Votre session est fermée : connectez-vous avec Pro Santé Connect."
            ) from None

    async def still_live(self, current: Current) -> bool:
        """Whether the session of an open stream was not ended meanwhile."""
        return await self._current.still_live(current.session)

    async def check_csrf(self, request: Request, current: Current, form_token: str | None = None) -> None:
        """Let safe methods and our own pages pass; anything else is the 403 problem, and audited."""
        try:
            check_csrf(
                request.method, request.headers, cookie=current.cookie, origin=self._origin, form_token=form_token
            )
        except CsrfRefused as refused:
            session = current.session
            await self._service.transact(
                record_refusal, "csrf.refused", refused.check, session.public_id, session.actor
            )
            raise ProblemError(
                403, "csrf-refused", "La requête ne vient pas d’une page de cette application."
            ) from None
