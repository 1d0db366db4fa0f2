"""VIHF, the SAML assertion that says on whose behalf the DMP is called (spec/dmp.md §4).

Mode INDIRECTE: the seal of the structure signs, the user is declared.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime

from lxml import etree
from navette_documents.cda_model import ProfessionalHeader
from navette_documents.codes import DOCTOR, FACILITY_TYPE_SYSTEM, RPPS_SPECIALTY_SYSTEM, Code
from navette_documents.errors import InvalidValue
from signxml.algorithms import (
    CanonicalizationMethod,
    DigestAlgorithm,
    SignatureConstructionMethod,
    SignatureMethod,
)
from signxml.signer import XMLSigner

from navette_dmp.domain.names import DSIG, HL7, SAML, XSI, default_namespace, q
from navette_dmp.domain.signer import Signer

ISSUER_FORMAT = "urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName"
_SUBJECT_ID = "urn:oasis:names:tc:xspa:1.0:subject:subject-id"
_RESOURCE_ID = "urn:oasis:names:tc:xacml:2.0:resource:resource-id"
_ROLE = "urn:oasis:names:tc:xacml:2.0:subject:role"
_CONFIDENTIALITY = "urn:oasis:names:tc:xspa:1.0:resource:patient:hl7:confidentiality-code"
_PURPOSE = "urn:oasis:names:tc:xspa:1.0:subject:purposeofuse"

_DOCTOR_SPECIALTY = re.compile(r"G15_10/([A-Z0-9]+)")


@dataclass(frozen=True, slots=True)
class Software:
    """How the software names itself; name and version must equal those of its "à propos" page."""

    name: str
    version: str
    homologation: str = field(repr=False)
    """Homologation number, a secret (EX_GEN-1490)."""
    installation_id: str | None = None
    """LPS_ID, optional."""


@dataclass(frozen=True, slots=True)
class VihfProfile:
    """What the sources leave open (spec/dmp.md §16): settings of the service."""

    software: Software
    version: str = "3.0"
    mode_attribute: str = "Authentification_mode"
    authn_context: str = "urn:oasis:names:tc:SAML:2.0:ac:classes:MobileTwoFactorUnregistered"


@dataclass(frozen=True, slots=True)
class VihfSubject:
    """On whose behalf, from which structure, about whom."""

    ps_idnat: str
    name: str
    specialty: Code
    """TRE_R01, second role of a doctor."""
    structure: str
    """Struct_IdNat."""
    sector: str
    """Secteur_Activite, "SA08" style."""
    patient: str = field(repr=False)
    """INS as CX."""
    authenticated_at: datetime
    """When the user had logged in."""
    secret_connection: str | None = None
    """Value of the attribute for a connexion secrète; None: there is no such attribute."""


def subject_of(
    doctor: ProfessionalHeader, *, structure: str, sector: str, patient: str, authenticated_at: datetime
) -> VihfSubject:
    """Subject for the doctor who signed the report.

    Raises InvalidValue when the header gives no name or no specialty: the DMP refuses a doctor without one.
    """
    if not doctor.family or not doctor.given or doctor.id.extension is None:
        raise InvalidValue("legalAuthenticator/assignedPerson/name", "missing")
    match = _DOCTOR_SPECIALTY.fullmatch(doctor.specialty.code) if doctor.specialty else None
    if match is None or doctor.specialty is None:
        raise InvalidValue("legalAuthenticator/assignedEntity/code", "specialty of a doctor expected")
    label = doctor.specialty.display.removeprefix(f"{DOCTOR.display} - ")
    return VihfSubject(
        ps_idnat=doctor.id.extension,
        name=f"{doctor.given} {doctor.family}".upper(),
        specialty=Code(match.group(1), label, RPPS_SPECIALTY_SYSTEM),
        structure=structure,
        sector=sector,
        patient=patient,
        authenticated_at=authenticated_at,
    )


def build_assertion(
    subject: VihfSubject, profile: VihfProfile, *, assertion_id: str, issued_at: datetime, issuer: str
) -> etree._Element:
    """Unsigned assertion. `assertion_id` is an NCName, used once; `issuer` the DN of the seal."""
    assertion = etree.Element(
        q(SAML, "Assertion"),
        {"ID": assertion_id, "IssueInstant": instant(issued_at), "Version": "2.0"},
        nsmap={"saml2": SAML, "xsi": XSI},
    )
    _text(assertion, "Issuer", issuer).set("Format", ISSUER_FORMAT)
    _text(etree.SubElement(assertion, q(SAML, "Subject")), "NameID", subject.ps_idnat)
    statement = etree.SubElement(assertion, q(SAML, "AuthnStatement"))
    statement.set("AuthnInstant", instant(subject.authenticated_at))
    context = etree.SubElement(statement, q(SAML, "AuthnContext"))
    _text(context, "AuthnContextClassRef", profile.authn_context)
    attributes = etree.SubElement(assertion, q(SAML, "AttributeStatement"))
    _fill(attributes, subject, profile)
    return assertion


def sign_assertion(assertion: etree._Element, signer: Signer) -> etree._Element:
    """The assertion with its enveloped signature right after Issuer: RSA-SHA256, exclusive C14N.

    The result must be embedded as it is: re-indenting or re-prefixing it breaks the signature.
    """
    placeholder = etree.Element(q(DSIG, "Signature"), {"Id": "placeholder"}, nsmap={"ds": DSIG})
    assertion.insert(1, placeholder)
    xml_signer = XMLSigner(
        method=SignatureConstructionMethod.enveloped,
        signature_algorithm=SignatureMethod.RSA_SHA256,
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    signed: etree._Element = xml_signer.sign(
        assertion,
        key=signer.key,
        cert=[signer.certificate],
        reference_uri=assertion.get("ID"),
        id_attribute="ID",
    )
    return signed


def instant(moment: datetime) -> str:
    """`2026-01-05T10:15:30.000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _fill(statement: etree._Element, subject: VihfSubject, profile: VihfProfile) -> None:
    software = profile.software
    _attribute(statement, "VIHF_Version", profile.version)
    _attribute(statement, profile.mode_attribute, "INDIRECTE")
    _attribute(statement, "Identifiant_Structure", subject.structure)
    _attribute(statement, "Secteur_Activite", f"{subject.sector}^{FACILITY_TYPE_SYSTEM}")
    _attribute(statement, _SUBJECT_ID, subject.name)
    _attribute(statement, _RESOURCE_ID, subject.patient)
    _attribute(statement, "Ressource_URN", "urn:dmp")
    roles = etree.SubElement(statement, q(SAML, "Attribute"), {"Name": _ROLE})
    _coded(roles, "Role", DOCTOR, "professions")
    _coded(roles, "Role", subject.specialty, "specialites RPPS")
    purpose = etree.SubElement(statement, q(SAML, "Attribute"), {"Name": _PURPOSE})
    normal = Code("normal", "Accès normal", "1.2.250.1.213.1.1.4.248")
    _coded(purpose, "PurposeOfUse", normal, "mode acces VIHF 2.0")
    if subject.secret_connection is not None:
        _attribute(statement, _CONFIDENTIALITY, subject.secret_connection)
    if software.installation_id is not None:
        _attribute(statement, "LPS_ID", software.installation_id)
    _attribute(statement, "LPS_Nom", software.name)
    _attribute(statement, "LPS_Version", software.version)
    _attribute(statement, "LPS_ID_HOMOLOGATION_DMP", software.homologation)


def _attribute(statement: etree._Element, name: str, value: str) -> None:
    attribute = etree.SubElement(statement, q(SAML, "Attribute"), {"Name": name})
    _text(attribute, "AttributeValue", value)


def _coded(attribute: etree._Element, tag: str, code: Code, system_name: str) -> None:
    # The default namespace on the element itself lets the type "CE" resolve without a prefix: exclusive
    # C14N does not see prefixes used only inside attribute values.
    value = etree.SubElement(attribute, q(SAML, "AttributeValue"))
    element = etree.SubElement(value, q(HL7, tag), nsmap=default_namespace(HL7))
    element.set("code", code.code)
    element.set("codeSystem", code.system)
    element.set("codeSystemName", system_name)
    element.set("displayName", code.display)
    element.set(q(XSI, "type"), "CE")


def _text(parent: etree._Element, tag: str, text: str) -> etree._Element:
    element = etree.SubElement(parent, q(SAML, tag))
    element.text = text
    return element
