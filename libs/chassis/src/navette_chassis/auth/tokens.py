"""Verification of internal tokens: ES256 JWT issued by psc-auth for one audience, 120 s at most."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Annotated, Any, Literal

from joserfc import jwt
from joserfc.errors import JoseError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from navette_chassis.auth.guard import TokenRefusedError
from navette_chassis.auth.jwks import JwksCache, JwksUnavailableError
from navette_chassis.auth.principal import Principal
from navette_chassis.clock import Clock

ISSUER = "navette-psc-auth"
ALGORITHM = "ES256"
#: Longest life of a token, seconds.
MAX_LIFE = 120
#: Tolerated difference between the clocks of two services, seconds.
LEEWAY = 5
_MAX_TOKEN_CHARS = 8192

_Text = Annotated[str, Field(min_length=1, max_length=256)]


class _Claims(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", hide_input_in_errors=True)

    iss: _Text
    sub: _Text
    aud: _Text
    iat: int
    exp: int
    nbf: int | None = None
    jti: _Text
    kind: Literal["user", "service"]
    rpps: Annotated[str, Field(pattern=r"^\d{11}$")] | None = None
    name: str | None = None
    skills: list[_Text] = Field(default_factory=list)
    roles: list[_Text] = Field(default_factory=list)
    sites: list[_Text] = Field(default_factory=list)


class TokenVerifier:
    """Verifies tokens whose audience is this service."""

    def __init__(self, *, audience: str, jwks: JwksCache, clock: Clock) -> None:
        self._audience = audience
        self._jwks = jwks
        self._clock = clock

    async def verify(self, token: str) -> Principal:
        """The caller a token speaks for. Raises ``TokenRefusedError`` with the code of the broken rule."""
        kid = _key_id(token)
        try:
            key = await self._jwks.key(kid)
        except JwksUnavailableError:
            raise TokenRefusedError("jwks_unavailable") from None
        if key is None:
            raise TokenRefusedError("kid_unknown")
        try:
            decoded = jwt.decode(token, key, algorithms=[ALGORITHM])
        except (JoseError, ValueError):
            raise TokenRefusedError("signature_invalid") from None
        try:
            claims = _Claims.model_validate(decoded.claims)
        except ValidationError:
            raise TokenRefusedError("claims_invalid") from None
        self._check(claims)
        return Principal(
            subject=claims.sub,
            kind=claims.kind,
            roles=frozenset(claims.roles),
            sites=frozenset(claims.sites),
            rpps=claims.rpps,
            name=claims.name,
            skills=tuple(claims.skills),
        )

    def _check(self, claims: _Claims) -> None:
        now = self._clock.now().timestamp()
        rules = {
            "issuer_wrong": claims.iss != ISSUER,
            "audience_wrong": claims.aud != self._audience,
            "token_expired": now > claims.exp + LEEWAY,
            "token_not_yet_valid": now < max(claims.iat, claims.nbf or 0) - LEEWAY,
            "token_lives_too_long": not 0 < claims.exp - claims.iat <= MAX_LIFE,
        }
        for code, broken in rules.items():
            if broken:
                raise TokenRefusedError(code)


def _key_id(token: str) -> str:
    """The ``kid`` of a token that claims to be ES256; read before anything is verified."""
    if len(token) > _MAX_TOKEN_CHARS or token.count(".") != 2:
        raise TokenRefusedError("token_malformed")
    encoded = token.partition(".")[0]
    try:
        header: Any = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        raise TokenRefusedError("token_malformed") from None
    if not isinstance(header, dict):
        raise TokenRefusedError("token_malformed")
    if header.get("alg") != ALGORITHM:
        raise TokenRefusedError("algorithm_refused")
    kid = header.get("kid")
    if not isinstance(kid, str) or not kid:
        raise TokenRefusedError("kid_missing")
    return kid
