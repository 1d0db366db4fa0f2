"""One attempt to delete a report: ask the DMP which document it has, delete it, read the answer.

A replaced document cannot be deleted and need not be: only the last one the DMP accepted counts.
"""

from __future__ import annotations

from dataclasses import dataclass

from navette_chassis.deliveries import Delivery, Outcome
from navette_contracts.events import WhoMustAct

from navette_dmp.domain.outcomes import Action
from navette_dmp.domain.publication import Publication, Withdrawal
from navette_dmp.domain.status import PublicationStatus
from navette_dmp.domain.submission import build_deletion
from navette_dmp.use_cases.ports import QueryFailed
from navette_dmp.use_cases.prepare_document import Ended, Prepared, prepare_document
from navette_dmp.use_cases.publish_document import PublishDocument, unanswered


@dataclass(frozen=True, slots=True)
class WithdrawDocument:
    """The attempt of the channel dmp.withdraw. It needs what a publication needs."""

    outside: PublishDocument

    async def __call__(self, delivery: Delivery) -> Outcome:
        withdrawal = Withdrawal.from_payload(delivery.payload)
        try:
            for publication in withdrawal.documents:
                outcome = await self._delete(publication, must_query=delivery.must_query)
                if outcome is not None:
                    return outcome
        except Ended as ended:
            return ended.outcome
        if delivery.must_query:
            # An earlier attempt deleted it and its answer was lost.
            return Outcome.delivered("gone", unique_id=withdrawal.documents[0].unique_id)
        return Outcome.cancelled("never-published")

    async def _delete(self, publication: Publication, *, must_query: bool) -> Outcome | None:
        """The outcome if this is the document to delete, None when the DMP never had it."""
        status = await self.outside.publications.status_of(publication.unique_id)
        prepared = await prepare_document(
            publication,
            documents=self.outside.documents,
            seals=self.outside.seals,
            sites=self.outside.sites,
            rules=self.outside.rules,
            must_query=must_query,
        )
        entry = await self._entry(prepared, must_query=must_query)
        if entry is None:
            # Deleted by an attempt whose answer was lost, by somebody else, or with the whole record.
            gone = status == PublicationStatus.PUBLISHED
            return Outcome.delivered("gone", unique_id=publication.unique_id) if gone else None
        return await self._send(prepared, entry, must_query=must_query)

    async def _send(self, prepared: Prepared, entry: str, *, must_query: bool) -> Outcome:
        for _ in range(2):
            submission = build_deletion(
                prepared.document,
                site=prepared.site,
                rules=self.outside.rules,
                now=self.outside.clock.now(),
                entry_uuid=entry,
            )
            verdict = await self.outside.dmp.update(submission, prepared.document.subject, prepared.signer)
            if verdict.action is not Action.REFRESH:
                break
            moved = await self._entry(prepared, must_query=must_query)
            if moved in (None, entry):
                break
            entry = moved or entry
        match verdict.action:
            case Action.STORED:
                return Outcome.delivered(verdict.code, unique_id=prepared.unique_id)
            case Action.RETRY:
                return Outcome.transient(verdict.code, endpoint_down=verdict.endpoint_down)
            case Action.UNKNOWN:
                return Outcome.ambiguous(verdict.code, endpoint_down=verdict.endpoint_down)
            case Action.REFRESH | Action.STOP | Action.DUPLICATE:
                return Outcome.permanent(verdict.code, verdict.who)

    async def _entry(self, prepared: Prepared, *, must_query: bool) -> str | None:
        try:
            entries = await self.outside.dmp.entries_of(prepared.unique_id, prepared.document.subject, prepared.signer)
        except QueryFailed as failure:
            raise Ended(unanswered(failure.verdict, must_query=must_query)) from None
        if len(entries) > 1:
            raise Ended(Outcome.permanent("several-entries", WhoMustAct.OPERATOR))
        return entries[0] if entries else None
