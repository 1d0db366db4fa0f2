"""The forms of the act pages: what each takes, and the act it becomes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from navette_chassis.auth import Principal
from navette_documents.identifiers import parse_rpps
from pydantic import AfterValidator, BeforeValidator, Field

from navette_report.api import works
from navette_report.api.unchanged import unless_changed
from navette_report.domain.acts import Offer
from navette_report.domain.choices import SignatureChoices
from navette_report.domain.content import ReportContent
from navette_report.domain.fields import Line, Prose, Strict
from navette_report.domain.report import Report
from navette_report.use_cases.compose_report import Desk

TEXTS = ("title", "indication", "technique", "comparison", "findings", "conclusion")
"""What the pages write; codes and correspondents come from the RIS and stay as they are."""


def _numbers(value: object) -> object:
    return tuple(re.split(r"[\s,;]+", value.strip())) if isinstance(value, str) else value


class ActForm(Strict):
    """An act that asks nothing. `seen` marks what the page showed."""

    seen: Annotated[str, Field(max_length=32)]


class ChoicesForm(ActForm, SignatureChoices):
    """Visibility and sending: a box that is not ticked says no."""

    @property
    def asked(self) -> dict[str, bool]:
        """Every choice, said."""
        return {name: getattr(self, name) for name in SignatureChoices.model_fields}


class CoReadersForm(ActForm):
    """RPPS numbers, separated by blanks or commas."""

    co_readers: Annotated[
        tuple[Annotated[str, AfterValidator(parse_rpps)], ...],
        BeforeValidator(_numbers),
        Field(min_length=1, max_length=10),
    ]
    take_over: bool = False


class WithdrawalForm(ActForm):
    """Final, so it is confirmed."""

    confirmed: bool
    reason: Annotated[Line | None, BeforeValidator(lambda value: value or None)] = None


class TextsForm(ActForm):
    """The text of a report."""

    title: Line
    indication: Prose = ""
    technique: Prose = ""
    comparison: Prose = ""
    findings: Prose = ""
    conclusion: Prose = ""
    dose_unavailable: bool = False

    def written_over(self, content: ReportContent) -> ReportContent:
        """The content with these texts."""
        written = content.model_copy(update={name: getattr(self, name) for name in TEXTS})
        return written.without_dose() if self.dose_unavailable else written


Start = Callable[[Any, Principal, Desk, Report], works.Work]

ACT_FORMS: Mapping[Offer, tuple[type[ActForm], Start]] = {
    Offer.EDIT: (TextsForm, lambda form, who, _, one: works.editing(who, form.written_over(one.current.content))),
    Offer.CHOOSE: (ChoicesForm, lambda form, who, desk, _: works.choosing(who, desk, form.asked)),
    Offer.PROPOSE: (
        CoReadersForm,
        lambda form, who, _, __: works.proposing(who, form.co_readers, take_over=form.take_over),
    ),
    Offer.AGREE: (ActForm, lambda _, who, __, ___: works.agreeing(who)),
    Offer.SIGN: (ChoicesForm, lambda form, who, desk, _: works.signing(who, desk, form.asked)),
    Offer.ABANDON: (ActForm, lambda _, who, __, ___: works.abandoning(who)),
    Offer.ANNOUNCE: (ActForm, lambda _, who, __, ___: works.announcing(who)),
    Offer.REPLACE: (
        TextsForm,
        lambda form, who, _, one: works.replacing(who, one.current.number, form.written_over(one.current.content)),
    ),
    Offer.WITHDRAW: (WithdrawalForm, lambda form, who, desk, _: works.withdrawing(who, desk, form.reason)),
    Offer.RECOMPOSE: (ActForm, lambda _, who, desk, __: works.recomposing(who, desk)),
}
"""The form of each act, and how it becomes the act."""


def work_of(act: Offer, fields: Mapping[str, str], caller: Principal, desk: Desk, report: Report) -> works.Work:
    """The act a filled form asks for, refused when the report is not what the page showed any more.

    Raises ValidationError naming the fields.
    """
    form_type, start = ACT_FORMS[act]
    form = form_type.model_validate(dict(fields))
    return unless_changed(start(form, caller, desk, report), form.seen)
