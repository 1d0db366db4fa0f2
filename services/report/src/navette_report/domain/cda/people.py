"""Who takes part in a CDA: patient, radiologist, organisation, correspondents (spec/cda.md §4.2, §4.3)."""

from __future__ import annotations

import contextlib
from datetime import date

from navette_contracts.events import Audience, RecipientRole
from navette_documents.codes import GENDERS, PRACTICE_SETTINGS, SPECIALTIES, TREATING_PHYSICIAN
from navette_documents.hl7dates import format_local
from navette_documents.identifiers import PS_AUTHORITY, STRUCT_AUTHORITY, ps_idnat, struct_idnat
from navette_documents.sites import Site

from navette_report.domain.cda.tree import (
    XSI,
    Element,
    add,
    add_address,
    add_code,
    add_mail,
    add_person_name,
    add_phone,
)
from navette_report.domain.content import Correspondent, ReportContent
from navette_report.domain.document import DocumentModel
from navette_report.domain.identity import PatientIdentity

PATIENT_MAIL_DOMAIN = "patient.mssante.fr"
_GENDER_OF_SEX = {"M": "M", "F": "F", "I": "UN"}


def add_record_target(root: Element, patient: PatientIdentity, ipp_oid: str) -> None:
    """The patient: INS and its mailbox only when qualified, local identifier (assigned by `ipp_oid`) always."""
    traits = patient.traits
    role = add(add(root, "recordTarget"), "patientRole")
    if patient.qualified and patient.ins is not None:
        add(role, "id", root=patient.ins.oid, extension=patient.ins.matricule)
    add(role, "id", root=ipp_oid, extension=traits.local_id or patient.patient_id)
    add(role, "addr", nullFlavor="UNK")
    if patient.qualified and patient.ins is not None:
        add_mail(role, f"{patient.ins.matricule}@{PATIENT_MAIL_DOMAIN}")
    else:
        add(role, "telecom", nullFlavor="UNK")
    person = add(role, "patient", classCode="PSN")
    name = add(person, "name")
    add(name, "family", traits.birth_name, qualifier="BR")
    add(name, "given", traits.birth_given_names)
    add(name, "given", traits.first_birth_given_name, qualifier="BR")
    if traits.used_name:
        add(name, "family", traits.used_name, qualifier="CL")
    if traits.used_given_name:
        add(name, "given", traits.used_given_name, qualifier="CL")
    gender = GENDERS[_GENDER_OF_SEX[traits.sex]]
    add(
        person,
        "administrativeGenderCode",
        code=gender.code,
        displayName=gender.display,
        codeSystem=gender.system,
    )
    add(person, "birthTime", value=_known_part(traits.birth_date))
    place = add(add(add(person, "birthplace"), "place"), "addr")
    add(place, "county", traits.birth_place_code)


def add_organization(parent: Element, tag: str, site: Site, *, sector: bool = True) -> None:
    """The site as an organisation; its practice setting where the class has room for it."""
    organization = add(parent, tag)
    add(organization, "id", root=STRUCT_AUTHORITY, extension=site.struct_idnat)
    add(organization, "name", site.name)
    add_phone(organization, site.phone, use="WP")
    add_address(organization, site.address)
    if sector:
        setting = PRACTICE_SETTINGS[site.practice_setting]
        add(
            organization,
            "standardIndustryClassCode",
            code=setting.code,
            displayName=setting.display,
            codeSystem=setting.system,
        )


def _known_part(birth_date: str) -> str:
    """A birth date as far as it is one of the calendar: a day or a month that nobody knows is left out."""
    digits = birth_date.replace("-", "")
    for length, whole in ((8, birth_date), (6, f"{birth_date[:7]}-01")):
        with contextlib.suppress(ValueError):
            date.fromisoformat(whole)
            return digits[:length]
    return digits[:4]


def add_radiologist(parent: Element, tag: str, document: DocumentModel) -> None:
    """The radiologist who validated, as an assigned author or entity: at the site, or where they read from."""
    signatory, remote = document.signature.signatory, document.content.teleradiology
    entity = add(parent, tag)
    add(entity, "id", root=PS_AUTHORITY, extension=ps_idnat(signatory.rpps))
    add_code(entity, "code", SPECIALTIES[signatory.specialty or document.site.radiologist_specialty])
    if remote is None:
        add_address(entity, document.site.address)
        add_phone(entity, document.site.phone, use="WP")
    add_person_name(add(entity, "assignedPerson"), family=signatory.family_name, given=signatory.given_name, title="DR")
    if remote is None:
        add_organization(entity, "representedOrganization", document.site)
    else:
        organization = add(entity, "representedOrganization")
        add(organization, "id", root=STRUCT_AUTHORITY, extension=struct_idnat(remote.reader_finess))
        add(organization, "name", remote.reader_organization)


