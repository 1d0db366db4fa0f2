"""Settings of psc-auth, beside those every service has."""

from datetime import timedelta
from typing import ClassVar, Literal, Self
from urllib.parse import urlsplit

from navette_chassis import ServiceSettings
from navette_chassis.settings import ExistingFile
from pydantic import Field, model_validator

from navette_psc_auth.domain.session import SessionLimits


class PscAuthSettings(ServiceSettings):
    """Everything psc-auth needs to know; refused when incomplete or, in production, unsafe."""

    service_name: ClassVar[str] = "psc-auth"

    #: Address the browser uses, without trailing slash; redirect URIs are built on it.
    public_url: str

    #: Issuer of Pro Santé Connect, exactly as its discovery document and its tokens write it.
    psc_issuer: str
    #: Not the standard path: Pro Santé Connect has its own (spec/psc.md §2).
    psc_discovery_path: str = "/.well-known/wallet-openid-configuration"
    psc_client_id: str = Field(min_length=1)
    psc_auth_method: Literal["tls_client_auth", "client_secret_basic"] = "tls_client_auth"
    psc_client_secret_file: ExistingFile | None = None
    psc_client_cert: ExistingFile | None = None
    psc_client_key: ExistingFile | None = None
    #: Authorities trusted for Pro Santé Connect; those of the system when absent.
    psc_ca: ExistingFile | None = None
    psc_allowed_acr: list[str] = Field(default=["eidas1", "eidas2", "eidas3"], min_length=1)
    psc_timeout_seconds: float = Field(default=10.0, gt=0, le=30)
    #: A session in use asks Pro Santé Connect this often whether it still lives there.
    psc_refresh_seconds: float = Field(default=900.0, ge=60, le=1500)

    #: Savoir-faire codes that make a physician a radiologist (spec/psc.md §7, cda.md §4.3; follows the JDV).
    imaging_skills: list[str] = Field(default=["SM44", "SM74", "SM94", "SM55", "SCH55", "SM28", "SCH41", "C69"])

    session_max_seconds: int = Field(default=4 * 3600, gt=0, le=4 * 3600)
    session_idle_seconds: int = Field(default=30 * 60, gt=0, le=30 * 60)

    #: Private ES256 keys of internal tokens: {"current": kid, "keys": [JWK, …]}.
    signing_keys: ExistingFile
    #: Public keys of the services: {"services": {"dmp": {"keys": [JWK, …]}, …}}.
    service_keys: ExistingFile | None = None
    #: Which service may ask for a token for which others.
    service_audiences: dict[str, list[str]] = Field(default={"dmp": ["report"], "mss": ["report"]})
    #: Accounts and roles: [{"rpps", "name", "roles": [{"site_id", "role"}]}].
    accounts_file: ExistingFile | None = None

    #: Base URL of each service behind the gateway.
    upstreams: dict[str, str] = Field(default_factory=dict)
    upstream_timeout_seconds: float = Field(default=30.0, gt=0)
    #: A stream of events is cut after this time and resumed by the browser, so that rights are looked at again.
    stream_max_seconds: float = Field(default=300.0, gt=0)
    #: How often an open stream asks whether its session was ended: a logout ends it within this time.
    stream_check_seconds: float = Field(default=2.0, gt=0)

    default_return_to: str = "/api/report/pages/journey"
    return_to_prefixes: list[str] = Field(default=["/api/report/pages/"])

    @model_validator(mode="after")
    def _provider_is_complete(self) -> Self:
        if self.keyring is None:
            raise ValueError("keyring is required: tokens of Pro Santé Connect are stored sealed")
        if self.psc_auth_method == "client_secret_basic" and self.psc_client_secret_file is None:
            raise ValueError("psc_client_secret_file is required by client_secret_basic")
        if self.psc_auth_method == "tls_client_auth" and self.psc_client_cert is None:
            raise ValueError("psc_client_cert is required by tls_client_auth")
        if (self.psc_client_cert is None) != (self.psc_client_key is None):
            raise ValueError("psc_client_cert and psc_client_key go together")
        if not self.psc_discovery_path.startswith("/"):
            raise ValueError("psc_discovery_path must begin with a slash")
        urls = {"public_url": self.public_url, "psc_issuer": self.psc_issuer}
        for name, url in {**urls, **{f"upstreams.{k}": v for k, v in self.upstreams.items()}}.items():
            if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
                raise ValueError(f"{name} must be an http(s) URL")
        if urlsplit(self.psc_issuer).scheme != "https":
            raise ValueError("psc_issuer must be https")
        return self

    def production_problems(self) -> list[str]:
        """What would be unsafe in production, one sentence each."""
        problems = super().production_problems()
        if urlsplit(self.public_url).scheme != "https":
            problems.append("public_url must be https in production")
        problems += [
            f"upstreams.{name} must be https in production"
            for name, url in self.upstreams.items()
            if urlsplit(url).scheme != "https"
        ]
        return problems

    @property
    def limits(self) -> SessionLimits:
        """How long a session may live."""
        return SessionLimits(
            absolute=timedelta(seconds=self.session_max_seconds),
            idle=timedelta(seconds=self.session_idle_seconds),
        )

    @property
    def redirect_uri(self) -> str:
        """Where Pro Santé Connect sends the browser back: one, never chosen by a request."""
        return self.public_url.rstrip("/") + "/auth/psc/callback"

    @property
    def post_logout_redirect_uri(self) -> str:
        """Where Pro Santé Connect sends the browser after a logout."""
        return self.public_url.rstrip("/") + "/auth/psc/logged-out"

    @property
    def token_endpoint(self) -> str:
        """Audience of the assertions of services (RFC 7523)."""
        return self.psc_auth_url.rstrip("/") + "/internal/tokens"
