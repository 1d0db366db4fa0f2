"""What the realm writes of a session: token answer, ID token, introspection, logout token (spec/psc.md §5, §9)."""

from __future__ import annotations

import uuid
from typing import Any

from navette_sandbox.simulators.psc.sessions import ACCESS_SECONDS, Realm, Session
from navette_sandbox.simulators.psc.signing import Signer, half_hash

LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"


class Writer:
    """Writes tokens for one issuer."""

    def __init__(self, issuer: str, signer: Signer, realm: Realm) -> None:
        self._issuer = issuer
        self._signer = signer
        self._realm = realm

    def answer(self, session: Session, now: int, *, lie: str | None, id_token: bool = True) -> dict[str, Any]:
        """The token endpoint's answer; `lie` makes the ID token wrong."""
        access = self._access_token(session, now)
        answer: dict[str, Any] = {
            "access_token": access,
            "expires_in": ACCESS_SECONDS,
            "refresh_token": session.refresh_token,
            "refresh_expires_in": session.refresh_expires - now,
            "token_type": "Bearer",
            "not-before-policy": 0,
            "session_state": session.sid,
            "scope": session.scope,
        }
        if id_token:
            claims = self._common(session, now) | {
                "typ": "ID",
                "aud": session.client_id,
                "at_hash": half_hash(access),
                "email_verified": False,
                **session.person.short_claims(),
            }
            answer["id_token"] = self._signer.sign(claims, lie=lie)
        return answer

    def introspection(self, token: str, now: int) -> dict[str, Any]:
        """What introspection says of an access or refresh token; `SubjectNameID` for an access token only."""
        claims = self._signer.read(token)
        if claims is not None:
            session = self._realm.by_access(str(claims.get("jti", "")))
            if session is None or claims.get("typ") != "Bearer" or now >= int(claims["exp"]):
                return {"active": False}
            return claims | self._who(session) | {"active": True, "SubjectNameID": session.person.national_id}
        session = self._realm.by_refresh(token, now)
        if session is None:
            return {"active": False}
        life = {"exp": session.refresh_expires, "typ": "Refresh"}
        return self._common(session, now) | life | self._who(session) | {"active": True}

    def logout_token(self, session: Session, now: int, *, lie: str | None) -> str:
        """A back-channel logout token (OIDC Back-Channel Logout §2.4). `wrong_nonce` adds the forbidden nonce."""
        claims = {
            "iss": self._issuer,
            "aud": session.client_id,
            "iat": now,
            "exp": now + ACCESS_SECONDS,
            "jti": str(uuid.uuid4()),
            "sub": session.person.sub,
            "sid": session.sid,
            "events": {LOGOUT_EVENT: {}},
        }
        return self._signer.sign(claims, "logout+jwt", lie)

    def _access_token(self, session: Session, now: int) -> str:
        jti = str(uuid.uuid4())
        self._realm.register_access(jti, session)
        claims = self._common(session, now) | {
            "jti": jti,
            "typ": "Bearer",
            "scope": session.scope,
            "authMode": session.person.auth_mode,
            "otherIds": session.person.other_ids(),
            "preferred_username": session.person.national_id,
        }
        return self._signer.sign(claims)

    def _common(self, session: Session, now: int) -> dict[str, Any]:
        return {
            "iss": self._issuer,
            "sub": session.person.sub,
            "azp": session.client_id,
            "iat": now,
            "exp": now + ACCESS_SECONDS,
            "auth_time": session.auth_time,
            "jti": str(uuid.uuid4()),
            "nonce": session.nonce,
            "acr": "eidas1",
            "sid": session.sid,
            "session_state": session.sid,
        }

    def _who(self, session: Session) -> dict[str, Any]:
        return {"client_id": session.client_id, "username": session.person.national_id, "scope": session.scope}
