"""Pro Santé Connect as the use cases see it; `navette_psc_auth.adapters.psc` is the real one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Authorization:
    """One authorization request; all but the URL stay on the server."""

    url: str
    state: str
    nonce: str
    code_verifier: str


@dataclass(frozen=True)
class Identity:
    """What a completed login gives: verified claims, userinfo of the same subject, tokens to keep sealed."""

    claims: Mapping[str, Any]
    userinfo: Mapping[str, Any]
    id_token: str
    refresh_token: str | None


class Provider(Protocol):
    """Pro Santé Connect as the use cases see it."""

    async def authorize(self) -> Authorization:
        """Begin a login. Raises ProviderUnavailable."""

    async def advertises_iss(self) -> bool:
        """Whether each callback must carry `iss` (RFC 9207)."""

    async def identify(self, code: str, code_verifier: str, nonce: str) -> Identity:
        """Exchange a code and check all that comes with it. Raises LoginRefused, ProviderUnavailable."""

    async def refresh(self, refresh_token: str, sub: str) -> Identity | None:
        """Renew the tokens; None when the provider's session is over. Raises ProviderUnavailable."""

    async def revoke(self, refresh_token: str) -> None:
        """Revoke a refresh token. Raises ProviderUnavailable."""

    async def logout_url(self, id_token: str, state: str) -> str:
        """Where the browser ends the provider's session. Raises ProviderUnavailable."""

    async def keys(self, *, force: bool = False) -> Mapping[str, Any]:
        """The provider's public keys (JWKS). Raises ProviderUnavailable."""
