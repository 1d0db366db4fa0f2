"""Settings every service shares, read from ``NAVETTE_*`` environment variables.

Secrets and certificates are files (mounted, rotated without a restart); the environment only names
them. A combination that would be unsafe in production is refused when the object is built, so that a
service that starts is a service that may run (engineering.md §12-§13, anchors.md §2 habit 14).
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import (
    AfterValidator,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

#: Passwords that documentation, images and examples ship: never acceptable outside development.
DEFAULT_SECRETS = frozenset(
    {"", "admin", "azerty", "changeit", "changeme", "changethis", "default", "example", "guest", "mongo"}
    | {"navette", "password", "root", "secret", "test", "toor"}
)


def _existing_file(path: Path) -> Path:
    if not path.is_file():
        message = "file does not exist"
        raise ValueError(message)
    return path


#: A mounted file; its absence is told at boot, not at the first use.
ExistingFile = Annotated[Path, AfterValidator(_existing_file)]


class ServiceSettings(BaseSettings):
    """Base of each service's settings; a service subclasses it, sets ``service_name`` and adds fields.

    Durations are seconds, sizes are bytes. Raises ``pydantic.ValidationError`` (values hidden) on an
    unknown keyword, a missing file or an unsafe combination; ``describe_problems`` makes it readable.
    """

    model_config = SettingsConfigDict(
        env_prefix="NAVETTE_",
        env_ignore_empty=True,
        extra="forbid",
        hide_input_in_errors=True,
        validate_default=True,
    )

    #: Short name ("dmp", "psc-auth"): audience of internal tokens, part of group ids and database name.
    service_name: ClassVar[str] = "service"

    environment: Literal["development", "production"] = "production"

    kafka_bootstrap: str = Field(min_length=1)
    kafka_ca: ExistingFile | None = None
    kafka_cert: ExistingFile | None = None
    kafka_key: ExistingFile | None = None
    kafka_idempotent: bool = True
    #: Silence after which the broker gives a dead consumer's partitions to others (Kafka allows 6 to 1800 s).
    kafka_session_seconds: float = Field(default=10.0, ge=1, le=1800)
    #: Length of a long poll, milliseconds. Kafka answers as soon as there is something; Tansu looks only at the
    #: end, so the sandbox makes it short.
    kafka_fetch_wait_ms: int = Field(default=500, ge=1, le=10_000)

    mongo_uri_file: ExistingFile | None = None
    mongo_uri: SecretStr | None = None
    mongo_database: str = Field(default="", max_length=63)

    http_host: str = "0.0.0.0"  # noqa: S104 - a pod listens on its own address; TLS is what protects it
    http_port: int = Field(default=8080, ge=0, le=65535)
    http_cert: ExistingFile | None = None
    http_key: ExistingFile | None = None
    internal_ca: ExistingFile | None = None

    psc_auth_url: str
    #: Base URLs of the other services this one calls, by service name (JSON object in the environment).
    service_urls: dict[str, str] = Field(default_factory=dict)
    service_key: ExistingFile | None = None
    keyring: ExistingFile | None = None
    sites_file: ExistingFile | None = None

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    otlp_endpoint: str | None = None

    max_body_bytes: int = Field(default=1_048_576, gt=0)
    #: The same for the routes that take documents (``Service.takes_documents``).
    max_document_body_bytes: int = Field(default=32 * 1024 * 1024, gt=0)
    delivery_lease_seconds: float = Field(default=60.0, gt=0)
    delivery_poll_seconds: float = Field(default=1.0, gt=0)
    outbox_poll_seconds: float = Field(default=0.5, gt=0)
    lease_ttl_seconds: float = Field(default=10.0, gt=0)
    #: How long a stop may wait for work in flight before it is cancelled and released.
    graceful_stop_seconds: float = Field(default=15.0, gt=0)

    @model_validator(mode="after")
    def _complete_and_check(self) -> Self:
        if not self.mongo_database:
            self.mongo_database = "navette_" + self.service_name.replace("-", "_")
        problems = list(self._pair_problems())
        if self.environment == "production":
            problems += self.production_problems()
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _pair_problems(self) -> list[str]:
        problems = []
        for cert, key in (("http_cert", "http_key"), ("kafka_cert", "kafka_key")):
            if (getattr(self, cert) is None) != (getattr(self, key) is None):
                problems.append(f"{cert} and {key} go together")
        if (self.mongo_uri is None) == (self.mongo_uri_file is None):
            problems.append("exactly one of mongo_uri_file and mongo_uri is required")
        for name, url in [("psc_auth_url", self.psc_auth_url), *self._service_url_items()]:
            if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
                problems.append(f"{name} must be an http(s) URL")
        return problems

    def production_problems(self) -> list[str]:
        """What would be unsafe in production, one sentence each; a service may override and extend."""
        problems = []
        if self.log_level == "DEBUG":
            problems.append("log_level DEBUG is refused in production: libraries log payloads there")
        if self.http_cert is None:
            problems.append("http_cert and http_key are required in production")
        if self.internal_ca is None:
            problems.append("internal_ca is required in production")
        if self.kafka_ca is None:
            problems.append("kafka_ca is required in production: no plaintext broker connection")
        if not self.kafka_idempotent:
            problems.append("kafka_idempotent=false is refused in production")
        if self.service_key is None and self.service_urls:
            problems.append("service_key is required in production by a service that calls others")
        if self.keyring is not None and b"published-test" in self.keyring.read_bytes():
            problems.append("keyring holds the published keys of the examples: anybody can open what they seal")
        if self.service_key is not None and self.keyring is not None and self.service_key == self.keyring:
            problems.append("service_key and keyring must be different files")
        for name, url in [("psc_auth_url", self.psc_auth_url), *self._service_url_items()]:
            if urlsplit(url).scheme != "https":
                problems.append(f"{name} must be https in production")
        if self.otlp_endpoint is not None and not _encrypted_or_local(self.otlp_endpoint):
            problems.append("otlp_endpoint must be https (or loopback) in production")
        return problems + self._mongo_problems()

    def _mongo_problems(self) -> list[str]:
        if (self.mongo_uri is None) == (self.mongo_uri_file is None):
            return []
        uri = _MongoUri(self.mongo_connection())
        problems = []
        if not uri.tls and not uri.loopback:
            problems.append("the MongoDB connection is unsafe in production: no TLS and not loopback")
        if uri.password is not None and uri.password.lower() in DEFAULT_SECRETS:
            problems.append("the MongoDB password is empty or a well-known default")
        if uri.password is not None and self.mongo_uri is not None:
            problems.append("a MongoDB password belongs in mongo_uri_file, not in the environment")
        return problems

    def _service_url_items(self) -> list[tuple[str, str]]:
        return [(f"service_urls.{name}", url) for name, url in self.service_urls.items()]

    def mongo_connection(self) -> str:
        """The MongoDB connection string, read now: a rotated file counts at the next connection."""
        if self.mongo_uri_file is not None:
            return self.mongo_uri_file.read_text(encoding="utf-8").strip()
        return self.mongo_uri.get_secret_value() if self.mongo_uri is not None else ""

    def url_of(self, service: str) -> str:
        """Base URL of another service, without trailing slash; ``LookupError`` if not configured."""
        if service in self.service_urls:
            return self.service_urls[service].rstrip("/")
        if service == "psc-auth":
            return self.psc_auth_url.rstrip("/")
        message = f"service_urls does not name {service}"
        raise LookupError(message)


class _MongoUri:
    """The three facts of a connection string that decide whether it is safe (no DNS, no driver)."""

    def __init__(self, uri: str) -> None:
        parts = urlsplit(uri)
        credentials, _, hosts = parts.netloc.rpartition("@")
        options = {name.lower(): values[-1].lower() for name, values in parse_qs(parts.query).items()}
        self.password: str | None = unquote(credentials.partition(":")[2]) if credentials else None
        explicit = options.get("tls", options.get("ssl"))
        self.tls: bool = explicit == "true" or (explicit is None and parts.scheme == "mongodb+srv")
        if options.get("tlsinsecure") == "true" or options.get("tlsallowinvalidcertificates") == "true":
            self.tls = False
        self.loopback: bool = all(is_loopback(_host(one)) for one in hosts.split(","))


def _host(host_and_port: str) -> str:
    if host_and_port.startswith("["):
        return host_and_port[1:].partition("]")[0]
    return host_and_port.partition(":")[0]


def _encrypted_or_local(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" or is_loopback(parts.hostname or "")


def is_loopback(host: str) -> bool:
    """True for ``localhost`` and the loopback addresses; a name is never resolved."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def describe_problems(error: ValidationError) -> list[str]:
    """One sentence per problem, naming the variable and the rule, never the value."""
    sentences = []
    for problem in error.errors(include_input=False, include_url=False, include_context=False):
        field = "_".join(str(part) for part in problem["loc"][:1])
        rule = problem["msg"].removeprefix("Value error, ")
        if field:
            sentences.append(f"NAVETTE_{field.upper()}: {rule}")
        else:
            sentences += rule.split("; ")
    return sentences
