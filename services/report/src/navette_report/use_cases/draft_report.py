"""Write a draft."""

from __future__ import annotations

from navette_chassis import UnitOfWork, uuid7

from navette_report.adapters.reports import ReportRepository
from navette_report.domain.choices import SignatureChoices, made_by
from navette_report.domain.content import ReportContent
from navette_report.domain.lifecycle import State
from navette_report.domain.models import ReportModel
from navette_report.domain.origin import Origin
from navette_report.domain.report import Report, Version


async def draft_report(
    uow: UnitOfWork,
    *,
    patient_id: str,
    site_id: str,
    content: ReportContent,
    author: str,
    model: ReportModel | None = None,
    origin: Origin | None = None,
    choices: SignatureChoices | None = None,
) -> Report:
    """Store a new draft. The patient may not be known yet: identities arrive by their own way.

    Texts of the report model stand where the author wrote none. Choices the site presets for it are made under
    the model's name, those a received report asks for under its sender's; the radiologist has the last word when
    validating.
    """
    preset = () if model is None else made_by((), model.choices, by=f"model:{model.name}", at=uow.now)
    if choices is not None:
        preset = made_by(preset, choices, by=author, at=uow.now)
    draft = Version(
        number=1,
        state=State.DRAFT,
        content=content if model is None else model.fill(content),
        model=None if model is None else model.name,
        choices=preset,
        origin=origin,
    )
    report = Report(
        report_id=uuid7(),
        patient_id=patient_id,
        site_id=site_id,
        created_at=uow.now,
        updated_at=uow.now,
        versions=(draft,),
    )
    await ReportRepository(uow).add(report)
    await uow.record_access(author, "report.draft", "report", report.report_id, site_id, "granted")
    return report
