"""Metadata of a document taken from its CDA header (spec/dmp.md §6.3 to §6.5)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from navette_documents.cda_model import CdaHeader, InstanceId, PatientHeader, ProfessionalHeader
from navette_documents.codes import (
    CLASS_REPORT,
    FORMAT_N1_PDF,
    FORMAT_N3_IMAGING,
    HIDDEN_FROM_PATIENT,
    HIDDEN_FROM_PROFESSIONALS,
    HIDDEN_FROM_REPRESENTATIVES,
    Code,
)
from navette_documents.errors import InvalidValue
from navette_documents.hl7dates import to_utc
from navette_documents.identifiers.oid import is_oid, uuid_to_oid
from navette_documents.xds.hl7types import clean, coded, cx, cxi, xcn_person, xon
from navette_documents.xds.model import Author, DocumentEntry

ACCESSION = "urn:ihe:iti:xds:2013:accession"
ORDER = "urn:ihe:iti:xds:2013:order"
STUDY_UID = "urn:ihe:iti:xds:2016:studyInstanceUID"


@dataclass(frozen=True, slots=True)
class Visibility:
    """Masks a document is submitted with."""

    hidden_from_professionals: bool = False
    hidden_from_patient: bool = False
    hidden_from_representatives: bool = False

    def codes(self) -> tuple[Code, ...]:
        """Masking codes. Raises InvalidValue: the DMP refuses hiding from professionals and patient at once."""
        if self.hidden_from_professionals and self.hidden_from_patient:
            raise InvalidValue("confidentialityCode", "MASQUE_PS and INVISIBLE_PATIENT together")
        wanted = (
            (self.hidden_from_professionals, HIDDEN_FROM_PROFESSIONALS),
            (self.hidden_from_patient, HIDDEN_FROM_PATIENT),
            (self.hidden_from_representatives, HIDDEN_FROM_REPRESENTATIVES),
        )
        return tuple(code for is_wanted, code in wanted if is_wanted)


def unique_id_of(identifier: InstanceId) -> str:
    """uniqueId of a document: its OID, `^` and the extension if it has one; a UUID root becomes 2.25.n."""
    root = identifier.root
    if not is_oid(root):
        try:
            root = uuid_to_oid(UUID(root))
        except ValueError:
            raise InvalidValue("ClinicalDocument/id", "neither OID nor UUID") from None
    return f"{root}^{clean(identifier.extension)}" if identifier.extension else root


def patient_cx(patient: PatientHeader) -> str:
    """Patient of the metadata: the INS, the local identifier when the identity is not qualified."""
    if patient.ins is not None:
        return cx(patient.ins.extension or "", patient.ins.root, "NH")
    if patient.local_id is not None:
        return cx(patient.local_id.extension or "", patient.local_id.root, "PI")
    raise InvalidValue("recordTarget/patientRole/id", "missing")


def author_of(professional: ProfessionalHeader) -> Author:
    """Author metadata of a professional. Raises InvalidValue when name or structure is missing."""
    organisation = professional.organisation
    if organisation is None or organisation.id is None or organisation.id.extension is None:
        raise InvalidValue("author/representedOrganization/id", "missing")
    return Author(
        person=_xcn(professional),
        institutions=(xon(organisation.name, organisation.id.extension),),
        roles=(clean(professional.function.display),) if professional.function else (),
        specialties=(coded(professional.specialty),) if professional.specialty else (),
    )


def entry_from_cda(
    header: CdaHeader,
    cda: bytes,
    *,
    visibility: Visibility = Visibility(),
    class_code: Code = CLASS_REPORT,
    uri: str | None = None,
    extra_slots: Iterable[tuple[str, str]] = (),
    object_id: str = "Document01",
) -> DocumentEntry:
    """Sheet of `cda`, whose header is `header`; hash and size are those of the bytes given.

    `class_code` is a parameter because the guides disagree (CLASS_IMAGING is the other candidate).
    Raises InvalidValue naming the header element that is missing.
    """
    act = header.acts[0] if header.acts else None
    if act is None or act.start is None:
        raise InvalidValue("documentationOf/serviceEvent/effectiveTime/low", "missing")
    performer = act.performer.organisation if act.performer else None
    if performer is None or performer.practice_setting is None:
        raise InvalidValue("serviceEvent/performer/standardIndustryClassCode", "missing")
    if header.facility_type is None:
        raise InvalidValue("encompassingEncounter/location/healthCareFacility/code", "missing")
    return DocumentEntry(
        unique_id=unique_id_of(header.id),
        patient_id=patient_cx(header.patient),
        mime_type="text/xml",
        creation_time=to_utc(header.effective_time),
        service_start_time=to_utc(act.start),
        service_stop_time=to_utc(act.stop) if act.stop else None,
        language=header.language,
        legal_authenticator=_xcn(header.legal_authenticator),
        source_patient_id=_source_patient_id(header.patient),
        source_patient_info=source_patient_info(header.patient),
        sha1=hashlib.sha1(cda, usedforsecurity=False).hexdigest(),
        size=len(cda),
        title=header.title,
        authors=tuple(author_of(author) for author in header.authors),
        class_code=class_code,
        type_code=header.code,
        format_code=FORMAT_N1_PDF if header.level == "N1" else FORMAT_N3_IMAGING,
        confidentiality=(header.confidentiality, *visibility.codes()),
        facility_type=header.facility_type,
        practice_setting=performer.practice_setting,
        event_codes=_event_codes(header),
        reference_ids=_reference_ids(header),
        uri=uri,
        extra_slots=tuple(extra_slots),
        object_id=object_id,
    )


def source_patient_info(patient: PatientHeader) -> tuple[str, ...]:
    """PID lines: birth name (type L), name in use (type D) if another, birth date, sex, birth place."""
    first = patient.first_birth_given_name or patient.birth_given_names
    lines = [f"PID-5|{clean(patient.birth_name)}^{clean(first)}^^^^^L"]
    if patient.used_name and (patient.used_name, patient.used_given_name) != (patient.birth_name, first):
        lines.append(f"PID-5|{clean(patient.used_name)}^{clean(patient.used_given_name or first)}^^^^^D")
    lines.append(f"PID-7|{clean(patient.birth_date)}")
    lines.append(f"PID-8|{'U' if patient.gender == 'UN' else patient.gender}")
    if patient.birth_place_code:
        lines.append(f"PID-11|^^^^^^BDL^^{clean(patient.birth_place_code)}")
    return tuple(lines)


def _source_patient_id(patient: PatientHeader) -> str:
    local = patient.local_id
    return patient_cx(patient) if local is None else cx(local.extension or "", local.root, "PI")


def _xcn(professional: ProfessionalHeader) -> str:
    return xcn_person(professional.id.extension or "", professional.family, professional.given)


def _event_codes(header: CdaHeader) -> tuple[Code, ...]:
    """Acts, modalities and regions of all acts, each once, in document order."""
    found: dict[tuple[str, str], Code] = {}
    for act in header.acts:
        for code in (act.code, act.ccam, *act.modalities, *act.regions):
            if code is not None:
                found.setdefault((code.system, code.code), code)
    return tuple(found.values())


def _reference_ids(header: CdaHeader) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for order in header.orders:
        for identifier, kind in ((order.accession, ACCESSION), (order.order_id, ORDER)):
            if identifier is not None and identifier.extension:
                found[cxi(identifier.extension, identifier.root, kind)] = None
    for act in header.acts:
        if act.study_uid:
            found[cxi(act.study_uid, None, STUDY_UID)] = None
    return tuple(found)
