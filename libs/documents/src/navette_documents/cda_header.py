"""Reading of a CDA header with a hardened parser (spec/cda.md §3 and §4)."""

from __future__ import annotations

from typing import Literal

from lxml import etree

from navette_documents.cda_model import (
    ActHeader,
    CdaHeader,
    InstanceId,
    OrderHeader,
    OrganisationHeader,
    ParticipantHeader,
    PatientHeader,
    ProfessionalHeader,
)
from navette_documents.codes import CCAM, MODALITY_QUALIFIER, REGION_QUALIFIER, Code
from navette_documents.errors import InvalidValue
from navette_documents.xml import DEFAULT_MAX_BYTES, parse_xml

MAX_NODES = 300_000
"""Of a CDA: some hundred times those of a structured imaging report."""

NAMESPACE = "urn:hl7-org:v3"
DICOM_NAMESPACE = "urn:dicom-org:ps3-20"
_NS = {"h": NAMESPACE, "d": DICOM_NAMESPACE}
_OLD_CCAM = "1.2.250.1.213.2.5"
"""Code system of CCAM before February 2025, still found in documents."""
_GENDERS: dict[str, Literal["M", "F", "UN"]] = {"M": "M", "F": "F", "UN": "UN"}

_Element = etree._Element


def read_header(cda: bytes, *, max_bytes: int = DEFAULT_MAX_BYTES) -> CdaHeader:
    """Header of `cda`.

    Raises XmlRefused when the XML is not acceptable, InvalidValue (field = path of the element, rule =
    "missing", "root" or "value") when a part every imaging report has is not there. No value is quoted.
    """
    root = parse_xml(cda, max_bytes=max_bytes, max_nodes=MAX_NODES)
    if root.tag != f"{{{NAMESPACE}}}ClinicalDocument":
        raise InvalidValue("ClinicalDocument", "root")
    return CdaHeader(
        id=_needed_id(root, "h:id"),
        set_id=_id(_first(root, "h:setId")),
        version_number=_version(root),
        template_ids=tuple(e.get("root", "") for e in _all(root, "h:templateId")),
        level=_level(root),
        code=_needed_code(root, "h:code"),
        title=_text(_needed(root, "h:title")) or "",
        effective_time=_needed_value(root, "h:effectiveTime"),
        confidentiality=_needed_code(root, "h:confidentialityCode"),
        language=_needed(root, "h:languageCode").get("code", ""),
        patient=_patient(_needed(root, "h:recordTarget/h:patientRole")),
        authors=_authors(root),
        legal_authenticator=_legal_authenticator(root),
        custodian=_organisation(_first(root, "h:custodian/h:assignedCustodian/h:representedCustodianOrganization")),
        participants=_participants(root),
        recipients=tuple(
            person
            for e in _all(root, "h:informationRecipient/h:intendedRecipient")
            if (person := _professional(e, "h:informationRecipient", "h:receivedOrganization")) is not None
        ),
        orders=tuple(_order(e) for e in _all(root, "h:inFulfillmentOf/h:order")),
        acts=tuple(_act(e) for e in _all(root, "h:documentationOf/h:serviceEvent")),
        replaces=tuple(
            found
            for e in _all(root, "h:relatedDocument[@typeCode='RPLC']/h:parentDocument/h:id")
            if (found := _id(e)) is not None
        ),
        encounter=_code(_first(root, "h:componentOf/h:encompassingEncounter/h:code")),
        facility_type=_code(
            _first(root, "h:componentOf/h:encompassingEncounter/h:location/h:healthCareFacility/h:code")
        ),
    )


def _authors(root: _Element) -> tuple[ProfessionalHeader, ...]:
    authors = []
    for author in _all(root, "h:author"):
        person = _professional(
            _needed(author, "h:assignedAuthor"),
            "h:assignedPerson",
            "h:representedOrganization",
            function=_code(_first(author, "h:functionCode")),
            time=_value(_first(author, "h:time")),
        )
        if person is not None:
            authors.append(person)
    if not authors:
        raise InvalidValue("author", "missing")
    return tuple(authors)


def _legal_authenticator(root: _Element) -> ProfessionalHeader:
    element = _needed(root, "h:legalAuthenticator")
    person = _professional(
        _needed(element, "h:assignedEntity"),
        "h:assignedPerson",
        "h:representedOrganization",
        time=_value(_first(element, "h:time")),
    )
    if person is None:
        raise InvalidValue("legalAuthenticator/assignedEntity/id", "missing")
    return person


def _participants(root: _Element) -> tuple[ParticipantHeader, ...]:
    found = []
    for participant in _all(root, "h:participant"):
        entity = _first(participant, "h:associatedEntity")
        if entity is None:
            continue
        person = _professional(
            entity,
            "h:associatedPerson",
            "h:scopingOrganization",
            function=_code(_first(participant, "h:functionCode")),
        )
        if person is not None:
            found.append(ParticipantHeader(participant.get("typeCode", ""), person))
    return tuple(found)


def _professional(
    element: _Element,
    person_path: str,
    organisation_path: str,
    *,
    function: Code | None = None,
    time: str | None = None,
) -> ProfessionalHeader | None:
    """Person of an assigned or associated entity; None when it carries no usable identifier."""
    identifier = next((i for e in _all(element, "h:id") if (i := _id(e)) is not None), None)
    if identifier is None:
        return None
    return ProfessionalHeader(
        id=identifier,
        family=_text(_first(element, f"{person_path}/h:name/h:family")),
        given=_text(_first(element, f"{person_path}/h:name/h:given")),
        specialty=_code(_first(element, "h:code")),
        organisation=_organisation(_first(element, organisation_path)),
        function=function,
        time=time,
    )


