"""Settings of the intake of reports from other systems."""

from __future__ import annotations

from typing import Self

from navette_chassis import ServiceSettings
from navette_chassis.settings import ExistingFile, is_loopback
from pydantic import Field, model_validator


class IntakeSettings(ServiceSettings):
    """`NAVETTE_INTAKE_*` variables. Durations are seconds, sizes bytes."""

    index_key: ExistingFile | None = None
    """File with the key (at least 32 bytes) under which patients are found by number without any being stored in
    clear. None: no report is taken in."""
    intake_port: int | None = Field(default=None, ge=0, le=65535)
    """Port of the MLLP listener; None: no listener."""
    intake_host: str = "127.0.0.1"
    intake_cert: ExistingFile | None = None
    intake_key: ExistingFile | None = None
    intake_ca: ExistingFile | None = None
    """Authorities of the senders' certificates: with it, a sender without one is not heard."""
    intake_senders_file: ExistingFile | None = None
    """JSON array of senders (`domain/intake/senders.py`), read again when it changes."""
    intake_max_message_bytes: int = Field(default=64 * 1024 * 1024, ge=1024)
    intake_max_connections: int = Field(default=32, ge=1)
    intake_idle_seconds: float = Field(default=3600.0, gt=0)
    intake_message_seconds: float = Field(default=60.0, gt=0)
    intake_keep_days: int = Field(default=90, ge=1)
    """How long a message that asks nothing of anybody is kept; what waits stays until somebody decides."""
    intake_group_messages: int = Field(default=256, ge=1, le=1000)
    """Messages written in one transaction at most."""
    intake_group_bytes: int = Field(default=16 * 1024 * 1024, ge=1024)
    """Bytes written in one transaction at most; a larger message goes alone."""
    intake_poll_seconds: float = Field(default=1.0, gt=0)
    """How often stored messages are looked for by a process that did not receive them."""

    @model_validator(mode="after")
    def _intake_files(self) -> Self:
        if (self.intake_cert is None) != (self.intake_key is None):
            raise ValueError("intake_cert and intake_key go together")
        if self.intake_ca is not None and self.intake_cert is None:
            raise ValueError("intake_ca asks senders for certificates: it needs intake_cert and intake_key")
        if self.intake_port is not None and self.index_key is None:
            raise ValueError("intake_port needs index_key")
        return self

    def production_problems(self) -> list[str]:
        """What would be unsafe in production."""
        problems = super().production_problems()
        open_link = self.intake_port is not None and not is_loopback(self.intake_host)
        if open_link and None in (self.intake_cert, self.intake_ca):
            problems.append(
                "intake_cert, intake_key and intake_ca are required in production unless intake_host is loopback"
            )
        return problems
