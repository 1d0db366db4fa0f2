"""Where the endpoints are: Keycloak's paths under one realm, and a wallet beside it (spec/psc.md §2)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

ISSUER_PATH = "/auth/realms/esante-wallet"


@dataclass(frozen=True)
class Paths:
    """Paths of the main port."""

    discovery: str
    authorization: str
    decision: str
    token: str
    userinfo: str
    introspection: str
    end_session: str
    jwks: str
    revocation: str


@cache
def paths() -> Paths:
    """The paths of the one realm."""
    protocol = f"{ISSUER_PATH}/protocol/openid-connect"
    return Paths(
        discovery=f"{ISSUER_PATH}/.well-known/wallet-openid-configuration",
        authorization="/wallet/auth",
        decision="/wallet/auth/decision",
        token=f"{protocol}/token",
        userinfo=f"{protocol}/userinfo",
        introspection=f"{protocol}/token/introspect",
        end_session=f"{protocol}/logout",
        jwks=f"{protocol}/certs",
        revocation=f"{protocol}/revoke",
    )
