"""One attempt to publish a document version: look first where needed, send, read the answer.

Runs outside any transaction. What it cannot decide (was it stored?) it says: the next attempt asks the DMP
before sending again (spec/dmp.md §6.8, §6.10).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from navette_chassis import Clock
from navette_chassis.deliveries import Delivery, Outcome, OutcomeKind
from navette_contracts.events import WhoMustAct
from navette_documents.errors import InvalidValue
from navette_documents.sites import Site
from navette_documents.xml import XmlRefused

from navette_dmp.domain.outcomes import Action, Verdict, safe_code
from navette_dmp.domain.publication import Publication
from navette_dmp.domain.refusals import who_acts_on
from navette_dmp.domain.signer import Signer
from navette_dmp.domain.status import PublicationStatus
from navette_dmp.domain.submission import (
    Document,
    SubmissionRules,
    build_submission,
    check_document,
    lot_unique_id,
)
from navette_dmp.use_cases.ports import (
    Dmp,
    DocumentMissing,
    DocumentSource,
    DocumentsUnavailable,
    PublicationStates,
    QueryFailed,
    Seals,
)


class _Ended(Exception):  # noqa: N818 - carries an outcome, good or bad
    """The attempt ends here."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.code)
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class PublishDocument:
    """The attempt of the channel dmp.publish."""

    documents: DocumentSource
    dmp: Dmp
    seals: Seals
    publications: PublicationStates
    sites: Mapping[str, Site]
    rules: SubmissionRules
    clock: Clock

    async def __call__(self, delivery: Delivery) -> Outcome:
        publication = Publication.from_payload(delivery.payload)
        try:
            return await self._publish(publication, must_query=delivery.must_query)
        except _Ended as ended:
            return ended.outcome

    async def _publish(self, publication: Publication, *, must_query: bool) -> Outcome:
        site = self._site(publication)
        signer = self._signer(must_query=must_query)
        document = await self._document(publication, site, signer, must_query=must_query)
        if must_query:
            await self._end_if_stored(document, site, signer)
        replaced = await self._replaced_entry(publication, document, signer)
        verdict = await self._send(document, site, signer, replaced)
        if verdict.action is Action.REFRESH and replaced is not None:
            # Its entryUUID changes with each update of its metadata: read it again, once.
            replaced = await self._replaced_entry(publication, document, signer)
            verdict = await self._send(document, site, signer, replaced)
        return await self._outcome(verdict, document, site, signer)

    async def _send(self, document: Document, site: Site, signer: Signer, replaced: str | None) -> Verdict:
        submission, files = await asyncio.to_thread(
            build_submission,
            document,
            site=site,
            rules=self.rules,
            signer=signer,
            now=self.clock.now(),
            replaced_entry=replaced,
        )
        return await self.dmp.submit(submission, files, document.subject, signer)

    async def _outcome(self, verdict: Verdict, document: Document, site: Site, signer: Signer) -> Outcome:
        match verdict.action:
            case Action.STORED:
                return _delivered(document, site, verdict.code)
            case Action.DUPLICATE:
                await self._end_if_stored(document, site, signer)
                # The id is taken by something we cannot see: deleted, or another patient's.
                return Outcome.permanent("duplicate-absent", WhoMustAct.OPERATOR)
            case Action.RETRY:
                return Outcome.transient(verdict.code, endpoint_down=verdict.endpoint_down)
            case Action.UNKNOWN:
                return Outcome.ambiguous(verdict.code, endpoint_down=verdict.endpoint_down)
            case Action.REFRESH | Action.STOP:
                return Outcome.permanent(verdict.code, verdict.who)

    async def _end_if_stored(self, document: Document, site: Site, signer: Signer) -> None:
        """End as delivered when the DMP has the document; come back when it has not."""
        try:
            entries = await self.dmp.entries_of(document.entry.unique_id, document.subject, signer)
        except QueryFailed as failure:
            # Still unknown: the next attempt must ask again, whatever the reason.
            raise _Ended(_unanswered(failure.verdict, otherwise=OutcomeKind.AMBIGUOUS)) from None
        if len(entries) > 1:
            raise _Ended(Outcome.permanent("several-entries", WhoMustAct.OPERATOR))
        if entries:
            raise _Ended(_delivered(document, site, "found", entry_uuid=entries[0]))

    async def _replaced_entry(self, publication: Publication, document: Document, signer: Signer) -> str | None:
        """entryUUID of the version to replace, None when the DMP never had one."""
        unique_id = publication.replaces_unique_id
        if unique_id is None:
            return None
        status = await self.publications.status_of(unique_id)
        if status == PublicationStatus.SCHEDULED:
            raise _Ended(Outcome.transient("waits-for-previous-version"))
        try:
            entries = await self.dmp.entries_of(unique_id, document.subject, signer)
        except QueryFailed as failure:
            raise _Ended(_unanswered(failure.verdict, otherwise=OutcomeKind.TRANSIENT)) from None
        if len(entries) > 1:
            raise _Ended(Outcome.permanent("several-entries", WhoMustAct.OPERATOR))
        if not entries and status == PublicationStatus.PUBLISHED:
            # Deleted there by somebody, or the patient closed the record: not ours to send it as new.
            raise _Ended(Outcome.permanent("replaced-document-gone", WhoMustAct.SECRETARY))
        return entries[0] if entries else None

    async def _document(self, publication: Publication, site: Site, signer: Signer, *, must_query: bool) -> Document:
        try:
            cda = await self.documents.fetch_cda(publication.document_id)
        except DocumentMissing:
            raise _Ended(Outcome.permanent("document-missing", WhoMustAct.OPERATOR)) from None
        except DocumentsUnavailable:
            raise _Ended(_not_now("report-unavailable", must_query=must_query)) from None
        try:
            return await asyncio.to_thread(
                check_document, cda, publication, site, self.rules, signer_structure=signer.structure
            )
        except (InvalidValue, XmlRefused) as refusal:
            code = safe_code(str(refusal).replace(": ", ":").replace(" ", "-"), "refused:")
            raise _Ended(Outcome.permanent(code, who_acts_on(refusal))) from None

    def _signer(self, *, must_query: bool) -> Signer:
        try:
            return self.seals.current()
        except InvalidValue:
            raise _Ended(_not_now("seal-unusable", must_query=must_query)) from None

    def _site(self, publication: Publication) -> Site:
        site = self.sites.get(publication.site_id)
        if site is None:
            raise _Ended(Outcome.permanent("unknown-site", WhoMustAct.ADMINISTRATOR))
        return site


def _delivered(document: Document, site: Site, code: str, **remote_ids: str) -> Outcome:
    lot = lot_unique_id(site, document.entry.unique_id)
    return Outcome.delivered(code, submission_unique_id=lot, **remote_ids)


def _not_now(code: str, *, must_query: bool) -> Outcome:
    """Nothing was sent this time, but an earlier doubt stays a doubt."""
    return Outcome.ambiguous(code) if must_query else Outcome.transient(code)


def _unanswered(verdict: Verdict, *, otherwise: OutcomeKind) -> Outcome:
    if verdict.action in (Action.STOP, Action.REFRESH, Action.DUPLICATE):
        return Outcome.permanent(verdict.code, verdict.who)
    return Outcome(otherwise, verdict.code, endpoint_down=verdict.endpoint_down)
