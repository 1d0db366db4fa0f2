"""Authlib's OpenID client, narrowed: RS256 only, S256 always, keys that do not stay trusted for ever.

Authlib's Starlette integration keeps state in `request.session`; ours lives in the database, so only the
parts below it are used. `server_metadata_url` is never given: the downloaded document would replace the
pinned algorithm list.
"""

import logging
import ssl
import time
from collections.abc import Mapping
from typing import Any

import httpx2
from authlib.integrations.starlette_client import (  # type: ignore[import-untyped]  # ships no types
    StarletteOAuth2App,
)

from navette_psc_auth.domain.discovery import REQUIRED_ENDPOINTS
from navette_psc_auth.domain.id_token import ALGORITHM

# Authlib writes code verifiers at DEBUG (spec/psc.md §11.4); httpx2 writes a line per request at INFO.
logging.getLogger("authlib").setLevel(logging.INFO)
logging.getLogger("httpx2").setLevel(logging.WARNING)
logging.getLogger("httpcore2").setLevel(logging.WARNING)

_KEYS_LIFE = 3600.0
_KEYS_MIN_INTERVAL = 60.0


class PscApp(StarletteOAuth2App):  # type: ignore[misc]  # the base is untyped
    """One registered client at one provider."""

    _keys: Mapping[str, Any] | None = None
    _keys_at = float("-inf")

    @classmethod
    def of(
        cls,
        document: Mapping[str, Any],
        *,
        client_id: str,
        client_secret: str | None,
        context: ssl.SSLContext,
        timeout: float,
    ) -> "PscApp":
        """Build it from a checked discovery document."""
        # "none" sends client_id in the body; with a client certificate TLS is what authenticates (RFC 8705 §2).
        method = "none" if client_secret is None else "client_secret_basic"
        endpoints = {name: document[name] for name in REQUIRED_ENDPOINTS}
        return cls(
            None,
            name="psc",
            client_id=client_id,
            client_secret=client_secret,
            authorize_params={"acr_values": "eidas1"},
            client_kwargs={
                "scope": "openid scope_all",
                "code_challenge_method": "S256",
                "token_endpoint_auth_method": method,
                "revocation_endpoint_auth_method": method,
                "verify": context,
                "timeout": timeout,
            },
            issuer=document["issuer"],
            id_token_signing_alg_values_supported=[ALGORITHM],
            **endpoints,
        )

    async def fetch_jwk_set(self, force: bool = False) -> Mapping[str, Any]:
        """The provider's keys: one hour at most, asked again for an unknown key once a minute at most.

        (Authlib would keep them until an unknown key appears: a withdrawn one would stay trusted.)
        """
        age = time.monotonic() - self._keys_at
        if self._keys is not None and age < (_KEYS_MIN_INTERVAL if force else _KEYS_LIFE):
            return self._keys
        async with self._get_session() as client:
            answer = await client.request("GET", self.server_metadata["jwks_uri"], withhold_token=True)
            answer.raise_for_status()
            self._keys = dict(answer.json())
        self._keys_at = time.monotonic()
        return self._keys

    async def get_userinfo(self, tokens: Mapping[str, Any]) -> httpx2.Response:
        """The raw answer of userinfo."""
        answer: httpx2.Response = await self.get(self.server_metadata["userinfo_endpoint"], token=dict(tokens))
        return answer

    async def refresh(self, refresh_token: str) -> Mapping[str, Any]:
        """The token answer to a refresh token."""
        async with self._get_oauth_client(**self.server_metadata) as client:
            client.token = {"refresh_token": refresh_token}
            tokens: Mapping[str, Any] = await client.refresh_token(
                self.server_metadata["token_endpoint"], refresh_token=refresh_token
            )
            return dict(tokens)

    async def revoke(self, refresh_token: str) -> None:
        """Revoke a refresh token (RFC 7009)."""
        async with self._get_oauth_client(**self.server_metadata) as client:
            answer = await client.revoke_token(
                self.server_metadata["revocation_endpoint"],
                token=refresh_token,
                token_type_hint="refresh_token",  # noqa: S106 - the kind of token, not a token
            )
            answer.raise_for_status()
