"""Look at the activity of sites and professionals."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, tzinfo
from typing import Any

from navette_documents.sites import Site
from pymongo.asynchronous.database import AsyncDatabase

from navette_report.adapters.activity import deeds_of
from navette_report.domain.activity import Dashboard, DashboardBuilder, Span, spans


async def read_activity(
    database: AsyncDatabase[dict[str, Any]], sites: Mapping[str, Site], *, day: date, zone: tzinfo
) -> Dashboard:
    """The dashboard of these sites as of `day`: its month, its year, the year before (TBB.01 to TBB.03)."""
    covered = spans(day, zone)
    builder = DashboardBuilder(covered, [site.finess for site in sites.values()])
    whole = Span(min(one.start for one in covered.values()), max(one.end for one in covered.values()))
    async for deed in deeds_of(database, whole, sites):
        builder.add(deed)
    return builder.dashboard
