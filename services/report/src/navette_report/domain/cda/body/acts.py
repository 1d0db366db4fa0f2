"""FR-DICOM-Acte-imagerie, one section per act: technique, products given, complications, objects made."""

from __future__ import annotations

from navette_documents.codes import DCM, LOINC, MODALITIES, MODALITY_QUALIFIER, Code
from navette_documents.imaging_codes import (
    BILATERAL,
    COMMENT,
    LATERALITY_QUALIFIER,
    UNILATERAL,
    sop_class_of,
)

from navette_report.domain.cda.body.exposure import add_exposure
from navette_report.domain.cda.body.pen import Pen, refer, write_items, write_prose
from navette_report.domain.cda.body.products import add_contrast
from navette_report.domain.cda.tree import Element, add, add_act_code, add_code
from navette_report.domain.imaging import Act, Laterality
from navette_report.domain.wording import product_line, site_line

_OBJECTS = Code("121181", "Catalogue d'objets DICOM", DCM)


def add_act(body: Element, pen: Pen, act: Act, number: int) -> None:
    """The section of the act at place `number`, from 1."""
    name = f"acte-{number}"
    section, text = pen.section(
        body,
        Code("55111-9", "Description de l'acte d'imagerie", LOINC),
        "Technique d'imagerie",
        "1.2.840.10008.9.3",
        "1.2.250.1.213.1.1.2.206",
    )
    technique = pen.document.content.technique
    items: list[tuple[str, str | None]] = [
        (act.ccam_label or act.loinc_label, name),
        (f"Modalité : {MODALITIES[act.modality].display}", f"{name}-modalite"),
        (f"Localisation : {site_line(act)}", f"{name}-site"),
    ]
    items += [(product_line(one), f"{name}-produit-{place}") for place, one in enumerate(act.contrast, 1)]
    write_items(text, items)
    if technique:
        add(add(text, "paragraph"), "content", "Technique :", ID=f"{name}-technique")
        write_prose(text, technique)
    _technique(section, pen, act, name, described=bool(technique))
    for place, one in enumerate(act.contrast, 1):
        add_contrast(section, pen, one, f"{name}-produit-{place}")
    if act.complications:
        _complications(section, pen, act)
    if act.exposure is not None:
        add_exposure(section, pen, act, act.exposure, name)
    _objects(section, pen, act, number)


def _technique(section: Element, pen: Pen, act: Act, name: str, *, described: bool) -> None:
    procedure = pen.entry(section, "procedure", "PROC", "1.2.840.10008.9.14", "1.2.250.1.213.1.1.3.153")
    pen.identify(procedure)
    add_act_code(procedure, act, anchor=name)
    refer(procedure, "text", name)
    add(procedure, "effectiveTime", value=pen.time(pen.document.content.exam.started_at))
    refer(add_code(procedure, "methodCode", MODALITIES[act.modality]), "originalText", f"{name}-modalite")
    # Exactly one, although the volet says 1..*: several sites are several acts (spec/cda.md §8).
    site = add_code(procedure, "targetSiteCode", act.site)
    refer(site, "originalText", f"{name}-site")
    if act.laterality is not None:
        qualifier = add(site, "qualifier")
        add_code(qualifier, "name", LATERALITY_QUALIFIER)
        add_code(qualifier, "value", BILATERAL if act.laterality is Laterality.BILATERAL else UNILATERAL)
    if described:
        pen.comment(procedure, COMMENT, f"{name}-technique")


def _complications(parent: Element, pen: Pen, act: Act) -> None:
    _, text = pen.section(
        parent,
        Code("55109-3", "Complications", LOINC),
        "Complications",
        "2.16.840.1.113883.10.20.22.2.37",
        "1.2.250.1.213.1.1.2.214",
    )
    write_prose(text, act.complications)


def _objects(parent: Element, pen: Pen, act: Act, number: int) -> None:
    """One generic series and one object stand for the study; the link shows the images (spec/cda.md §6)."""
    site, study_uid = pen.document.site, pen.document.content.study_of(act)
    section, text = pen.section(
        parent,
        _OBJECTS,
        "Catalogue d'objets DICOM",
        "2.16.840.1.113883.10.20.6.1.1",
        "1.2.250.1.213.1.1.2.217",
    )
    write_items(text, [(f"Examen {study_uid}", None)])
    study = pen.entry(section, "act", "ACT", "1.2.840.10008.9.16", "1.2.250.1.213.1.1.3.155")
    add(study, "id", root=study_uid)
    add_code(study, "code", Code("113014", "Examen", DCM))
    add(study, "effectiveTime", value=pen.time(pen.document.content.exam.started_at))
    series = add(add(study, "entryRelationship", typeCode="COMP"), "act", classCode="ACT", moodCode="EVN")
    for template in ("1.2.840.10008.9.17", "1.2.250.1.213.1.1.3.156"):
        add(series, "templateId", root=template)
    add(series, "id", root=site.uids.deterministic("series", study_uid, str(number)))
    qualifier = add(add_code(series, "code", Code("113015", "Séries", DCM)), "qualifier")
    add_code(qualifier, "name", MODALITY_QUALIFIER)
    add_code(qualifier, "value", MODALITIES[act.modality])
    image = add(add(series, "entryRelationship", typeCode="COMP"), "observation", classCode="DGIMG", moodCode="EVN")
    for template in ("1.2.840.10008.9.18", "1.2.250.1.213.1.1.3.157"):
        add(image, "templateId", root=template)
    add(image, "id", root=site.uids.deterministic("object", study_uid, str(number)))
    sop = sop_class_of(act.modality)
    add(image, "code", code=sop.code, displayName=sop.display, codeSystem=sop.system, codeSystemName="DCMUID")
    url = site.image_url(study_uid)
    if url is not None:
        add(add(image, "text", mediaType="application/dicom"), "reference", value=url)
