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
from navette_documents.sites import Site

from navette_dmp.domain.outcomes import Action, Verdict
from navette_dmp.domain.publication import Publication
from navette_dmp.domain.status import PublicationStatus
from navette_dmp.domain.submission import SubmissionRules, build_submission
from navette_dmp.use_cases.ports import Dmp, DocumentSource, PublicationStates, QueryFailed, Seals
from navette_dmp.use_cases.prepare_document import Ended, Prepared, prepare_document


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
        except Ended as ended:
            return ended.outcome

    async def _publish(self, publication: Publication, *, must_query: bool) -> Outcome:
        prepared = await prepare_document(
            publication,
            documents=self.documents,
            seals=self.seals,
            sites=self.sites,
            rules=self.rules,
            must_query=must_query,
        )
        if must_query:
            await self._end_if_stored(prepared)
        replaced = await self._replaced_entry(publication, prepared)
        verdict = await self._send(prepared, replaced)
        if verdict.action is Action.REFRESH and replaced is not None:
            # Its entryUUID changes with each update of its metadata: read it again, once.
            replaced = await self._replaced_entry(publication, prepared)
            verdict = await self._send(prepared, replaced)
        return await self._outcome(verdict, prepared)

    async def _send(self, prepared: Prepared, replaced: str | None) -> Verdict:
        submission, files = await asyncio.to_thread(
            build_submission,
            prepared.document,
            site=prepared.site,
            rules=self.rules,
            signer=prepared.signer,
            now=self.clock.now(),
            replaced_entry=replaced,
        )
        return await self.dmp.submit(submission, files, prepared.document.subject, prepared.signer)

    async def _outcome(self, verdict: Verdict, prepared: Prepared) -> Outcome:
        match verdict.action:
            case Action.STORED:
                return prepared.delivered(verdict.code)
            case Action.DUPLICATE:
                await self._end_if_stored(prepared)
                # The id is taken by something we cannot see: deleted, or another patient's.
                return Outcome.permanent("duplicate-absent", WhoMustAct.OPERATOR)
            case Action.RETRY:
                return Outcome.transient(verdict.code, endpoint_down=verdict.endpoint_down)
            case Action.UNKNOWN:
                return Outcome.ambiguous(verdict.code, endpoint_down=verdict.endpoint_down)
            case Action.REFRESH | Action.STOP:
                return Outcome.permanent(verdict.code, verdict.who)

    async def _end_if_stored(self, prepared: Prepared) -> None:
        """End as delivered when the DMP has the document; come back when it has not."""
        # Unanswered, it is still unknown: the next attempt must ask again.
        entry = await self._entry_of(prepared.unique_id, prepared, unanswered=OutcomeKind.AMBIGUOUS)
        if entry is not None:
            raise Ended(prepared.delivered("found", entry_uuid=entry))

    async def _replaced_entry(self, publication: Publication, prepared: Prepared) -> str | None:
        """entryUUID of the version to replace, None when there is none. Raises Ended when the DMP lacks it."""
        unique_id = publication.replaces_unique_id
        if unique_id is None:
            return None
        status = await self.publications.status_of(unique_id)
        if status == PublicationStatus.SCHEDULED:
            raise Ended(Outcome.transient("waits-for-previous-version"))
        entry = await self._entry_of(unique_id, prepared, unanswered=OutcomeKind.TRANSIENT)
        if entry is None and status == PublicationStatus.PUBLISHED:
            # Deleted there by somebody, or the patient closed the record: not ours to send it as new.
            raise Ended(Outcome.permanent("replaced-document-gone", WhoMustAct.SECRETARY))
        if entry is None:
            # Its own CDA says that it replaces that document, so the DMP refuses it as new too (spec/dmp.md §10):
            # report makes an edition that names nothing.
            raise Ended(Outcome.permanent("replaced-document-absent", WhoMustAct.NOBODY))
        return entry

    async def _entry_of(self, unique_id: str, prepared: Prepared, *, unanswered: OutcomeKind) -> str | None:
        """The one entry the DMP has for a document. Raises Ended for several, or when it does not say."""
        try:
            entries = await self.dmp.entries_of(unique_id, prepared.document.subject, prepared.signer)
        except QueryFailed as failure:
            raise Ended(_refused_or(failure.verdict, unanswered)) from None
        if len(entries) > 1:
            raise Ended(Outcome.permanent("several-entries", WhoMustAct.OPERATOR))
        return entries[0] if entries else None


def unanswered(verdict: Verdict, *, must_query: bool) -> Outcome:
    """What a query without answer means: an earlier doubt stays a doubt."""
    return _refused_or(verdict, OutcomeKind.AMBIGUOUS if must_query else OutcomeKind.TRANSIENT)


def _refused_or(verdict: Verdict, otherwise: OutcomeKind) -> Outcome:
    if verdict.action in (Action.STOP, Action.REFRESH, Action.DUPLICATE):
        return Outcome.permanent(verdict.code, verdict.who)
    return Outcome(otherwise, verdict.code, endpoint_down=verdict.endpoint_down)