def add_responsible(parent: Element, tag: str, document: DocumentModel) -> None:
    """Who answers for the examination at the site: the radiologist, in teleradiology the responsible doctor there."""
    remote = document.content.teleradiology
    if remote is None:
        add_radiologist(parent, tag, document)
        return
    doctor = remote.responsible
    entity = add(parent, tag)
    add(entity, "id", root=PS_AUTHORITY, extension=ps_idnat(doctor.rpps))
    add_code(entity, "code", SPECIALTIES[doctor.specialty])
    add_address(entity, document.site.address)
    add_phone(entity, document.site.phone, use="WP")
    add_person_name(
        add(entity, "assignedPerson"),
        family=doctor.family_name,
        given=doctor.given_name,
        civility=doctor.civility,
        title="DR",
    )
    add_organization(entity, "representedOrganization", document.site)


def add_authors(root: Element, document: DocumentModel) -> None:
    """The radiologist wrote the report, at the time of the validation; in teleradiology the doctor responsible
    at the site is the second author (spec/cda.md §4.3)."""
    writers = [add_radiologist] if document.content.teleradiology is None else [add_radiologist, add_responsible]
    for writer in writers:
        author = add(root, "author")
        add(author, "time", value=format_local(document.signature.signed_at, document.zone))
        writer(author, "assignedAuthor", document)


def add_custodian(root: Element, site: Site) -> None:
    """The site keeps the document."""
    assigned = add(add(root, "custodian", typeCode="CST"), "assignedCustodian", classCode="ASSIGNED")
    add_organization(assigned, "representedCustodianOrganization", site, sector=False)


def add_recipients(root: Element, document: DocumentModel) -> None:
    """Every professional with an RPPS the report is sent to, with the MSSanté address when known (RIS.DOC.05)."""
    sent = Audience.PROFESSIONALS in document.announced_parties
    for one in document.content.correspondents:
        if one.rpps is None or not sent:
            continue
        kind = "PRCP" if one.role is RecipientRole.REQUESTER else "TRC"
        recipient = add(add(root, "informationRecipient", typeCode=kind), "intendedRecipient")
        add(recipient, "id", root=PS_AUTHORITY, extension=ps_idnat(one.rpps))
        _add_telecoms(recipient, one)
        _add_name(add(recipient, "informationRecipient"), one)
        _add_their_organization(recipient, "receivedOrganization", one)


def add_legal_authenticator(root: Element, document: DocumentModel) -> None:
    """The validation: signature code S, at the time of the act; in teleradiology under the responsible doctor."""
    authenticator = add(root, "legalAuthenticator")
    add(authenticator, "time", value=format_local(document.signature.signed_at, document.zone))
    add(authenticator, "signatureCode", code="S")
    add_responsible(authenticator, "assignedEntity", document)


def add_participants(root: Element, content: ReportContent) -> None:
    """The requesting physician (REF) and the treating physician (INF, function PCP), with their MSSanté address
    when known (RIS.DOC.05); the time of their part is not known here."""
    requester = content.requester
    if requester is not None:
        _add_participant(root, requester, "REF", "UNK")
    for one in content.correspondents:
        if one.treating_physician:
            _add_participant(root, one, "INF", "NA")


def _add_participant(root: Element, one: Correspondent, kind: str, time_unknown: str) -> None:
    participant = add(root, "participant", typeCode=kind)
    if kind == "INF":
        function = TREATING_PHYSICIAN
        add(
            participant,
            "functionCode",
            code=function.code,
            displayName=function.display,
            codeSystem=function.system,
        )
    time = add(participant, "time", nullFlavor=time_unknown)
    time.set(f"{{{XSI}}}type", "IVL_TS")
    entity = add(participant, "associatedEntity", classCode="PROV")
    if one.rpps is not None:
        add(entity, "id", root=PS_AUTHORITY, extension=ps_idnat(one.rpps))
    elif one.finess is not None:
        add(entity, "id", root=STRUCT_AUTHORITY, extension=struct_idnat(one.finess))
    if one.specialty is not None:
        add_code(entity, "code", SPECIALTIES[one.specialty])
    _add_telecoms(entity, one)
    _add_name(add(entity, "associatedPerson"), one)
    _add_their_organization(entity, "scopingOrganization", one)


def _add_name(parent: Element, one: Correspondent) -> None:
    add_person_name(parent, family=one.family_name, given=one.given_name, civility=one.civility, title=one.title)


def _add_telecoms(parent: Element, one: Correspondent) -> None:
    if one.phone is not None:
        add_phone(parent, one.phone, use="WP")
    if one.mss_address is not None:
        add_mail(parent, one.mss_address)


def _add_their_organization(parent: Element, tag: str, one: Correspondent) -> None:
    if one.organization is None and one.finess is None:
        return
    organization = add(parent, tag)
    if one.finess is not None:
        add(organization, "id", root=STRUCT_AUTHORITY, extension=struct_idnat(one.finess))
    if one.organization is not None:
        add(organization, "name", one.organization)
