"""What must hold of an ID token beside what the OpenID library checks (spec/psc.md §5.2)."""

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from navette_psc_auth.domain.errors import LoginRefused

ALGORITHM: Final = "RS256"
LEEWAY_SECONDS: Final = 30
_MAX_LENGTH = 16 * 1024


def check_form(token: object) -> str:
    """Refuse what is not a compact RS256 JWS of three parts before any library touches it."""
    if not isinstance(token, str) or not token:
        raise LoginRefused("id_token_missing")
    if len(token) > _MAX_LENGTH:
        raise LoginRefused("id_token_too_long")
    if token.count(".") != 2:
        # Five parts would be an encrypted token, which was never agreed.
        raise LoginRefused("id_token_form")
    header = header_of(token)
    if header.get("alg") != ALGORITHM:
        raise LoginRefused("id_token_alg")
    if "crit" in header:
        raise LoginRefused("id_token_crit")
    if not header.get("kid"):
        raise LoginRefused("id_token_kid")
    return token


def header_of(token: str) -> Mapping[str, Any]:
    """The protected header of a compact token, unverified. LoginRefused when it is not JSON."""
    encoded = token.partition(".")[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    except (ValueError, binascii.Error):
        raise LoginRefused("id_token_form") from None
    if not isinstance(header, dict):
        raise LoginRefused("id_token_form")
    return header


def claims_options(issuer: str, client_id: str, allowed_acr: list[str]) -> dict[str, dict[str, Any]]:
    """Options for Authlib. Every one is explicit: without `iss` it would not look at the issuer at all."""
    return {
        "iss": {"essential": True, "value": issuer},
        "aud": {"essential": True, "value": client_id},
        "nonce": {"essential": True},
        "acr": {"essential": True, "values": list(allowed_acr)},
        "sub": {"essential": True},
        "exp": {"essential": True},
        "iat": {"essential": True},
    }


def check_claims(claims: Mapping[str, Any], *, now: datetime, max_age: timedelta) -> None:
    """Check what remains after signature, issuer, audience, nonce, acr and times."""
    if not isinstance(claims.get("sub"), str) or not claims["sub"]:
        raise LoginRefused("id_token_sub")
    if isinstance(claims.get("aud"), list) and len(claims["aud"]) > 1 and "azp" not in claims:
        raise LoginRefused("id_token_azp")
    auth_time = claims.get("auth_time")
    if auth_time is None:
        return
    if not isinstance(auth_time, int | float) or isinstance(auth_time, bool):
        raise LoginRefused("id_token_auth_time")
    age = now.timestamp() - auth_time
    if age > max_age.total_seconds() + LEEWAY_SECONDS or age < -LEEWAY_SECONDS:
        raise LoginRefused("id_token_auth_time")
