"""Sessions, codes, access and refresh tokens of the realm, with their lives (spec/psc.md §5.1)."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import uuid
from dataclasses import dataclass, field

from navette_sandbox.simulators.psc.authorization import AuthorizationRequest
from navette_sandbox.simulators.psc.professionals import Professional

CODE_SECONDS = 60
ACCESS_SECONDS = 120
REFRESH_SECONDS = 1800
SESSION_SECONDS = 4 * 3600
CHOICE_SECONDS = 600


class GrantError(Exception):
    """The token endpoint answers `invalid_grant`; the text names the rule."""


@dataclass
class Session:
    """One login of one person at one service."""

    sid: str
    person: Professional
    client_id: str
    scope: str
    nonce: str
    auth_time: int
    refresh_token: str = ""
    refresh_expires: int = 0
    spent_refresh_tokens: set[str] = field(default_factory=set)
    ended: str = ""


@dataclass
class _Code:
    request: AuthorizationRequest
    session: Session
    expires: int
    spent: bool = False


class Realm:
    """Everything the provider remembers. Instants are whole seconds since the epoch, passed in."""

    def __init__(self) -> None:
        self.sessions: dict[str, Session] = {}
        self._choices: dict[str, tuple[AuthorizationRequest, int]] = {}
        self._codes: dict[str, _Code] = {}
        self._access: dict[str, Session] = {}

    def remember_choice(self, request: AuthorizationRequest, now: int) -> str:
        """Keep a request while the person chooses an identity; the handle serves once."""
        handle = secrets.token_urlsafe(24)
        self._choices[handle] = (request, now + CHOICE_SECONDS)
        return handle

    def take_choice(self, handle: str, now: int) -> AuthorizationRequest | None:
        """The request behind a handle, once."""
        request, expires = self._choices.pop(handle, (None, 0))
        return request if now < expires else None

    def approve(self, request: AuthorizationRequest, person: Professional, now: int) -> str:
        """Open a session and return its authorization code."""
        session = Session(
            sid=str(uuid.uuid4()),
            person=person,
            client_id=request.client_id,
            scope=request.scope,
            nonce=request.nonce,
            auth_time=now,
        )
        self.sessions[session.sid] = session
        code = secrets.token_urlsafe(32)
        self._codes[code] = _Code(request, session, now + CODE_SECONDS)
        return code

    def redeem(self, code: str, client_id: str, redirect_uri: str, verifier: str, now: int) -> Session:
        """Exchange a code, once. Raises `GrantError`; a code shown twice ends the session it opened."""
        found = self._codes.get(code)
        if found is None:
            raise GrantError("code is one this realm issued")
        if found.spent:
            self.end(found.session, "code replayed")
            raise GrantError("code serves once")
        if found.request.client_id != client_id:
            raise GrantError("code belongs to the client")
        found.spent = True
        if now >= found.expires:
            raise GrantError("code is younger than a minute")
        if found.request.redirect_uri != redirect_uri:
            raise GrantError("redirect_uri is the one of the authorization request")
        if not re.fullmatch(r"[A-Za-z0-9._~-]{43,128}", verifier) or _s256(verifier) != found.request.code_challenge:
            raise GrantError("code_verifier is the one of the code_challenge")
        self._new_refresh_token(found.session, now)
        return found.session

    def refresh(self, token: str, client_id: str, now: int) -> Session:
        """Rotate a refresh token. Raises `GrantError`; an old one ends the whole session."""
        for session in self.sessions.values():
            if token in session.spent_refresh_tokens:
                self.end(session, "refresh token replayed")
                raise GrantError("refresh token serves once")
        found = self._by_refresh_token(token)
        if found is None or found.client_id != client_id:
            raise GrantError("refresh token belongs to a session of the client")
        if now >= found.refresh_expires or now >= found.auth_time + SESSION_SECONDS:
            self.end(found, "expired")
            raise GrantError("session is still open")
        found.spent_refresh_tokens.add(token)
        self._new_refresh_token(found, now)
        return found

    def register_access(self, jti: str, session: Session) -> None:
        """Note that the access token `jti` was issued for the session."""
        self._access[jti] = session

    def by_access(self, jti: str) -> Session | None:
        """The open session of an access token that was not revoked."""
        session = self._access.get(jti)
        return None if session is None or session.ended else session

    def by_refresh(self, token: str, now: int) -> Session | None:
        """The open session of a live refresh token."""
        session = self._by_refresh_token(token)
        return session if session is not None and now < session.refresh_expires else None

    def revoke_access(self, jti: str) -> None:
        """Forget one access token."""
        self._access.pop(jti, None)

    def end(self, session: Session, reason: str) -> None:
        """Close a session: its tokens die with it."""
        if not session.ended:
            session.ended = reason
            session.refresh_token = ""

    def _by_refresh_token(self, token: str) -> Session | None:
        if not token:
            return None
        return next((one for one in self.sessions.values() if one.refresh_token == token and not one.ended), None)

    def _new_refresh_token(self, session: Session, now: int) -> None:
        session.refresh_token = secrets.token_urlsafe(48)
        session.refresh_expires = min(now + REFRESH_SECONDS, session.auth_time + SESSION_SECONDS)


def _s256(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
