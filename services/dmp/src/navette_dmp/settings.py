"""Settings of the service, beside those every service has (`NAVETTE_` prefix)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self
from urllib.parse import urlsplit

from navette_chassis import ServiceSettings, SystemClock
from navette_chassis.settings import ExistingFile
from navette_documents.errors import InvalidValue
from navette_documents.identifiers import parse_oid
from navette_documents.sites import load_sites
from pydantic import AfterValidator, Field, ValidationError, field_validator, model_validator

from navette_dmp.adapters.seal_files import SealFiles, check_same_structure
from navette_dmp.domain.lot_signature import LotDigest

Oid = Annotated[str, AfterValidator(parse_oid)]


class DmpSettings(ServiceSettings):
    """Where the DMP is, with which certificates, and what its public documents leave open."""

    service_name: ClassVar[str] = "dmp"

    sites_file: ExistingFile

    dmp_url: str
    """Base of the services, such as https://…/si-dmp-server/v2/services."""
    dmp_ca: ExistingFile
    """Authorities trusted for the server of the DMP."""
    dmp_auth_cert: ExistingFile
    """Organisation certificate of usage authentification client (ORG AUTH_CLI), leaf first."""
    dmp_auth_key: ExistingFile
    dmp_sign_cert: ExistingFile
    """Organisation certificate of usage cachet (ORG SIGN)."""
    dmp_sign_key: ExistingFile
    dmp_homologation_file: ExistingFile
    """File with the homologation number, a secret."""
    dmp_source_id: Oid
    """sourceId of the lots: OID unique to this installation."""
    dmp_software_name: str = "Navette"
    dmp_software_version: str = "0.1.0"
    dmp_installation_id: Oid | None = None
    """LPS_ID of the VIHF, left out when empty."""

    dmp_vihf_version: str = "3.0"
    dmp_vihf_mode_attribute: Literal["Authentification_mode", "Authentification_Mode"] = "Authentification_mode"
    dmp_authn_context: str = "urn:oasis:names:tc:SAML:2.0:ac:classes:MobileTwoFactorUnregistered"
    """How radiologists log in (Pro Santé Connect), a SAML 2.0 authentication context class."""
    dmp_structure: Literal["certificate", "site"] = "certificate"
    """Whose Struct_IdNat the VIHF carries: that of the certificate, or the geographic one of the site."""
    dmp_lot_signature: Literal["sha256", "sha1", "off"] = "sha256"
    dmp_secret_connection: str | None = Field(default=None, min_length=1, max_length=200)
    """Value of the VIHF attribute for a connexion secrète (minors), as the national platform gives it (its format is
    in no public document: spec/dmp.md §4.2). None: the function is off, and a report that asks for it is not sent."""
    dmp_class_code: Literal["10", "31"] = "10"

    dmp_max_document_bytes: int = Field(default=20_000_000, gt=0)
    dmp_connect_seconds: float = Field(default=10.0, gt=0)
    dmp_read_seconds: float = Field(default=60.0, gt=0)
    dmp_max_in_flight: int = Field(default=4, ge=1)
    dmp_rate_per_second: float | None = Field(default=None, gt=0)
    dmp_first_retry_seconds: float = Field(default=30.0, gt=0)
    dmp_probe_seconds: float = Field(default=5.0, gt=0)
    """First delay between two probes of a DMP that is down."""

    @field_validator("dmp_url")
    @classmethod
    def _https_only(cls, url: str) -> str:
        # Mutual TLS is what authenticates us: there is no plain mode, not even in development.
        if urlsplit(url).scheme != "https" or not urlsplit(url).hostname:
            message = "must be an https URL"
            raise ValueError(message)
        return url

    @model_validator(mode="after")
    def _usable(self) -> Self:
        """A seal that cannot sign is told at boot, not by the DMP to the first report."""
        problems = []
        if "report" not in self.service_urls:
            problems.append("service_urls must name report, where the documents are")
        try:
            seals = SealFiles(self.dmp_sign_cert, self.dmp_sign_key, SystemClock())
            check_same_structure(self.dmp_auth_cert, seals.current())
            load_sites(self.sites_file.read_bytes())
        except InvalidValue as refusal:
            problems.append(str(refusal))
        except ValidationError:
            problems.append("sites_file: not a JSON array of sites")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def lot_digest(self) -> LotDigest | None:
        """Hash of the lot signature, None when it is off."""
        return None if self.dmp_lot_signature == "off" else LotDigest(self.dmp_lot_signature)
