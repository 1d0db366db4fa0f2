"""Settings of the ins service, beside those every service has."""

from __future__ import annotations

from typing import ClassVar, Literal, Self
from urllib.parse import urlsplit

from navette_chassis.settings import ExistingFile
from pydantic import Field, model_validator

from navette_ins.domain.policy import Policy, load_policy
from navette_ins.pam_settings import PamSettings


class InsSettings(PamSettings):
    """`NAVETTE_*` variables of this service. Durations are seconds."""

    service_name: ClassVar[str] = "ins"

    insi_url: str = Field(min_length=1)
    """The one URL of the teleservice (mutual TLS)."""
    insi_ca: ExistingFile
    """IGC-Santé chain of its server certificate."""
    insi_client_cert: ExistingFile
    """Software certificate ORG AUTH_CLI of calls made by a person; CN INSI-MANU."""
    insi_client_key: ExistingFile
    insi_auto_cert: ExistingFile | None = None
    """Software certificate of unattended verification; CN INSI-AUTO. None: no unattended verification."""
    insi_auto_key: ExistingFile | None = None
    insi_auth: Literal["certificate", "psc"] = "certificate"
    """How a person's calls are authenticated. "psc" is unverified: see domain/insi/assertion.py."""
    insi_psc_url: str | None = None
    """URL of the teleservice for calls with an assertion (TLS of the server only)."""
    insi_psc_issuer: str | None = None
    insi_billing_number: str | None = Field(default=None, pattern=r"^[0-9]{9}$|^[0-9]{14}$")
    """identifiantFacturation: FINESS géographique of the establishment, else its SIRET."""
    insi_specialty: str | None = Field(default=None, pattern=r"^[0-9]{2}$")
    """codeSpecialiteAMO of the radiologists."""
    insi_card_assertion: Literal["reader", "none"] = "reader"
    """Whether a reading of a carte Vitale must come with the assertion that the reader built from it."""
    app_readers_file: ExistingFile | None = None
    """JWK set of the public keys of the readers of the Appli carte Vitale. None: no reading is taken."""
    insi_idam_file: ExistingFile
    """File with the CNDA authorisation number of the software."""
    index_key: ExistingFile
    """File with the key (at least 32 bytes) under which a matricule can be found without being stored in clear."""
    identity_policy_file: ExistingFile | None = None
    """JSON of what each site decides: proofs and their confidence, automatic validation, rights. None: the defaults."""
    cog_file: ExistingFile | None = None
    """List of communes and countries (INSEE CSV or JSON array with codes). None: the communes the service carries."""
    time_zone: str = Field(default="Europe/Paris", pattern=r"^[A-Za-z_]+(/[A-Za-z_]+)*$")
    """Where the days of the worklists begin and end."""
    lps_name: str = Field(default="Navette", pattern=r"^[^:\s]+$")
    lps_version: str = Field(default="0.1.0", pattern=r"^[^:\s]+$")
    lps_instance: str = Field(pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")
    """UUID of this installation."""
    insi_verification: Literal["none", "sandbox"] = "none"
    """How identities are verified. "sandbox": against the double of this project, in development only; the messages of
    WS_INS3 to WS_INS5 come with an editor's account."""
    insi_verification_url: str | None = None
    """Where the double listens, without a path."""
    insi_verification_period_days: int = Field(default=1826, ge=1)
    """An INS is verified this long after its last positive recovery or verification."""
    insi_verification_lot_size: int = Field(default=5_000, ge=1, le=5_000)
    insi_verification_round_seconds: float = Field(default=300.0, gt=0)
    """Time between two rounds of the scheduler."""
    insi_connect_seconds: float = Field(default=5.0, gt=0)
    insi_read_seconds: float = Field(default=20.0, gt=0)
    insi_max_in_flight: int = Field(default=4, ge=1, le=32)
    insi_retry_first_seconds: float = Field(default=30.0, gt=0)
    insi_again_seconds: float = Field(default=2.0, ge=0)
    """Wait before the one immediate second call after a technical fault or a network error."""
    insi_breaker_failures: int = Field(default=5, ge=1)
    """Attempts in a row that nobody answered before calls stop."""
    insi_breaker_open_seconds: float = Field(default=60.0, gt=0)
    """Time without calls before one is let through to see."""

    def production_problems(self) -> list[str]:
        """What would be unsafe in production."""
        problems = super().production_problems()
        if urlsplit(self.insi_url).scheme != "https":
            problems.append("insi_url must be https in production")
        if self.insi_psc_url is not None and urlsplit(self.insi_psc_url).scheme != "https":
            problems.append("insi_psc_url must be https in production")
        if self.insi_verification == "sandbox":
            problems.append("insi_verification sandbox speaks to a double: none in production")
        if self.keyring is None:
            problems.append("keyring is required in production")
        return problems

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.insi_auto_cert is None) != (self.insi_auto_key is None):
            raise ValueError("insi_auto_cert and insi_auto_key go together")
        if self.insi_verification == "sandbox" and self.insi_verification_url is None:
            raise ValueError("insi_verification sandbox needs insi_verification_url")
        needed = (self.insi_psc_url, self.insi_psc_issuer, self.insi_billing_number)
        if self.insi_auth == "psc" and None in needed:
            raise ValueError("insi_auth psc needs insi_psc_url, insi_psc_issuer and insi_billing_number")
        return self

    def policy(self) -> Policy:
        """What the sites decide about identities. Raises pydantic.ValidationError for a file that is not one."""
        return Policy() if self.identity_policy_file is None else load_policy(self.identity_policy_file.read_bytes())

    def blind_index_key(self) -> bytes:
        """The key of the blind index. Raises ValueError when it is too short to protect anything."""
        key = self.index_key.read_bytes().strip()
        if len(key) < 32:
            raise ValueError("index_key: at least 32 bytes")
        return key

    def idam(self) -> str:
        """The CNDA authorisation number."""
        return self.insi_idam_file.read_text(encoding="utf-8").strip()
