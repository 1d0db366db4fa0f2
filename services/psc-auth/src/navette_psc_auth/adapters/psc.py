"""Pro Santé Connect through Authlib, with everything Authlib leaves open closed (spec/psc.md §12.1, §13)."""

import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx2
import structlog
from authlib.integrations.base_client import OAuthError  # type: ignore[import-untyped]  # ships no types
from joserfc.errors import ExpiredTokenError, InvalidKeyIdError, JoseError
from navette_chassis import Clock
from navette_chassis.tls import FileWatch, TlsFiles

from navette_psc_auth.adapters.psc_app import PscApp
from navette_psc_auth.domain.discovery import discovery_problems
from navette_psc_auth.domain.errors import LoginRefused, ProviderMisconfigured, ProviderUnavailable
from navette_psc_auth.domain.id_token import (
    LEEWAY_SECONDS,
    check_claims,
    check_form,
    claims_options,
)
from navette_psc_auth.domain.provider import Authorization, Identity
from navette_psc_auth.settings import PscAuthSettings

log = structlog.get_logger("navette.psc_auth.provider")

_METADATA_LIFE = timedelta(hours=1)
_MAX_AUTH_AGE = timedelta(hours=4)
_MAX_ANSWER_BYTES = 512 * 1024


class PscProvider:
    """The real thing (or its double) over HTTPS. Certificates are read again when their files change."""

    def __init__(self, settings: PscAuthSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._files = TlsFiles("psc", ca=settings.psc_ca, cert=settings.psc_client_cert, key=settings.psc_client_key)
        secret = settings.psc_client_secret_file
        self._watch = FileWatch([*self._files.paths, *([secret] if secret is not None else [])])
        self._app: PscApp | None = None
        self._made_at = clock.now()
        self._metadata: Mapping[str, Any] = {}

    async def check(self) -> None:
        """Look at the discovery document at start: unreachable is survivable, contradictory is not in production."""
        try:
            await self._ready()
        except ProviderUnavailable as error:
            log.warning("psc.unreachable_at_start", code=error.reason)
        except ProviderMisconfigured as error:
            if self._settings.environment == "production":
                raise
            log.warning("psc.discovery_contradicts_settings", count=len(error.problems))

    async def authorize(self) -> Authorization:
        """See Provider."""
        app = await self._ready_or_unavailable()
        # Own values: Authlib's nonce has less than 128 bits.
        state, nonce = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        made = await app.create_authorization_url(self._settings.redirect_uri, state=state, nonce=nonce)
        return Authorization(made["url"], state, nonce, made["code_verifier"])

    async def advertises_iss(self) -> bool:
        """See Provider."""
        await self._ready_or_unavailable()
        return self._metadata.get("authorization_response_iss_parameter_supported") is True

    async def identify(self, code: str, code_verifier: str, nonce: str) -> Identity:
        """See Provider."""
        app = await self._ready_or_unavailable()
        try:
            # Once: a code is single use, a retry would make the provider revoke what it gave.
            tokens = await app.fetch_access_token(
                redirect_uri=self._settings.redirect_uri, code=code, code_verifier=code_verifier
            )
        except OAuthError:
            raise LoginRefused("code_exchange") from None
        except (httpx2.HTTPError, ValueError):
            raise ProviderUnavailable("token_endpoint") from None
        id_token = check_form(tokens.get("id_token"))
        claims = await self._claims(app, tokens, nonce)
        userinfo = await self._userinfo(app, tokens)
        if userinfo.get("sub") != claims["sub"]:
            raise LoginRefused("userinfo_sub")
        return Identity(claims, userinfo, id_token, tokens.get("refresh_token"))

    async def refresh(self, refresh_token: str, sub: str) -> Identity | None:
        """See Provider."""
        app = await self._ready_or_unavailable()
        try:
            tokens = await app.refresh(refresh_token)
        except OAuthError as error:
            if error.error == "invalid_grant":
                return None
            raise ProviderUnavailable("token_endpoint") from None
        except (httpx2.HTTPError, ValueError):
            raise ProviderUnavailable("token_endpoint") from None
        if "id_token" not in tokens:
            return Identity({"sub": sub}, {}, "", tokens.get("refresh_token"))
        id_token = check_form(tokens["id_token"])
        claims = await self._claims(app, tokens, None)
        if claims["sub"] != sub:
            raise LoginRefused("refreshed_sub")
        return Identity(claims, {}, id_token, tokens.get("refresh_token"))

    async def revoke(self, refresh_token: str) -> None:
        """See Provider."""
        app = await self._ready_or_unavailable()
        try:
            await app.revoke(refresh_token)
        except (httpx2.HTTPError, OAuthError, ValueError):
            raise ProviderUnavailable("revocation_endpoint") from None

    async def logout_url(self, id_token: str, state: str) -> str:
        """See Provider."""
        app = await self._ready_or_unavailable()
        made = await app.create_logout_url(
            post_logout_redirect_uri=self._settings.post_logout_redirect_uri,
            id_token_hint=id_token,
            state=state,
        )
        return str(made["url"])

    async def keys(self, *, force: bool = False) -> Mapping[str, Any]:
        """See Provider."""
        app = await self._ready_or_unavailable()
        try:
            keys: Mapping[str, Any] = await app.fetch_jwk_set(force=force)
        except (httpx2.HTTPError, ValueError):
            raise ProviderUnavailable("jwks") from None
        return keys

    async def _claims(self, app: PscApp, tokens: Mapping[str, Any], nonce: str | None) -> dict[str, Any]:
        settings = self._settings
        options = claims_options(settings.psc_issuer, settings.psc_client_id, settings.psc_allowed_acr)
        if nonce is None:
            # OpenID Connect Core §12.2: a refreshed ID token need not repeat the nonce.
            del options["nonce"]
        try:
            claims = await app.parse_id_token(tokens, nonce=nonce, claims_options=options, leeway=LEEWAY_SECONDS)
        except JoseError as error:
            raise LoginRefused(_check_of(error)) from None
        except httpx2.HTTPError:
            raise ProviderUnavailable("jwks") from None
        except (ValueError, TypeError, KeyError):
            raise LoginRefused("id_token_form") from None
        if claims is None:
            raise LoginRefused("id_token_missing")
        found = dict(claims)
        check_claims(found, now=self._clock.now(), max_age=_MAX_AUTH_AGE)
        return found

    async def _userinfo(self, app: PscApp, tokens: Mapping[str, Any]) -> dict[str, Any]:
        try:
            answer = await app.get_userinfo(tokens)
        except httpx2.HTTPError:
            raise ProviderUnavailable("userinfo_endpoint") from None
        if answer.status_code >= 500:
            raise ProviderUnavailable("userinfo_endpoint")
        if answer.status_code != 200:
            raise LoginRefused("userinfo_status")
        kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        # A signed or encrypted userinfo (application/jwt) was never agreed.
        if kind != "application/json" or len(answer.content) > _MAX_ANSWER_BYTES:
            raise LoginRefused("userinfo_form")
        try:
            userinfo = answer.json()
        except ValueError:
            raise LoginRefused("userinfo_form") from None
        if not isinstance(userinfo, dict):
            raise LoginRefused("userinfo_form")
        return userinfo

    async def _ready_or_unavailable(self) -> PscApp:
        try:
            return await self._ready()
        except ProviderMisconfigured as error:
            log.error("psc.discovery_contradicts_settings", count=len(error.problems))  # noqa: TRY400
            raise ProviderUnavailable("discovery_contradicts_settings") from None

    async def _ready(self) -> PscApp:
        stale = self._clock.now() - self._made_at >= _METADATA_LIFE
        if self._app is not None and not stale and not self._watch.changed():
            return self._app
        try:
            context = self._files.client_context()
        except OSError:
            if self._app is not None:
                return self._app  # half-written certificate: the old one serves until the pair is whole
            raise ProviderUnavailable("client_certificate") from None
        settings = self._settings
        secret = settings.psc_client_secret_file
        try:
            async with httpx2.AsyncClient(verify=context, timeout=settings.psc_timeout_seconds) as client:
                answer = await client.get(settings.psc_issuer + settings.psc_discovery_path)
                answer.raise_for_status()
                document = answer.json()
        except (httpx2.HTTPError, ValueError):
            if self._app is not None:
                return self._app  # the last good document; the endpoints themselves will say if they are down
            raise ProviderUnavailable("discovery") from None
        problems = discovery_problems(
            document if isinstance(document, dict) else {},
            issuer=settings.psc_issuer,
            auth_method=settings.psc_auth_method,
        )
        if problems:
            raise ProviderMisconfigured(problems)
        self._watch.accept()
        self._metadata, self._made_at = document, self._clock.now()
        self._app = PscApp.of(
            document,
            client_id=settings.psc_client_id,
            client_secret=None if secret is None else secret.read_text(encoding="utf-8").strip(),
            context=context,
            timeout=settings.psc_timeout_seconds,
        )
        return self._app


def _check_of(error: JoseError) -> str:
    """The name of the check an ID token failed."""
    if isinstance(error, ExpiredTokenError):
        return "id_token_exp"
    if isinstance(error, InvalidKeyIdError):
        return "id_token_kid"
    claim = getattr(error, "claim", None)
    return f"id_token_{claim}" if claim else f"id_token_{error.error}"
