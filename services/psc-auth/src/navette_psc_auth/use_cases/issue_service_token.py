"""Give a service a short token for another service, against an assertion signed by its own key (RFC 7523)."""

import base64
import binascii
import json
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from navette_chassis import Service, UnitOfWork, uuid7
from pymongo.errors import DuplicateKeyError

from navette_psc_auth.adapters.keys import ServiceKeys, SigningKeys
from navette_psc_auth.adapters.store import USED
from navette_psc_auth.domain.errors import AssertionRefused
from navette_psc_auth.domain.internal_token import ServiceAssertion, read_assertion, service_claims
from navette_psc_auth.settings import PscAuthSettings

_ALGORITHM = "ES256"
_MAX_LENGTH = 4096


class IssueServiceToken:
    """Verifies assertions and signs tokens."""

    def __init__(
        self, service: Service, settings: PscAuthSettings, signing_keys: SigningKeys, service_keys: ServiceKeys | None
    ) -> None:
        self._service = service
        self._settings = settings
        self._signing_keys = signing_keys
        self._service_keys = service_keys

    async def __call__(self, assertion: str, audience: str) -> str:
        """Return an internal token for `audience`. Raises AssertionRefused naming the check that failed."""
        proven = self._verify(assertion)
        if audience not in self._settings.service_audiences.get(proven.service, ()):
            raise AssertionRefused("audience_not_allowed")
        await self._service.transact(use_once, proven)
        now = self._service.clock.now()
        return self._signing_keys.sign(
            service_claims(service=proven.service, audience=audience, jti=str(uuid7()), now=now)
        )

    def _verify(self, assertion: str) -> ServiceAssertion:
        header = _header(assertion)
        if header.get("alg") != _ALGORITHM:
            raise AssertionRefused("algorithm")
        kid = header.get("kid")
        known = self._service_keys.find(kid) if self._service_keys is not None and isinstance(kid, str) else None
        if known is None:
            raise AssertionRefused("unknown_key")
        service, key = known
        try:
            claims = jwt.decode(assertion, key, algorithms=[_ALGORITHM]).claims
        except (JoseError, ValueError):
            raise AssertionRefused("signature") from None
        return read_assertion(
            claims, service=service, endpoint=self._settings.token_endpoint, now=self._service.clock.now()
        )


async def use_once(uow: UnitOfWork, assertion: ServiceAssertion) -> None:
    """Note the assertion's id. AssertionRefused when it was used before."""
    identifier = f"assertion:{assertion.service}:{assertion.jti}"
    try:
        await uow.collection(USED).insert_one({"_id": identifier, "expires_at": assertion.expires_at})
    except DuplicateKeyError:
        raise AssertionRefused("replayed") from None


def _header(token: str) -> dict[str, Any]:
    if len(token) > _MAX_LENGTH or token.count(".") != 2:
        raise AssertionRefused("form")
    encoded = token.partition(".")[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    except (ValueError, binascii.Error):
        raise AssertionRefused("form") from None
    if not isinstance(header, dict):
        raise AssertionRefused("form")
    return header
