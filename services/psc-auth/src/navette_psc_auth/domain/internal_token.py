"""Claims of the tokens services trust, and of the assertions services prove themselves with (spec/psc.md §11.5)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeGuard

from navette_psc_auth.domain.errors import AssertionRefused
from navette_psc_auth.domain.rights import Rights

ISSUER: Final = "navette-psc-auth"
TOKEN_LIFE: Final = timedelta(seconds=120)
ASSERTION_LIFE: Final = timedelta(seconds=60)
_LEEWAY = 5


def user_claims(
    *,
    rpps: str,
    name: str,
    skills: Sequence[str],
    rights: Rights,
    audience: str,
    session: str,
    jti: str,
    now: datetime,
) -> dict[str, Any]:
    """Claims of a token for one person toward one service."""
    return {
        **_common(audience, jti, now),
        "sub": f"rpps:{rpps}",
        "kind": "user",
        "rpps": rpps,
        "name": name,
        "skills": list(skills),
        "roles": list(rights.roles),
        "sites": list(rights.sites),
        "sid": session,
    }


def service_claims(*, service: str, audience: str, jti: str, now: datetime) -> dict[str, Any]:
    """Claims of a token for one service toward another: no role, no site."""
    return {
        **_common(audience, jti, now),
        "sub": service,
        "kind": "service",
        "rpps": None,
        "roles": [],
        "sites": [],
    }


def _common(audience: str, jti: str, now: datetime) -> dict[str, Any]:
    issued = int(now.timestamp())
    return {
        "iss": ISSUER,
        "aud": audience,
        "jti": jti,
        "iat": issued,
        "nbf": issued,
        "exp": issued + int(TOKEN_LIFE.total_seconds()),
    }


@dataclass(frozen=True)
class ServiceAssertion:
    """A service that proved who it is; `jti` is valid once, until `expires_at`."""

    service: str
    jti: str
    expires_at: datetime


def read_assertion(claims: Mapping[str, Any], *, service: str, endpoint: str, now: datetime) -> ServiceAssertion:
    """Check the claims of an assertion (RFC 7523 §3) whose signature by a key of `service` holds."""
    if claims.get("iss") != service or claims.get("sub") != service:
        raise AssertionRefused("subject")
    if claims.get("aud") != endpoint:
        raise AssertionRefused("audience")
    issued, expires = claims.get("iat"), claims.get("exp")
    present = now.timestamp()
    if not _is_number(expires) or expires < present - _LEEWAY:
        raise AssertionRefused("expired")
    started = issued if _is_number(issued) else present
    if started > present + _LEEWAY or expires - started > ASSERTION_LIFE.total_seconds() + _LEEWAY:
        raise AssertionRefused("lifetime")
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 8 <= len(jti) <= 128:
        raise AssertionRefused("jti")
    return ServiceAssertion(service, jti, now + ASSERTION_LIFE + timedelta(seconds=2 * _LEEWAY))


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
