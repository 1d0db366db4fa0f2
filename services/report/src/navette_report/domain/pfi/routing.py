"""Who carries one edition: the way a report first took is kept, whatever the file says since.

A replacement must reach the place that holds what it replaces: a platform refuses to replace a document it was never
given, and the DMP would hold two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from navette_contracts.events import Audience

from navette_report.domain.pfi.distribution import Distribution
from navette_report.domain.report import Report


def carriers(distribution: Distribution, report: Report, parties: Iterable[Audience]) -> Mapping[Audience, str]:
    """Platform by party; a party that Navette serves itself is not in it."""
    routes = distribution.routes(report.site_id)
    found: dict[Audience, str] = {}
    for party in parties:
        former = next((one for one in reversed(report.editions) if party in one.audience), None)
        name = routes.carrier(party) if former is None else former.carriers.get(party)
        if name is not None:
            found[party] = name
    return found


def apart(distribution: Distribution, report: Report, parties: Iterable[Audience]) -> frozenset[str]:
    """uniqueIds of the editions whose place a document made without the INS, for `parties`, must not take.

    A platform deletes and replaces the last document of a chain, under the identity that document carries. One that
    is in the DMP, or in the patient's mailbox, under the INS would be out of reach behind one that has none.
    """
    by = set(carriers(distribution, report, parties).values())
    under_ins = (Audience.DMP, Audience.PATIENT)
    return frozenset(
        edition.reference.unique_id
        for edition in report.editions
        if any(edition.carriers.get(party) in by for party in under_ins if party in edition.audience)
    )


def lost(report: Report, held: frozenset[tuple[str, str]]) -> frozenset[str]:
    """uniqueIds of the editions that nobody holds: every party went by a platform that does not have it.

    `held`: (platform, uniqueId) of what platforms have or are about to have.
    """
    return frozenset(
        edition.reference.unique_id
        for edition in report.editions
        if edition.audience
        and all(
            party in edition.carriers and (edition.carriers[party], edition.reference.unique_id) not in held
            for party in edition.audience
        )
    )
