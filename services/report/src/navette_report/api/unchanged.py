"""Acts on what was read only: a mark of what a person saw of a report, refused once that has changed."""

from __future__ import annotations

import hashlib
from typing import Annotated

from fastapi import Depends, Header, Response
from navette_chassis import UnitOfWork

from navette_report.api.works import Work
from navette_report.domain.choices import standing
from navette_report.domain.lifecycle import Forbidden
from navette_report.domain.report import Report, Version

CHANGED = "changed_since_it_was_shown"


def mark_of(version: Version) -> str:
    """What is read before an act, as a mark: the text of a version, and the choices that stand for it."""
    # Not its state: a document that is composed meanwhile changes nothing of what was read.
    shown = version.model_dump_json(include={"number", "content"}) + standing(version.choices).model_dump_json()
    return hashlib.sha256(shown.encode()).hexdigest()[:32]


def unless_changed(work: Work, seen: str) -> Work:
    """The act, refused when the report is not what the mark `seen` was made of any more."""

    async def run(uow: UnitOfWork, report: Report) -> Report:
        if mark_of(report.current) != seen:
            raise Forbidden(CHANGED)
        return await work.run(uow, report)

    return Work(work.action, run)


class Precondition:
    """`If-Match` of a request, and the `ETag` of its answer (RFC 9110 §13.1.1); without one the act is not guarded."""

    def __init__(self, response: Response, seen: str | None) -> None:
        self._response = response
        self._seen = seen

    def guard(self, work: Work) -> Work:
        """The act as the request wants it."""
        if self._seen is None or self._seen.strip() == "*":
            return work
        return unless_changed(work, self._seen.strip().strip('"'))

    def tag(self, report: Report) -> None:
        """Say what the caller has before their eyes now."""
        self._response.headers["ETag"] = etag(report)


def etag(report: Report) -> str:
    """The mark of the current version, as a header."""
    return f'"{mark_of(report.current)}"'


def _asked(response: Response, if_match: Annotated[str | None, Header(max_length=128)] = None) -> Precondition:
    return Precondition(response, if_match)


IfMatch = Annotated[Precondition, Depends(_asked)]
