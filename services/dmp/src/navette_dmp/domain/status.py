"""States of a publication as this service remembers them, after the delivery itself is gone."""

from __future__ import annotations

from enum import StrEnum


class PublicationStatus(StrEnum):
    """Where a document version stands with the DMP."""

    SCHEDULED = "scheduled"
    PUBLISHED = "published"
    WITHDRAWN = "withdrawn"
    """Deleted there at our request."""
    REJECTED = "rejected"
    """Refused, given up or cancelled."""
