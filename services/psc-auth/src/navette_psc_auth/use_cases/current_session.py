"""The live session behind a cookie, kept alive here and at the provider (spec/psc.md §9)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from navette_chassis import Service, UnitOfWork
from navette_contracts.sealed import Sealed

from navette_psc_auth.adapters.store import ACCOUNTS, SESSIONS
from navette_psc_auth.domain.errors import LoginRefused, NotLoggedIn, ProviderUnavailable
from navette_psc_auth.domain.provider import Provider
from navette_psc_auth.domain.rights import Grant, active_grants
from navette_psc_auth.domain.session import Session, digest
from navette_psc_auth.settings import PscAuthSettings
from navette_psc_auth.use_cases.end_session import end_session
from navette_psc_auth.use_cases.open_session import PscTokens, account_of

log = structlog.get_logger("navette.psc_auth.session")

_SEEN_EVERY = timedelta(seconds=30)
_RETRY_REFRESH = timedelta(seconds=60)


@dataclass(frozen=True)
class Current:
    """A live session and what its person may do now, by the local table as it is now."""

    session: Session
    cookie: str
    grants: tuple[Grant, ...]


class CurrentSession:
    """Finds the session of a request, and keeps it alive."""

    def __init__(self, service: Service, settings: PscAuthSettings, provider: Provider) -> None:
        self._service = service
        self._settings = settings
        self._provider = provider

    async def __call__(self, cookie: str | None, *, used: bool = True) -> Current:
        """Return the live session of a cookie. Raises NotLoggedIn.

        `used`: whether a person did something; what a page does by itself does not keep a session alive.
        """
        if not cookie:
            raise NotLoggedIn
        database = self._service.database
        row = await database[SESSIONS].find_one({"_id": digest(cookie)})
        now = self._service.clock.now()
        if row is None or not (session := Session.from_row(row)).is_live(now, self._settings.limits):
            raise NotLoggedIn
        if used and now - session.seen_at >= _SEEN_EVERY:
            await self._service.transact(touch_session, session.key)
        if now - session.refreshed_at >= timedelta(seconds=self._settings.psc_refresh_seconds):
            await self._refresh(session)
        account = await database[ACCOUNTS].find_one({"_id": session.rpps})
        grants = () if account is None else active_grants(account_of(account), session.eligible)
        return Current(session, cookie, grants)

    async def still_live(self, session: Session) -> bool:
        """Whether a session that is being used by an open stream lives. Asking does not count as a use of it."""
        row = await self._service.database[SESSIONS].find_one({"_id": session.key})
        return row is not None and Session.from_row(row).is_live(self._service.clock.now(), self._settings.limits)

    async def _refresh(self, session: Session) -> None:
        """Ask the provider whether its session lives, one request at a time per session.

        An outage of the provider does not end our session (spec/psc.md §10.4); its refusal does.
        """
        if not await self._service.transact(claim_refresh, session.key, session.refreshed_at):
            return
        tokens = Sealed[PscTokens](session.tokens).open(self._service.keyring, PscTokens)
        if tokens.refresh_token is None:
            return
        try:
            renewed = await self._provider.refresh(tokens.refresh_token, session.psc_sub)
        except ProviderUnavailable as error:
            log.warning("psc.refresh_postponed", code=error.reason)
            postponed = timedelta(seconds=self._settings.psc_refresh_seconds) - _RETRY_REFRESH
            await self._service.transact(set_refreshed_at, session.key, self._service.clock.now() - postponed)
            return
        except LoginRefused as refused:
            await self._service.transact(end_session, session, f"session.refused:{refused.check}")
            raise NotLoggedIn from None
        if renewed is None:
            await self._service.transact(end_session, session, "session.ended:provider")
            raise NotLoggedIn
        kept = PscTokens(
            id_token=renewed.id_token or tokens.id_token,
            refresh_token=renewed.refresh_token or tokens.refresh_token,
        )
        await self._service.transact(set_tokens, session.key, Sealed.seal(kept, self._service.keyring).token)


async def touch_session(uow: UnitOfWork, key: str) -> None:
    """Note that the session was used."""
    await _set(uow, key, seen_at=uow.now)


async def claim_refresh(uow: UnitOfWork, key: str, refreshed_at: datetime) -> bool:
    """Whether this request is the one that refreshes; it then counts as done."""
    update = {"$set": {"refreshed_at": uow.now}}
    result = await uow.collection(SESSIONS).update_one({"_id": key, "refreshed_at": refreshed_at}, update)
    return result.modified_count == 1


async def set_refreshed_at(uow: UnitOfWork, key: str, moment: datetime) -> None:
    """Set when the provider last answered, as far as the next refresh is concerned."""
    await _set(uow, key, refreshed_at=moment)


async def set_tokens(uow: UnitOfWork, key: str, tokens: str) -> None:
    """Replace the sealed tokens."""
    await _set(uow, key, tokens=tokens)


async def _set(uow: UnitOfWork, key: str, **fields: Any) -> None:
    await uow.collection(SESSIONS).update_one({"_id": key}, {"$set": fields})
