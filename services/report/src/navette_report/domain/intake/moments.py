"""Moments as other systems write them, those that cannot be left out."""

from __future__ import annotations

from datetime import datetime, tzinfo

from navette_documents.errors import InvalidValue
from navette_documents.hl7dates import parse_ts

from navette_report.domain.fields import is_within_reach


def moment_of(text: str, zone: tzinfo) -> datetime | None:
    """The moment, None when it is no date or one that no examination can have."""
    try:
        moment = parse_ts(text, default_zone=zone)
    except InvalidValue:
        return None
    # Systems write 00010101 or 99991231 for "not known".
    return moment if is_within_reach(moment) else None
