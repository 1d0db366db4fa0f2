"""Put a received report where it belongs: a draft for the radiologist to sign, a next version, or nowhere (ADR 0013).

Nothing leaves because a message came: a radiologist signs first, whatever the sender says was signed elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from navette_chassis import UnitOfWork

from navette_report.adapters import documents
from navette_report.adapters.intake_documents import DocumentBook, KnownDocument
from navette_report.adapters.intake_messages import MessageState, Settled, Tokens
from navette_report.adapters.patient_keys import PatientKeys
from navette_report.adapters.reports import ReportRepository
from navette_report.domain import acts
from navette_report.domain.choices import SignatureChoices, standing
from navette_report.domain.intake.claims import Doing, Form, ReceivedReport, Unfit
from navette_report.domain.intake.content import filled, is_empty, new_content, replaced
from navette_report.domain.intake.reasons import NOTES
from navette_report.domain.intake.senders import Source
from navette_report.domain.lifecycle import Forbidden, State
from navette_report.domain.origin import Origin
from navette_report.domain.report import Report
from navette_report.use_cases.draft_report import draft_report
from navette_report.use_cases.mask_draft import mask_draft

BEING_COMPOSED = f"replace_not_allowed_when_{State.SIGNED}"
"""The one refusal that passes by itself."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A received report on its way in."""

    message_id: str
    received_at: datetime
    source: Source
    patient_id: str
    tokens: Tokens
    keys: PatientKeys
    into: str | None = None
    """The draft that a person named for it."""

    def token(self, name: str) -> str:
        """What a document of the sender is remembered by."""
        return self.tokens.document(self.source.site_id, self.source.name, name)


async def place_received_report(uow: UnitOfWork, arrival: Arrival, report: ReceivedReport) -> Settled:
    """File, correct or cancel. Raises Unfit before anything is written; Forbidden when it must be tried again."""
    work = _Placing(uow, arrival, report)
    try:
        if report.doing is Doing.CANCEL:
            return await work.cancel()
        if report.doing is Doing.CORRECT:
            return await work.correct()
        return await work.file()
    except Forbidden as refused:
        if refused.rule == BEING_COMPOSED:
            raise
        withdrawn = refused.rule.endswith(f"_when_{State.WITHDRAWN}")
        raise Unfit("report_withdrawn" if withdrawn else "draft_written_here") from None


