"""Open the session of a person whose login passed every check."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from navette_chassis import UnitOfWork
from navette_contracts.sealed import Keyring, Sealed
from pydantic import BaseModel, ConfigDict

from navette_psc_auth.adapters.store import ACCOUNTS, SESSIONS
from navette_psc_auth.domain.errors import LoginRefused
from navette_psc_auth.domain.professional import Professional
from navette_psc_auth.domain.provider import Identity
from navette_psc_auth.domain.rights import Account, Grant, active_grants
from navette_psc_auth.domain.session import Session, SessionLimits, digest


class PscTokens(BaseModel):
    """Tokens of Pro Santé Connect: kept sealed, only as long as the session, never given to anybody."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    id_token: str
    refresh_token: str | None


@dataclass(frozen=True)
class Login:
    """A login that passed every check of the protocol."""

    identity: Identity
    professional: Professional
    eligible: frozenset[str]
    skills: tuple[str, ...]
    cookie: str
    """Value of the new session's cookie."""
    replaced_cookie: str | None
    """Value of the cookie the browser had before: its session ends (no fixation)."""


async def open_session(uow: UnitOfWork, login: Login, limits: SessionLimits, keyring: Keyring) -> Session:
    """Write the session and the audit line. LoginRefused when the group gave the person no role."""
    rpps = login.professional.rpps
    if rpps is None:
        raise LoginRefused("no_rpps")
    row = await uow.collection(ACCOUNTS).find_one({"_id": rpps})
    if row is None:
        raise LoginRefused("no_account")
    if not active_grants(account_of(row), login.eligible):
        raise LoginRefused("no_role")
    if login.replaced_cookie is not None:
        await uow.collection(SESSIONS).delete_one({"_id": digest(login.replaced_cookie)})
    session = _session(uow, login, rpps, limits, keyring)
    await uow.collection(SESSIONS).insert_one(session.to_row())
    await uow.collection(ACCOUNTS).update_one({"_id": rpps}, {"$set": {"last_login_at": uow.now}})
    await uow.record_access(session.actor, "login.success", "session", session.public_id, None, "granted")
    return session


def account_of(row: Mapping[str, Any]) -> Account:
    """The account of a MongoDB document."""
    grants = tuple(Grant(one["site_id"], one["role"]) for one in row["grants"])
    return Account(rpps=row["_id"], name=row["name"], grants=grants, enabled=row["enabled"])


def _session(uow: UnitOfWork, login: Login, rpps: str, limits: SessionLimits, keyring: Keyring) -> Session:
    claims = login.identity.claims
    tokens = PscTokens(id_token=login.identity.id_token, refresh_token=login.identity.refresh_token)
    sid = claims.get("sid") or claims.get("session_state")
    return Session(
        key=digest(login.cookie),
        rpps=rpps,
        name=login.professional.name,
        eligible=tuple(sorted(login.eligible)),
        skills=login.skills,
        psc_sub=str(claims["sub"]),
        psc_sid=sid if isinstance(sid, str) else None,
        acr=str(claims["acr"]),
        auth_mode=login.professional.auth_mode,
        created_at=uow.now,
        seen_at=uow.now,
        expires_at=uow.now + limits.absolute,
        refreshed_at=uow.now,
        tokens=Sealed.seal(tokens, keyring).token,
    )
