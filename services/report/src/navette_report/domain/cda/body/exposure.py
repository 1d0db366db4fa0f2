"""FR-DICOM-Exposition-aux-radiations: who allowed it, pregnancy, what was received."""

from __future__ import annotations

from navette_documents.codes import DCM, LOINC, Code
from navette_documents.identifiers import PS_AUTHORITY, ps_idnat
from navette_documents.imaging_codes import (
    DOSE_QUANTITIES,
    PREGNANCY,
    PREGNANCY_STATUS,
)

from navette_report.domain.cda.body.pen import Pen, refer, typed
from navette_report.domain.cda.body.products import add_radiopharmaceutical
from navette_report.domain.cda.tree import Element, add, add_code, add_person_name
from navette_report.domain.imaging import Act, Exposure, Pregnancy
from navette_report.domain.wording import PREGNANCIES, amount, measure_value, product_line, site_line

_TITLE = "Exposition aux rayonnements et informations de radioprotection"
_MEASURE = ("2.16.840.1.113883.10.20.6.2.14", "1.2.250.1.213.1.1.3.154")
_PREGNANCY_CODES = {
    Pregnancy.NONE: PREGNANCY["60001007"],
    Pregnancy.PREGNANT: PREGNANCY["77386006"],
    Pregnancy.UNKNOWN: PREGNANCY["261665006"],
}


def add_exposure(parent: Element, pen: Pen, act: Act, exposure: Exposure, name: str) -> None:
    """The sub-section of an irradiating act."""
    section, text = pen.section(
        parent,
        Code("73569-6", _TITLE, LOINC),
        _TITLE,
        "1.2.840.10008.9.8",
        "1.2.250.1.213.1.1.2.215",
    )
    _narrative(text, act, exposure, name)
    _authorisation(section, pen, name)
    _pregnancy(section, pen, exposure, f"{name}-grossesse")
    for place, measure in enumerate(exposure.measures, 1):
        kind = DOSE_QUANTITIES[measure.quantity]
        if not kind.coded:
            # The rules refuse its unit as a coded value: the narrative says it (spec/cda.md §8).
            continue
        anchor = f"{name}-mesure-{place}"
        observation = pen.observation(section, kind.code, templates=_MEASURE)
        refer(observation, "text", anchor)
        add(observation, "statusCode", code="completed")
        add(observation, "effectiveTime", value=pen.time(pen.document.content.exam.started_at))
        typed(add(observation, "value", value=amount(measure.value), unit=kind.unit), "PQ")
        refer(typed(add_code(observation, "targetSiteCode", act.site), "CD"), "originalText", f"{anchor}-site")
    for place, product in enumerate(exposure.radiopharmaceuticals, 1):
        add_radiopharmaceutical(section, pen, product, f"{name}-radio-{place}")


def _narrative(text: Element, act: Act, exposure: Exposure, name: str) -> None:
    paragraph = add(text, "paragraph", "Grossesse : ")
    add(paragraph, "content", PREGNANCIES[exposure.pregnancy], ID=f"{name}-grossesse")
    add(add(text, "paragraph"), "content", "Exposition décidée par le radiologue signataire.", ID=f"{name}-exposition")
    if exposure.measures:
        body = _table(text, "Mesure", "Localisation", "Quantité")
        for place, measure in enumerate(exposure.measures, 1):
            anchor = f"{name}-mesure-{place}"
            row = add(body, "tr")
            add(add(row, "td"), "content", DOSE_QUANTITIES[measure.quantity].code.display, ID=anchor)
            add(add(row, "td"), "content", site_line(act), ID=f"{anchor}-site")
            add(row, "td", measure_value(measure))
    if exposure.radiopharmaceuticals:
        body = _table(text, "Produit radiopharmaceutique administré")
        for place, product in enumerate(exposure.radiopharmaceuticals, 1):
            add(add(add(body, "tr"), "td"), "content", product_line(product), ID=f"{name}-radio-{place}")


def _table(text: Element, *titles: str) -> Element:
    table = add(text, "table", border="0")
    row = add(add(table, "thead"), "tr")
    for title in titles:
        add(row, "th", title)
    return add(table, "tbody")


def _authorisation(section: Element, pen: Pen, name: str) -> None:
    """The radiologist who validated allowed the exposure."""
    procedure = pen.entry(section, "procedure", "PROC", "1.2.250.1.213.1.1.3.165")
    code = add_code(procedure, "code", Code("121290", "Exposition du patient aux rayonnements ionisants", DCM))
    refer(code, "originalText", f"{name}-exposition")
    role = add(add(procedure, "participant", typeCode="RESP"), "participantRole")
    signatory = pen.document.signature.signatory
    add(role, "id", root=PS_AUTHORITY, extension=ps_idnat(signatory.rpps))
    add_code(role, "code", Code("113850", "Autorisation d'irradiation", DCM))
    add_person_name(add(role, "playingEntity"), family=signatory.family_name, given=signatory.given_name, title="DR")


def _pregnancy(section: Element, pen: Pen, exposure: Exposure, anchor: str) -> None:
    """Counted exactly once by the rules, men included (spec/cda.md §8)."""
    observation = pen.observation(section, PREGNANCY_STATUS)
    add(observation, "statusCode", code="completed")
    add(observation, "effectiveTime", value=pen.time(pen.document.content.exam.started_at))
    code = _PREGNANCY_CODES.get(exposure.pregnancy)
    if code is None:
        typed(add(observation, "value", PREGNANCIES[exposure.pregnancy]), "ST")
    else:
        refer(typed(add_code(observation, "value", code), "CD"), "originalText", anchor)
    add(observation, "targetSiteCode", nullFlavor="NA")
