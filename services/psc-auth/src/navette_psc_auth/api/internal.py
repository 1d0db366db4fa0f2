"""What services ask of psc-auth: keys to verify tokens with, and tokens to call each other."""

from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Form
from navette_chassis.auth import public
from navette_chassis.http import ApiModel
from navette_chassis.problem import ProblemError

from navette_psc_auth.adapters.keys import SigningKeys
from navette_psc_auth.domain.errors import AssertionRefused
from navette_psc_auth.domain.internal_token import TOKEN_LIFE
from navette_psc_auth.use_cases.issue_service_token import IssueServiceToken

log = structlog.get_logger("navette.psc_auth.internal")

_GRANT = "client_credentials"
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"  # RFC 7523 §2.2


class TokenView(ApiModel):
    """A token answer (RFC 6749 §5.1)."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105 - the kind of token
    expires_in: int


def internal_router(keys: SigningKeys, issue: IssueServiceToken) -> APIRouter:
    """JWKS and the token endpoint of services."""
    router = APIRouter()

    @router.get("/.well-known/jwks.json", dependencies=[public()])
    async def jwks() -> dict[str, Any]:
        return keys.public()

    @router.post("/internal/tokens", dependencies=[public()])
    async def tokens(
        client_assertion: Annotated[str, Form(max_length=4096)],
        audience: Annotated[str, Form(max_length=64)],
        grant_type: Annotated[str, Form(max_length=64)] = _GRANT,
        client_assertion_type: Annotated[str, Form(max_length=128)] = _ASSERTION_TYPE,
    ) -> TokenView:
        if grant_type != _GRANT or client_assertion_type != _ASSERTION_TYPE:
            raise ProblemError(400, "unsupported-grant", "Ce type de demande de jeton n’est pas admis.")
        try:
            token = await issue(client_assertion, audience)
        except AssertionRefused as refused:
            log.warning("internal.assertion_refused", code=refused.check)
            raise ProblemError(
                401, f"assertion-{refused.check.replace('_', '-')}", "Le service n’a pas prouvé qui il est."
            ) from None
        return TokenView(access_token=token, expires_in=int(TOKEN_LIFE.total_seconds()))

    return router
