"""What one delivery of the channel dmp.publish is about. No identity in it: it is stored and logged by id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from navette_contracts.events import Audience, ReportComposed
from navette_documents.xds import Visibility
from pydantic import BaseModel, ConfigDict


class Publication(BaseModel):
    """One document version to publish."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    report_id: str
    version: int
    edition: int = 0
    """versionNumber of the document; 0 in what was scheduled before it was kept."""
    site_id: str
    document_id: str
    unique_id: str
    sha256: str
    size: int
    """Bytes."""
    replaces_unique_id: str | None
    hidden_from_professionals: bool
    hidden_from_patient: bool
    hidden_from_representatives: bool
    secret_connection: bool = False
    """False also in what was scheduled before there was this choice."""

    @classmethod
    def of(cls, event: ReportComposed) -> Self:
        """Publication of the document an event announces."""
        return cls(
            report_id=event.report_id,
            version=event.version,
            edition=event.document.version_number,
            site_id=event.site_id,
            document_id=event.document.document_id,
            unique_id=event.document.unique_id,
            sha256=event.document.cda_sha256,
            size=event.document.cda_size,
            replaces_unique_id=event.replaces_unique_id,
            hidden_from_professionals=event.visibility.hidden_from_professionals,
            hidden_from_patient=event.visibility.hidden_from_patient,
            hidden_from_representatives=event.visibility.hidden_from_representatives,
            secret_connection=event.visibility.secret_connection,
        )

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> Self:
        """Publication as it was scheduled."""
        return cls.model_validate(dict(payload))

    def to_payload(self) -> dict[str, Any]:
        """What the delivery stores."""
        return self.model_dump()

    @property
    def visibility(self) -> Visibility:
        """Masks the document is submitted with."""
        return Visibility(
            hidden_from_professionals=self.hidden_from_professionals,
            hidden_from_patient=self.hidden_from_patient,
            hidden_from_representatives=self.hidden_from_representatives,
        )


class Withdrawal(BaseModel):
    """A report to delete: the documents of it that the DMP may hold, newest first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    report_id: str
    version: int
    """The version that was withdrawn."""
    documents: tuple[Publication, ...]

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> Self:
        """Withdrawal as it was scheduled."""
        return cls.model_validate(dict(payload))

    def to_payload(self) -> dict[str, Any]:
        """What the delivery stores."""
        return self.model_dump(mode="json")


def concerns_dmp(event: ReportComposed) -> bool:
    """Whether this edition is meant for the DMP."""
    return Audience.DMP in event.audience