class _Placing:
    def __init__(self, uow: UnitOfWork, arrival: Arrival, report: ReceivedReport) -> None:
        self._uow = uow
        self._arrival = arrival
        self._report = report
        self._book = DocumentBook(uow)
        self._reports = ReportRepository(uow)
        self._token = arrival.token(report.document_id)
        said = "\x00".join(f"{name}={text}" for name, text in sorted(report.body.sections.items()))
        self._digest = arrival.tokens.digest(said.encode() + b"\x00" + report.body.original)

    async def file(self) -> Settled:
        """A report: new, the same again, or the next state of a preliminary one."""
        known = await self._book.find(self._token)
        if known is None:
            if self._report.body.form is Form.NONE:
                raise Unfit("original_unknown")
            return await self._file_new()
        found = await self._of(known)
        origin = found.current.origin
        if found.current.state is State.WITHDRAWN:
            raise Unfit("report_withdrawn")
        if found.draft is not None and origin is not None and origin.cancelled and not origin.edited_here:
            # Sent anew after all, or only late: nobody but a person can tell, and the draft cannot be signed meanwhile.
            raise Unfit("sent_again_after_cancelling")
        waits_for_more = found.draft is not None and origin is not None and not origin.final
        same = known.digest == self._digest or self._report.body.form is Form.NONE
        if not waits_for_more or (same and not self._report.final):
            if same:
                return await self._repeated(found)
            raise Unfit("changed_without_correction")
        if same and origin is not None:
            now_final = origin.model_copy(update={"final": True, "authenticated": self._report.authenticated})
            changed = acts.take_over(found, found.current.content, now_final)
        else:
            changed = acts.take_over(found, replaced(found.current.content, self._report), self._origin())
        return await self._kept(changed, "report.edit")

    async def correct(self) -> Settled:
        """Another text for a report that is known: of its draft, or of its next version."""
        report = self._report
        if report.body.form is Form.NONE:
            raise Unfit("body_missing")
        named = await self._book.find(self._token)
        original = await self._book.find(self._arrival.token(report.replaces_id)) if report.replaces_id else named
        if named is not None and named.digest == self._digest:
            return await self._repeated(await self._of(named))
        if report.replaces_id and named is not None:
            raise Unfit("changed_without_correction")
        if original is None:
            return await self._file_new("original_unknown")
        if original.superseded:
            raise Unfit("not_the_last_version")
        found = await self._of(original)
        if found.draft is not None:
            changed = acts.take_over(found, replaced(found.current.content, report), self._origin())
        else:
            content = replaced(found.current.content, report)
            changed = acts.start_replacement(
                found, built_on=found.current.number, content=content, origin=self._origin()
            )
        if original.token != self._token:
            await self._book.put(replace(original, superseded=True))
        return await self._kept(changed, "report.replace")

    async def cancel(self) -> Settled:
        """Its sender annuls it: a draft cannot be signed as it is any more; only a radiologist withdraws a report."""
        known = await self._book.find(self._token)
        if known is None:
            raise Unfit("original_unknown")
        if known.superseded:
            raise Unfit("not_the_last_version")
        found = await self._of(known)
        draft, validated = found.draft, found.validated
        if validated is not None and validated.state is State.WITHDRAWN:
            return self._settled(found, MessageState.INTEGRATED)
        if draft is None or draft.origin is None or validated is not None:
            raise Unfit("withdrawal_asked")
        if draft.origin.edited_here:
            raise Unfit("draft_written_here")
        cancelled = draft.model_copy(update={"origin": draft.origin.model_copy(update={"cancelled": True})})
        saved = await self._reports.save(self._masked(found.with_current(cancelled)))
        await self._recorded(saved, "report.cancelled_by_sender")
        return self._settled(saved, MessageState.TO_REVIEW, "cancelled_by_sender")

    async def _file_new(self, *remarks: str) -> Settled:
        report, origin = self._report, self._origin()
        draft = await self._draft_of_exam()
        if draft is not None:
            return await self._kept(acts.take_over(draft, filled(draft.current.content, report), origin), "report.edit")
        content = new_content(report, self._arrival.source.exams)
        made = await draft_report(
            self._uow,
            patient_id=self._arrival.patient_id,
            site_id=self._arrival.source.site_id,
            content=content,
            author=self._arrival.source.actor,
            origin=origin,
            choices=SignatureChoices.model_validate(dict(report.choices)),
        )
        return await self._remembered(made, *remarks)

    async def _draft_of_exam(self) -> Report | None:
        """The draft that already names the examination and has no text. Raises Unfit when it is not for this report."""
        arrival, exam = self._arrival, self._report.exam
        if arrival.into is not None:
            named = await self._reports.get(arrival.into)
            if named is None or named.site_id != arrival.source.site_id or not is_open_for_a_text(named):
                raise Unfit("not_this_draft")
            await self._same_patient(named, "order_of_another_patient")
            return named
        found = await self._reports.of_exam(
            arrival.source.site_id, accession_number=exam.accession_number, placer_number=exam.placer_number
        )
        alive = [one for one in found if one.current.state is not State.WITHDRAWN]
        for one in alive:
            await self._same_patient(one, "order_of_another_patient")
        if not alive:
            return None
        if len(alive) > 1:
            raise Unfit("exam_ambiguous")
        ordered = alive[0].current.content.exam.order_placer_numbers
        if exam.placer_number and ordered and exam.placer_number not in ordered:
            raise Unfit("order_disagrees")
        if not is_open_for_a_text(alive[0]):
            raise Unfit("exam_already_reported")
        return alive[0]

    async def _of(self, known: KnownDocument) -> Report:
        found = await self._reports.get(known.report_id)
        if found is None:
            raise Unfit("original_unknown")
        await self._same_patient(found, "original_of_another_patient")
        return found

    async def _same_patient(self, report: Report, reason: str) -> None:
        if await self._arrival.keys.surviving(report.patient_id) != self._arrival.patient_id:
            raise Unfit(reason)

    async def _repeated(self, found: Report) -> Settled:
        """Nothing new, unless the message hides what the first one did not."""
        wanted = self._report.choices
        if found.draft is not None:
            masked = self._masked(found)
            if masked == found:
                return self._settled(found, MessageState.DUPLICATE)
            saved = await self._reports.save(masked)
            await self._recorded(saved, "report.choose")
            late = self._masked_late(saved)
            return self._settled(saved, MessageState.TO_REVIEW if late else MessageState.INTEGRATED, *late)
        asked_before = {one.name for one in found.current.choices if one.value}
        if found.current.state is not State.WITHDRAWN and not wanted.keys() <= asked_before:
            raise Unfit("mask_after_signature")
        return self._settled(found, MessageState.DUPLICATE)

    def _masked(self, changed: Report) -> Report:
        """With what the message hides as well; what stands hidden stays so."""
        return mask_draft(changed, self._report, by=self._arrival.source.actor, at=self._uow.now)

    async def _kept(self, changed: Report, action: str) -> Settled:
        saved = await self._reports.save(self._masked(changed))
        await self._recorded(saved, action)
        return await self._remembered(saved, *self._masked_late(saved))

    def _masked_late(self, saved: Report) -> tuple[str, ...]:
        """Whether a mask hides what an earlier version showed, as a remark."""
        wanted = self._report.choices
        late = wanted and acts.closed_choices(saved, standing(saved.current.choices))
        return ("mask_too_late",) if late else ()

    async def _recorded(self, report: Report, action: str) -> None:
        actor = self._arrival.source.actor
        await self._uow.record_access(actor, action, "report", report.report_id, report.site_id, "granted")

    async def _remembered(self, made: Report, *remarks: str) -> Settled:
        arrival, body = self._arrival, self._report.body
        if body.form is not Form.NONE:  # a change of status alone brings no other content
            await self._book.put(KnownDocument(self._token, made.report_id, arrival.message_id, self._digest))
        if body.original:
            await documents.store(
                self._uow,
                arrival.message_id,
                documents.Form.RECEIVED,
                body.original,
                report_id=made.report_id,
                site_id=made.site_id,
            )
        told = (*remarks, *self._report.remarks, *(() if self._report.final else ("preliminary",)))
        asks = bool(set(told) - NOTES)
        return self._settled(made, MessageState.TO_REVIEW if asks else MessageState.INTEGRATED, *told)

    def _settled(self, report: Report, state: MessageState, *remarks: str) -> Settled:
        return Settled(
            state, remarks=tuple(dict.fromkeys(remarks)), report_id=report.report_id, version=report.current.number
        )

    def _origin(self) -> Origin:
        report, arrival = self._report, self._arrival
        form = report.body.form
        return Origin(
            message_id=arrival.message_id,
            sender=arrival.source.name,
            received_at=arrival.received_at,
            form="text" if form not in (Form.PDF, Form.CDA, Form.RTF) else form.value,
            original=bool(report.body.original),
            author_rpps=report.author.rpps or None,
            author_name=report.author.name or None,
            final=report.final,
            authenticated=report.authenticated,
        )


def is_open_for_a_text(report: Report) -> bool:
    """Whether it is a draft whose text nobody wrote yet."""
    version = report.draft
    return version is not None and version.origin is None and is_empty(version.content)
