"""Claims of a back-channel logout token (OpenID Connect Back-Channel Logout 1.0 §2.4, §2.6; spec/psc.md §9)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from navette_psc_auth.domain.errors import LogoutTokenRefused

_EVENT = "http://schemas.openid.net/event/backchannel-logout"
_LEEWAY = 30
_MAX_AGE = timedelta(minutes=5)

LIFE: Final = _MAX_AGE + timedelta(minutes=2)
"""How long an order must be remembered to be refused a second time: longer than it could be accepted."""


@dataclass(frozen=True)
class LogoutOrder:
    """Whose sessions to end, and the id that makes the order valid once."""

    jti: str
    sid: str | None
    sub: str | None


def read_logout_claims(claims: Mapping[str, Any], *, issuer: str, client_id: str, now: datetime) -> LogoutOrder:
    """Check the claims of a token whose signature holds. LogoutTokenRefused names the check that failed."""
    if claims.get("iss") != issuer:
        raise LogoutTokenRefused("iss")
    audience = claims.get("aud")
    if audience != client_id and not (isinstance(audience, list) and client_id in audience):
        raise LogoutTokenRefused("aud")
    _check_times(claims, now.timestamp())
    events = claims.get("events")
    if not isinstance(events, Mapping) or not isinstance(events.get(_EVENT), Mapping):
        raise LogoutTokenRefused("events")
    if "nonce" in claims:
        # An ID token replayed as a logout token would have one.
        raise LogoutTokenRefused("nonce")
    jti, sid, sub = claims.get("jti"), claims.get("sid"), claims.get("sub")
    if not isinstance(jti, str) or not jti:
        raise LogoutTokenRefused("jti")
    sid = sid if isinstance(sid, str) and sid else None
    sub = sub if isinstance(sub, str) and sub else None
    if sid is None and sub is None:
        raise LogoutTokenRefused("sid_or_sub")
    return LogoutOrder(jti, sid, sub)


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    issued, expires = claims.get("iat"), claims.get("exp")
    if not isinstance(issued, int | float) or isinstance(issued, bool):
        raise LogoutTokenRefused("iat")
    if issued > now + _LEEWAY or issued < now - _MAX_AGE.total_seconds():
        raise LogoutTokenRefused("iat")
    if expires is not None and (not isinstance(expires, int | float) or expires < now - _LEEWAY):
        raise LogoutTokenRefused("exp")
