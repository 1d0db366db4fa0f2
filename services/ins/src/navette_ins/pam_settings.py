"""Settings of the HL7 v2 links: who may send identities, who is told of them."""

from __future__ import annotations

from typing import Self

from navette_chassis import ServiceSettings
from navette_chassis.settings import ExistingFile, is_loopback
from pydantic import Field, model_validator

from navette_ins.domain.pam.destinations import load_systems


class PamSettings(ServiceSettings):
    """`NAVETTE_PAM_*` variables. Durations are seconds, sizes bytes."""

    pam_port: int | None = Field(default=None, ge=0, le=65535)
    """Port of the MLLP listener; None: no listener."""
    pam_host: str = "127.0.0.1"
    pam_cert: ExistingFile | None = None
    pam_key: ExistingFile | None = None
    pam_ca: ExistingFile | None = None
    """Authorities of the senders' certificates: with it, a sender without one is not heard."""
    pam_senders_file: ExistingFile | None = None
    """JSON array of senders (`domain/pam/senders.py`), read again when it changes."""
    pam_systems_file: ExistingFile | None = None
    """JSON array of systems to tell (`domain/pam/destinations.py`), read at start."""
    pam_max_message_bytes: int = Field(default=1024 * 1024, ge=1024)
    pam_max_connections: int = Field(default=32, ge=1)
    pam_idle_seconds: float = Field(default=3600.0, gt=0)
    pam_message_seconds: float = Field(default=60.0, gt=0)
    pam_keep_days: int = Field(default=90, ge=1)
    """How long a message that asks nothing of anybody is kept; refused ones stay until they are replayed."""
    pam_retry_first_seconds: float = Field(default=60.0, gt=0)

    @model_validator(mode="after")
    def _links(self) -> Self:
        if (self.pam_cert is None) != (self.pam_key is None):
            raise ValueError("pam_cert and pam_key go together")
        if self.pam_ca is not None and self.pam_cert is None:
            raise ValueError("pam_ca asks senders for certificates: it needs pam_cert and pam_key")
        return self

    def production_problems(self) -> list[str]:
        """What would be unsafe in production."""
        problems = super().production_problems()
        if self.pam_port is not None and not is_loopback(self.pam_host) and None in (self.pam_cert, self.pam_ca):
            problems.append("pam_cert, pam_key and pam_ca are required in production unless pam_host is loopback")
        systems = () if self.pam_systems_file is None else load_systems(self.pam_systems_file.read_bytes())
        problems += [
            f"pam_systems_file: {one.name} needs ca, cert and key in production unless its host is loopback"
            for one in systems
            if one.cert is None and not is_loopback(one.host)
        ]
        return problems
