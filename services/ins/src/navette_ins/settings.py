"""Settings of the ins service, beside those every service has."""

from __future__ import annotations

from typing import ClassVar
from urllib.parse import urlsplit

from navette_chassis import ServiceSettings
from navette_chassis.settings import ExistingFile
from pydantic import Field


class InsSettings(ServiceSettings):
    """`NAVETTE_*` variables of this service. Durations are seconds."""

    service_name: ClassVar[str] = "ins"

    insi_url: str = Field(min_length=1)
    """The one URL of the teleservice (mutual TLS)."""
    insi_ca: ExistingFile
    """IGC-Santé chain of its server certificate."""
    insi_client_cert: ExistingFile
    """Software certificate ORG AUTH_CLI; CN INSI-MANU or INSI-AUTO."""
    insi_client_key: ExistingFile
    insi_idam_file: ExistingFile
    """File with the CNDA authorisation number of the software."""
    index_key: ExistingFile
    """File with the key (at least 32 bytes) under which a matricule can be found without being stored in clear."""
    lps_name: str = Field(default="Navette", pattern=r"^[^:\s]+$")
    lps_version: str = Field(default="0.1.0", pattern=r"^[^:\s]+$")
    lps_instance: str = Field(pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")
    """UUID of this installation."""
    insi_connect_seconds: float = Field(default=5.0, gt=0)
    insi_read_seconds: float = Field(default=20.0, gt=0)
    insi_max_in_flight: int = Field(default=4, ge=1, le=32)
    insi_retry_first_seconds: float = Field(default=30.0, gt=0)

    def production_problems(self) -> list[str]:
        """What would be unsafe in production."""
        problems = super().production_problems()
        if urlsplit(self.insi_url).scheme != "https":
            problems.append("insi_url must be https in production")
        if self.keyring is None:
            problems.append("keyring is required in production")
        return problems

    def blind_index_key(self) -> bytes:
        """The key of the blind index. Raises ValueError when it is too short to protect anything."""
        key = self.index_key.read_bytes().strip()
        if len(key) < 32:
            raise ValueError("index_key: at least 32 bytes")
        return key

    def idam(self) -> str:
        """The CNDA authorisation number."""
        return self.insi_idam_file.read_text(encoding="utf-8").strip()
