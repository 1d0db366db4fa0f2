"""Log out on both sides: ours at once, the provider's through the browser (spec/psc.md §9)."""

import structlog
from navette_chassis import Service
from navette_contracts.sealed import Sealed

from navette_psc_auth.domain.errors import ProviderUnavailable
from navette_psc_auth.domain.provider import Provider
from navette_psc_auth.domain.session import Session
from navette_psc_auth.use_cases.end_session import end_session
from navette_psc_auth.use_cases.open_session import PscTokens

log = structlog.get_logger("navette.psc_auth.session")


class LogOut:
    """Ends a session here first: whatever the provider does, it is over."""

    def __init__(self, service: Service, provider: Provider) -> None:
        self._service = service
        self._provider = provider

    async def __call__(self, session: Session, state: str) -> str | None:
        """End the session; return where the browser ends the provider's, None when it cannot be reached."""
        await self._service.transact(end_session, session, "logout.user")
        tokens = Sealed[PscTokens](session.tokens).open(self._service.keyring, PscTokens)
        try:
            if tokens.refresh_token is not None:
                await self._provider.revoke(tokens.refresh_token)
            return await self._provider.logout_url(tokens.id_token, state)
        except ProviderUnavailable as error:
            log.warning("psc.logout_incomplete", code=error.reason)
            return None
