"""Which document to make next, for whom, and what it replaces where it goes."""

from __future__ import annotations

from navette_contracts.events import Audience

from navette_report.domain.audience import audience
from navette_report.domain.fields import Strict
from navette_report.domain.lifecycle import IN_FORCE
from navette_report.domain.report import Edition, Report, Version


class EditionPlan(Strict):
    """The next document to compose for a version."""

    number: int
    """versionNumber of the document: counts the editions of the whole report."""
    audience: tuple[Audience, ...]
    replaces_unique_id: str | None
    """What its receivers must replace. None when they had nothing before: the DMP refuses to replace a document
    it does not hold, and the patient never saw one."""


def replaced_for(
    report: Report,
    parties: tuple[Audience, ...],
    *,
    refused: frozenset[str] = frozenset(),
    passed_over: frozenset[str] = frozenset(),
) -> str | None:
    """uniqueId of the edition that one of `parties` holds and must replace. None if none does.

    When the DMP is among them it decides: it refuses a document that names a former one it does not have.
    `refused`: uniqueIds of the editions the DMP did not accept; `passed_over`: of those it must not name because
    nobody holds them, or because they must stay within reach as they are (`domain/pfi/routing.py`).
    """
    deciding = {Audience.DMP} if Audience.DMP in parties else set(parties)
    for edition in reversed(report.editions):
        unique_id = edition.reference.unique_id
        if unique_id in passed_over:
            continue
        if deciding & set(edition.audience) and not (Audience.DMP in deciding and unique_id in refused):
            return unique_id
    return None


def plan_edition(
    report: Report,
    wanted: tuple[Audience, ...],
    *,
    qualified: bool,
    refused: frozenset[str] = frozenset(),
    passed_over: frozenset[str] = frozenset(),
    left_out: frozenset[Audience] = frozenset(),
) -> EditionPlan | None:
    """What to compose now for the validated version, None when nothing is due.

    First edition: always, for whoever may receive it. Later editions: only with a qualified identity, for those
    not served yet, so that nobody is sent the same version twice; and for the DMP again when it hides from the
    patient what was announced since, or refused an edition because it names one that it refused before
    (docs/adr: the announced edition replaces the hidden one). Whatever is due then also serves those whom a
    platform refused to serve (`left_out`).
    """
    version = report.validated
    if version is None or version.state not in IN_FORCE:
        return None
    remaining = tuple(party for party in wanted if party not in version.served)
    if qualified and Audience.DMP in wanted and _due_again_in_dmp(version, refused, left_out):
        remaining = (Audience.DMP, *remaining)
    if version.editions and (not qualified or not remaining):
        return None
    remaining = tuple(party for party in wanted if party in remaining or party in left_out)
    return EditionPlan(
        number=len(report.editions) + 1,
        audience=remaining,
        replaces_unique_id=replaced_for(report, remaining, refused=refused, passed_over=passed_over),
    )


def awaits_identity(report: Report) -> bool:
    """Whether a better identity would make another document for the validated version."""
    version = report.validated
    if version is None or version.in_force is None or version.state not in IN_FORCE:
        return False
    if not version.editions or version.findings:
        return True
    return plan_edition(report, audience(version.in_force, qualified=True), qualified=True) is not None


def misled_in_dmp(version: Version, refused: frozenset[str]) -> Edition | None:
    """The last edition of this version for the DMP, if it was refused there and names one that was refused too."""
    given = [edition for edition in version.editions if Audience.DMP in edition.audience]
    if not given or given[-1].reference.unique_id not in refused or given[-1].replaces_unique_id not in refused:
        return None
    return given[-1]


def _due_again_in_dmp(version: Version, refused: frozenset[str], left_out: frozenset[Audience]) -> bool:
    hidden = _hidden_in_dmp(version)
    # One that a platform never took must not be sent any more: it would hide what was announced.
    if hidden is not None and (hidden.reference.unique_id not in refused or Audience.DMP in left_out):
        return True
    return misled_in_dmp(version, refused) is not None


def _hidden_in_dmp(version: Version) -> Edition | None:
    """The last edition of this version the DMP was given, if it hides what may be seen now."""
    choices = version.in_force
    if choices is None or choices.visibility.hidden_from_patient:
        return None
    given = [edition for edition in version.editions if Audience.DMP in edition.audience]
    return given[-1] if given and given[-1].hidden_from_patient else None
