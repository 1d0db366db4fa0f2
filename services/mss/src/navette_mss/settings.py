"""Settings of the service, beside those every service shares."""

from __future__ import annotations

from typing import ClassVar, Literal

from navette_chassis.settings import ExistingFile, ServiceSettings
from pydantic import Field

SaslStep = Literal["none", "external", "external-authzid", "plain"]
"""What follows the client certificate, per operator: spec/mss.md §2.3 found no documented answer."""


class MssSettings(ServiceSettings):
    """`NAVETTE_…` variables. Durations are seconds, sizes bytes."""

    service_name: ClassVar[str] = "mss"

    #: Operator of the sending mailboxes (API LPS): submission by SMTP, notifications by IMAP, both with STARTTLS.
    smtp_host: str = Field(min_length=1)
    smtp_port: int = Field(default=587, ge=1, le=65535)
    imap_host: str = Field(min_length=1)
    imap_port: int = Field(default=143, ge=1, le=65535)
    #: Authorities of the operator's certificate (IGC-Santé), and our ORG AUTH_CLI certificate.
    operator_ca: ExistingFile
    mss_cert: ExistingFile
    mss_key: ExistingFile
    sasl: SaslStep = "external"
    sasl_password_file: ExistingFile | None = None
    #: 1.2 is the only version of wave 1; the current text says "1.2 at least" (spec/mss.md §2.2).
    tls_12_only: bool = False
    operator_timeout_seconds: float = Field(default=20.0, gt=0)
    #: How many mails may be on their way at once, and how long an idle connection is kept for the next one.
    operator_connections: int = Field(default=4, ge=1, le=32)
    operator_idle_seconds: float = Field(default=30.0, ge=0)

    annuaire_url: str = "https://gateway.api.esante.gouv.fr/fhir/v2"
    annuaire_key_file: ExistingFile
    annuaire_ca: ExistingFile | None = None
    annuaire_calls_per_second: float = Field(default=15.0, gt=0, le=17)
    annuaire_cache_seconds: float = Field(default=86_400, ge=0)

    #: Reference of the product at Convergence, on every mail (X-MSS-NIL).
    product_reference: str = Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")
    #: White list of recipient domains, `*` allowed.
    recipient_domains: tuple[str, ...] = ("*.mssante.fr",)
    patient_domain: str = Field(default="patient.mssante.fr", pattern=r"^[A-Za-z0-9.-]+$")
    #: Matricules under the test and demonstration OIDs may become patient addresses.
    accept_test_ins: bool = False
    max_message_bytes: int = Field(default=10_000_000, gt=0)

    #: How long after a transmission without answer a notification may still arrive before the mail is sent again.
    receipt_grace_seconds: float = Field(default=60.0, ge=0)
    receipt_poll_seconds: float = Field(default=10.0, gt=0)

    mss_rate_per_second: float | None = Field(default=None, gt=0)
    mss_first_retry_seconds: float = Field(default=30.0, gt=0)
    #: First delay before our mailbox is asked about a transmission without answer.
    mss_query_seconds: float = Field(default=5.0, gt=0)
    #: First delay between two probes of an operator that is down.
    mss_probe_seconds: float = Field(default=5.0, gt=0)

    def production_problems(self) -> list[str]:
        """What would be unsafe in production, beside what the chassis refuses."""
        problems = super().production_problems()
        if self.accept_test_ins:
            problems.append("accept_test_ins is refused in production: test matricules are nobody's mailbox")
        if not self.annuaire_url.startswith("https://"):
            problems.append("annuaire_url must be https in production")
        if "report" not in self.service_urls:
            problems.append("service_urls must name report, where the documents are")
        if self.sites_file is None:
            problems.append("sites_file is required")
        if not self.recipient_domains or any(pattern.strip("*.") == "" for pattern in self.recipient_domains):
            problems.append("recipient_domains must name domains, and not every domain")
        if self.sasl == "plain" and self.sasl_password_file is None:
            problems.append("sasl=plain needs sasl_password_file in production")
        return problems
