"""Settings of the report service, beside those every service has."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from navette_chassis.settings import ExistingFile
from pydantic import Field, field_validator

from navette_report.adapters.ans_kit import KitUnusable, check_usable
from navette_report.intake_settings import IntakeSettings
from navette_report.pfi_settings import PfiSettings

PATIENT_NOTICE = (
    "Les données de ce compte rendu sont traitées par le centre d'imagerie et conservées dans votre dossier "
    "médical. Sauf motif légitime, il est déposé dans votre dossier médical partagé (Mon espace santé). Vous "
    "pouvez exercer vos droits d'accès, de rectification et d'opposition auprès du centre d'imagerie."
)


class ReportSettings(IntakeSettings, PfiSettings):
    """`NAVETTE_*` variables of this service."""

    service_name: ClassVar[str] = "report"

    timezone: str = "Europe/Paris"
    """Local time of the documents (IANA name)."""
    document_notice: str = Field(default=PATIENT_NOTICE, min_length=1, max_length=600)
    """Information of patients at the foot of every report (RIS.DOC.06)."""
    report_models_file: ExistingFile | None = None
    """JSON array of report models: [{"name", "label", "site_id", "acts", "texts", "choices"}]."""
    review_days: int = Field(default=30, ge=1, le=366)
    """How far back the list of reports to review goes unless the caller says otherwise (RIS.CRR.05)."""
    reminder_hours: float = Field(default=48.0, gt=0, le=24 * 366)
    """Age past which an unvalidated report is late and its readers are reminded (RIS.CRR.06)."""
    portability_days: int = Field(default=365, ge=1, le=366 * 50)
    """Depth of a portability export unless the caller says otherwise (PORT.01)."""
    ans_kit_dir: Path | None = None
    """Folder of the ANS conformance kit; its rules then run on every document, and what fails is held."""
    compose_threads: int = Field(default=2, ge=1, le=16)

    def required_sites_file(self) -> Path:
        """The file of sites. Raises LookupError when none is configured: no document has a letterhead then."""
        if self.sites_file is None:
            raise LookupError("no sites file is configured: NAVETTE_SITES_FILE")
        return self.sites_file

    @field_validator("ans_kit_dir")
    @classmethod
    def _kit_can_run(cls, value: Path | None) -> Path | None:
        if value is not None:
            try:
                check_usable(value)
            except KitUnusable as unusable:
                raise ValueError(str(unusable)) from None
        return value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError("unknown time zone") from None
        return value
