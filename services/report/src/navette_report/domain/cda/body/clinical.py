"""FR-DICOM-informations-cliniques: who asked, why, and what the patient's history forbids."""

from __future__ import annotations

from navette_documents.codes import LOINC, Code
from navette_documents.imaging_codes import CONTRAINDICATIONS

from navette_report.domain.cda.body.pen import NOT_STATED, Pen, refer, typed, write_items, write_prose
from navette_report.domain.cda.tree import Element, add, add_code

NO_CONTRAINDICATION = "Aucune contre-indication connue"
_MEDICAL = Code("11348-0", "Antécédents médicaux", LOINC)
_SURGICAL = Code("47519-4", "Antécédents chirurgicaux", LOINC)
_FORBIDS = Code("64100-1", "Contre-indications", LOINC)


def add_clinical_information(body: Element, pen: Pen) -> None:
    """The section and its two sub-sections."""
    section, text = pen.section(
        body,
        Code("55752-0", "Informations cliniques", LOINC),
        "Informations cliniques",
        "1.2.840.10008.9.2",
        "1.2.250.1.213.1.1.2.205",
    )
    write_items(text, [(line, None) for line in _origin(pen)])
    _request(section, pen)
    _history(section, pen)


def _origin(pen: Pen) -> list[str]:
    content = pen.document.content
    lines = [f"Demandeur : {content.requester.display_name}" if content.requester else "Sans demandeur"]
    lines += [f"Demande n° {number}" for number in content.exam.order_placer_numbers]
    if content.screening:
        lines.append("Examen de dépistage")
    return lines


def _request(parent: Element, pen: Pen) -> None:
    _, text = pen.section(
        parent,
        Code("55115-0", "Demande", LOINC),
        "Indication",
        "1.2.840.10008.9.7",
        "1.2.250.1.213.1.1.2.211",
    )
    write_prose(text, pen.document.content.indication or NOT_STATED)


def _history(parent: Element, pen: Pen) -> None:
    content = pen.document.content
    section, text = pen.section(
        parent,
        Code("11329-0", "Historique médical", LOINC),
        "Antécédents et contre-indications",
        "2.16.840.1.113883.10.20.22.2.39",
        "1.2.250.1.213.1.1.2.213",
    )
    forbidding = [CONTRAINDICATIONS[code] for code in content.contraindications]
    anchors = [f"ci-{place}" for place in range(1, len(forbidding) + 1)] or ["ci-1"]
    listed = [one.display for one in forbidding] or [NO_CONTRAINDICATION]
    write_items(
        text,
        [
            (f"Antécédents médicaux : {_flat(content.medical_history)}", "atcd-med"),
            (f"Antécédents chirurgicaux : {_flat(content.surgical_history)}", "atcd-chir"),
            *zip(listed, anchors, strict=True),
        ],
    )
    for code, anchor in ((_MEDICAL, "atcd-med"), (_SURGICAL, "atcd-chir")):
        observation = _completed(section, pen, code, anchor)
        refer(typed(add(observation, "value"), "CD"), "originalText", anchor)
        add(observation, "targetSiteCode", nullFlavor="NA")
    for place, anchor in enumerate(anchors):
        observation = _completed(section, pen, _FORBIDS, anchor)
        if forbidding:
            refer(typed(add_code(observation, "value", forbidding[place]), "CD"), "originalText", anchor)
        else:
            # The entry is mandatory and the value set has no "none": a text value is not compared with it.
            typed(add(observation, "value", NO_CONTRAINDICATION), "ST")
        add(observation, "targetSiteCode", nullFlavor="NA")


def _completed(section: Element, pen: Pen, code: Code, anchor: str) -> Element:
    observation = pen.observation(section, code)
    refer(observation, "text", anchor)
    add(observation, "statusCode", code="completed")
    return observation


def _flat(prose: str) -> str:
    """A prose on one line: an anchor covers one piece of text."""
    return " ; ".join(line.strip(" -•") for line in prose.splitlines() if line.strip()) or NOT_STATED
