"""Verify a back-channel logout token: signature by the provider's present keys, then its claims."""

from collections.abc import Mapping
from typing import Any

from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry
from navette_chassis import Clock

from navette_psc_auth.domain.errors import LoginRefused, LogoutTokenRefused
from navette_psc_auth.domain.id_token import ALGORITHM, check_form
from navette_psc_auth.domain.logout_token import LogoutOrder, read_logout_claims
from navette_psc_auth.domain.provider import Provider
from navette_psc_auth.settings import PscAuthSettings

_REGISTRY = JWSRegistry(algorithms=[ALGORITHM], strict_check_header=False)


class VerifyLogoutToken:
    """Reads logout tokens of one provider for one client."""

    def __init__(self, settings: PscAuthSettings, provider: Provider, clock: Clock) -> None:
        self._settings = settings
        self._provider = provider
        self._clock = clock

    async def __call__(self, token: str) -> LogoutOrder:
        """Return the order. Raises LogoutTokenRefused, ProviderUnavailable."""
        try:
            check_form(token)
        except LoginRefused as refused:
            raise LogoutTokenRefused(refused.check.removeprefix("id_token_")) from None
        claims = await self._signed_claims(token)
        return read_logout_claims(
            claims,
            issuer=self._settings.psc_issuer,
            client_id=self._settings.psc_client_id,
            now=self._clock.now(),
        )

    async def _signed_claims(self, token: str) -> Mapping[str, Any]:
        for force in (False, True):
            keys = await self._provider.keys(force=force)
            try:
                return jwt.decode(token, KeySet.import_key_set(dict(keys)), registry=_REGISTRY).claims  # type: ignore[arg-type]  # a JWKS object
            except InvalidKeyIdError:
                continue  # perhaps a key younger than our copy of the set
            except (JoseError, ValueError, TypeError, KeyError):
                raise LogoutTokenRefused("signature") from None
        raise LogoutTokenRefused("kid")