def _organisation(element: _Element | None) -> OrganisationHeader | None:
    if element is None:
        return None
    return OrganisationHeader(
        id=_id(_first(element, "h:id")),
        name=_text(_first(element, "h:name")),
        practice_setting=_code(_first(element, "h:standardIndustryClassCode")),
    )


def _patient(role: _Element) -> PatientHeader:
    ids = tuple(i for e in _all(role, "h:id") if (i := _id(e)) is not None and i.extension)
    if not ids:
        raise InvalidValue("recordTarget/patientRole/id", "missing")
    patient = _needed(role, "h:patient")
    name = _needed(patient, "h:name")
    birth_name = _text(_first(name, "h:family[@qualifier='BR']"))
    first = _text(_first(name, "h:given[@qualifier='BR']"))
    given = _text(_first(name, "h:given[not(@qualifier)]")) or first
    if birth_name is None or given is None:
        raise InvalidValue("recordTarget/patientRole/patient/name", "missing")
    gender = _GENDERS.get(_needed(patient, "h:administrativeGenderCode").get("code", ""))
    if gender is None:
        raise InvalidValue("recordTarget/patientRole/patient/administrativeGenderCode", "value")
    return PatientHeader(
        ids=ids,
        birth_name=birth_name,
        birth_given_names=given,
        first_birth_given_name=first,
        used_name=_text(_first(name, "h:family[@qualifier='CL']")),
        used_given_name=_text(_first(name, "h:given[@qualifier='CL']")),
        gender=gender,
        birth_date=_needed_value(patient, "h:birthTime"),
        birth_place_code=_text(_first(patient, "h:birthplace/h:place/h:addr/h:county")),
    )


def _order(element: _Element) -> OrderHeader:
    return OrderHeader(order_id=_id(_first(element, "h:id")), accession=_id(_first(element, "d:accessionNumber")))


def _act(element: _Element) -> ActHeader:
    study = _id(_first(element, "h:id"))
    performer = _first(element, "h:performer/h:assignedEntity")
    translations = _all(element, "h:code/h:translation")

    def qualified(qualifier: Code) -> tuple[Code, ...]:
        return tuple(
            code
            for e in translations
            if any(name.get("code") == qualifier.code for name in _all(e, "h:qualifier/h:name"))
            and (code := _code(e)) is not None
        )

    return ActHeader(
        study_uid=study.root if study else None,
        code=_code(_first(element, "h:code")),
        ccam=next((c for e in translations if (c := _code(e)) and c.system in (CCAM, _OLD_CCAM)), None),
        modalities=qualified(MODALITY_QUALIFIER),
        regions=qualified(REGION_QUALIFIER),
        start=_value(_first(element, "h:effectiveTime/h:low")),
        stop=_value(_first(element, "h:effectiveTime/h:high")),
        performer=(
            None if performer is None else _professional(performer, "h:assignedPerson", "h:representedOrganization")
        ),
    )


def _version(root: _Element) -> int | None:
    text = _value(_first(root, "h:versionNumber"))
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()):
        raise InvalidValue("versionNumber", "value")
    return int(text)


def _level(root: _Element) -> Literal["N1", "N3"]:
    if _first(root, "h:component/h:nonXMLBody") is not None:
        return "N1"
    if _first(root, "h:component/h:structuredBody") is not None:
        return "N3"
    raise InvalidValue("component", "missing")


def _all(element: _Element, path: str) -> list[_Element]:
    found = element.xpath(path, namespaces=_NS)
    return [e for e in found if isinstance(e, _Element)] if isinstance(found, list) else []


def _first(element: _Element, path: str) -> _Element | None:
    return next(iter(_all(element, path)), None)


def _needed(element: _Element, path: str) -> _Element:
    found = _first(element, path)
    if found is None:
        raise InvalidValue(path.replace("h:", ""), "missing")
    return found


def _needed_value(element: _Element, path: str) -> str:
    value = _value(_needed(element, path))
    if value is None:
        raise InvalidValue(path.replace("h:", ""), "missing")
    return value


def _needed_code(element: _Element, path: str) -> Code:
    code = _code(_needed(element, path))
    if code is None:
        raise InvalidValue(path.replace("h:", ""), "missing")
    return code


def _needed_id(element: _Element, path: str) -> InstanceId:
    found = _id(_needed(element, path))
    if found is None:
        raise InvalidValue(path.replace("h:", ""), "missing")
    return found


def _id(element: _Element | None) -> InstanceId | None:
    if element is None or not element.get("root"):
        return None
    return InstanceId(element.get("root", ""), element.get("extension") or None)


def _code(element: _Element | None) -> Code | None:
    if element is None or not element.get("code"):
        return None
    return Code(element.get("code", ""), element.get("displayName", ""), element.get("codeSystem", ""))


def _value(element: _Element | None) -> str | None:
    return None if element is None else element.get("value") or None


def _text(element: _Element | None) -> str | None:
    if element is None:
        return None
    text = " ".join("".join(str(part) for part in element.itertext()).split())
    return text or None
