"""The few facts of a CDA header that the metadata must agree with (spec/dmp.md §6.3, last column)."""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

from navette_sandbox.simulators.dmp import names
from navette_sandbox.simulators.dmp.xml import attribute, hl7_utc, parse

_NS = {"h": names.HL7}


@dataclass(frozen=True, slots=True)
class CdaFacts:
    """Header values; times are UTC digits."""

    unique_id: str
    type_code: str
    title: str
    creation_time: str
    confidentiality: str
    language: str
    set_id: str
    patient_ids: frozenset[tuple[str, str]]
    birth_date: str
    gender: str
    service_start: str
    service_stop: str
    parents: frozenset[str]
    pdf_body: bool
    structured_body: bool


def _first(root: etree._Element, path: str) -> etree._Element | None:
    return root.find(path, _NS)


def _value(root: etree._Element, path: str, name: str = "value") -> str:
    return attribute(_first(root, path), name)


def read_cda(data: bytes) -> CdaFacts | None:
    """The facts of a ClinicalDocument; ``None`` for another root. Raises `xml.XmlError`."""
    root = parse(data)
    if root.tag != names.q(names.HL7, "ClinicalDocument"):
        return None
    title = _first(root, "h:title")
    service = "h:documentationOf/h:serviceEvent/h:effectiveTime"
    body = _first(root, "h:component/h:nonXMLBody/h:text")
    patient = "h:recordTarget/h:patientRole/h:patient"
    return CdaFacts(
        unique_id=_identifier(_first(root, "h:id")),
        type_code=_value(root, "h:code", "code"),
        title=" ".join("".join(map(str, title.itertext())).split()) if title is not None else "",
        creation_time=hl7_utc(_value(root, "h:effectiveTime")),
        confidentiality=_value(root, "h:confidentialityCode", "code"),
        language=_value(root, "h:languageCode", "code"),
        set_id=_identifier(_first(root, "h:setId")),
        patient_ids=frozenset(
            (attribute(item, "root"), attribute(item, "extension"))
            for item in root.iterfind("h:recordTarget/h:patientRole/h:id", _NS)
        ),
        birth_date=_value(root, f"{patient}/h:birthTime"),
        gender=_value(root, f"{patient}/h:administrativeGenderCode", "code"),
        service_start=hl7_utc(_value(root, f"{service}/h:low")),
        service_stop=hl7_utc(_value(root, f"{service}/h:high")),
        parents=frozenset(
            _identifier(item)
            for item in root.iterfind("h:relatedDocument[@typeCode='RPLC']/h:parentDocument/h:id", _NS)
        ),
        pdf_body=attribute(body, "mediaType") == "application/pdf" and attribute(body, "representation") == "B64",
        structured_body=_first(root, "h:component/h:structuredBody") is not None,
    )


def _identifier(element: etree._Element | None) -> str:
    root, extension = attribute(element, "root"), attribute(element, "extension")
    return f"{root}^{extension}" if extension else root
