"""Verification of the VIHF: signature, certificate, freshness, attributes (spec/dmp.md §4)."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

import xmlsec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from navette_sandbox.simulators.dmp import certificates, names
from navette_sandbox.simulators.dmp.errors import DmpFaultError
from navette_sandbox.simulators.dmp.formats import check_digits, parse_cx
from navette_sandbox.simulators.dmp.names import q
from navette_sandbox.simulators.dmp.settings import DmpSettings
from navette_sandbox.simulators.dmp.xml import attribute, children, elements, instant, text

X509_SUBJECT = "urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName"
SUBJECT_ID = "urn:oasis:names:tc:xspa:1.0:subject:subject-id"
ROLE = "urn:oasis:names:tc:xacml:2.0:subject:role"
RESOURCE_ID = "urn:oasis:names:tc:xacml:2.0:resource:resource-id"
CONFIDENTIALITY = "urn:oasis:names:tc:xspa:1.0:resource:patient:hl7:confidentiality-code"
PURPOSE = "urn:oasis:names:tc:xspa:1.0:subject:purposeofuse"
MODES = ("INDIRECTE", "INDIRECTE_RENFORCEE")
PROFESSIONS, SPECIALTIES = "1.2.250.1.71.1.2.7", "1.2.250.1.71.4.2.5"
SIGNATURE_ALGORITHMS = {
    "CanonicalizationMethod": "http://www.w3.org/2001/10/xml-exc-c14n#",
    "SignatureMethod": "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
    "DigestMethod": "http://www.w3.org/2001/04/xmlenc#sha256",
}
TRANSFORMS = ["http://www.w3.org/2000/09/xmldsig#enveloped-signature", "http://www.w3.org/2001/10/xml-exc-c14n#"]


@dataclass(frozen=True, slots=True)
class Vihf:
    """What a verified VIHF says: who, for which structure, about which patient."""

    assertion_id: str
    mode: str
    structure: str
    user: str
    patient: str
    matricule: str
    certificate: x509.Certificate
    secret: bool = False
    """Whether a connexion secrète is asked for."""


def refuse(rule: str, reason: str, subcode: str = "DMPInvalidVIHF") -> DmpFaultError:
    """The fault for a broken VIHF rule."""
    return DmpFaultError(f"vihf.{rule}", subcode, reason)


class VihfVerifier:
    """Verifies assertions against an authority; remembers their ids, since there is one VIHF per request."""

    def __init__(self, authority: certificates.Authority, settings: DmpSettings) -> None:
        self._authority = authority
        self._settings = settings
        self._seen: set[str] = set()

    def verify(self, assertion: etree._Element, tls: x509.Certificate | None, now: datetime) -> Vihf:
        """Check every rule of §4 in turn. Raises `DmpFaultError` at the first broken one."""
        certificate = self._verify_signature(assertion, now)
        self._check_dates(assertion, now)
        values = _attributes(assertion)
        self._check_constants(values)
        structure = values["Identifiant_Structure"]
        self._check_structure(structure, certificate, tls)
        _check_roles(assertion)
        mode = values.get("Authentification_mode") or values.get("Authentification_Mode", "")
        if mode not in MODES:
            raise refuse("mode", "Authentification_mode : INDIRECTE ou INDIRECTE_RENFORCEE attendu")
        if mode == "INDIRECTE_RENFORCEE" and assertion.find(f".//{q(names.SAML, 'AuthnContextDecl')}") is None:
            raise refuse("authn_context_decl", "AuthnContextDecl attendu en mode INDIRECTE_RENFORCEE")
        patient = values.get(RESOURCE_ID, "")
        cx = parse_cx(patient, self._settings.ins_oids)
        if cx is None:
            raise refuse("resource_id", "resource-id : INS qualifiée attendue (matricule^^^&OID&ISO^NH)")
        user = text(assertion.find(f"{q(names.SAML, 'Subject')}/{q(names.SAML, 'NameID')}"))
        if not _is_person(user):
            raise refuse("name_id", "NameID : identifiant national de professionnel attendu")
        assertion_id = attribute(assertion, "ID")
        if assertion_id in self._seen:
            raise refuse("replay", "VIHF déjà utilisé")
        self._seen.add(assertion_id)
        secret = values.get(CONFIDENTIALITY)
        if secret == "":
            raise refuse("attribute", "confidentiality-code : valeur attendue")
        return Vihf(assertion_id, mode, structure, user, patient, cx.matricule, certificate, secret=secret is not None)

    def _verify_signature(self, assertion: etree._Element, now: datetime) -> x509.Certificate:
        order = [etree.QName(item).localname for item in elements(assertion)]
        if attribute(assertion, "Version") != "2.0" or order[:2] != ["Issuer", "Signature"]:
            raise refuse("layout", "Version 2.0, Issuer puis ds:Signature attendus")
        assertion_id = attribute(assertion, "ID")
        if not re.fullmatch(r"[A-Za-z_][\w.-]*", assertion_id):
            raise refuse("id", "ID : NCName attendu")
        signature = children(assertion, q(names.DS, "Signature"))[0]
        _check_algorithms(signature, assertion_id)
        certificate = embedded_certificate(signature)
        subject_refused = "Le certificat ayant signé le VIHF est invalide : "
        try:
            self._authority.check_chain(certificate, now)
            certificates.check_seal(certificate)
        except certificates.CertificateError as error:
            raise refuse("certificate", f"{subject_refused}{error}", "DMPInvalidCertificate") from error
        verify_with_xmlsec(signature, certificate, assertion)
        issuer = children(assertion, q(names.SAML, "Issuer"))[0]
        if attribute(issuer, "Format") != X509_SUBJECT:
            raise refuse("issuer", f"Issuer/@Format : {X509_SUBJECT} attendu")
        if not certificates.same_name(text(issuer), certificate.subject):
            raise refuse("issuer", "Issuer différent du sujet du certificat de signature")
        return certificate

    def _check_dates(self, assertion: etree._Element, now: datetime) -> None:
        skew = timedelta(seconds=self._settings.clock_skew)
        age = timedelta(seconds=self._settings.vihf_max_age)
        issued = instant(attribute(assertion, "IssueInstant"))
        if issued is None or not now - age <= issued <= now + skew:
            raise refuse("freshness", "IssueInstant hors de la fenêtre acceptée")
        statement = assertion.find(q(names.SAML, "AuthnStatement"))
        logged_in = instant(attribute(statement, "AuthnInstant"))
        if logged_in is None or logged_in > now + skew:
            raise refuse("authn_instant", "AuthnInstant absent ou dans le futur")
        context = assertion.find(f".//{q(names.SAML, 'AuthnContextClassRef')}")
        if not text(context).startswith("urn:oasis:names:tc:SAML:2.0:ac:classes:"):
            raise refuse("authn_context", "AuthnContextClassRef SAML 2.0 attendu")
        conditions = assertion.find(q(names.SAML, "Conditions"))
        if conditions is None:
            return
        if conditions.find(q(names.SAML, "AudienceRestriction")) is not None:
            raise refuse("audience", "AudienceRestriction ne doit pas être renseigné")
        for name, late in (("NotBefore", False), ("NotOnOrAfter", True)):
            if conditions.get(name) is None:
                continue
            bound = instant(attribute(conditions, name))
            if bound is None or (now - skew >= bound if late else now + skew < bound):
                raise refuse("conditions", f"Conditions/@{name} non respecté")

    def _check_constants(self, values: dict[str, str]) -> None:
        if values.get("VIHF_Version") not in self._settings.vihf_versions:
            raise refuse("version", "VIHF_Version non supportée")
        if values.get("Ressource_URN") != "urn:dmp":
            raise refuse("resource_urn", "Ressource_URN : urn:dmp attendu")
        if not re.fullmatch(r"SA\d\d\^1\.2\.250\.1\.71\.4\.2\.4", values.get("Secteur_Activite", "")):
            raise refuse("sector", "Secteur_Activite : SAxx^1.2.250.1.71.4.2.4 attendu")
        for name in (SUBJECT_ID, "Identifiant_Structure", "LPS_Nom", "LPS_Version", "LPS_ID_HOMOLOGATION_DMP"):
            if not values.get(name):
                rule = "lps" if name.startswith("LPS") else "attribute"
                raise refuse(rule, f"Attribut {name} absent ou vide")
        known = self._settings.homologation_numbers
        if known and values["LPS_ID_HOMOLOGATION_DMP"] not in known:
            raise refuse("homologation", "Numéro d'homologation inconnu")

    def _check_structure(self, structure: str, signing: x509.Certificate, tls: x509.Certificate | None) -> None:
        if tls is None:
            raise refuse("tls", "Certificat client attendu", "DMPInvalidCertificate")
        try:
            certificates.check_client(tls)
            units = {certificates.structure_of(signing), certificates.structure_of(tls)}
        except certificates.CertificateError as error:
            raise refuse("tls", f"Certificat client invalide : {error}", "DMPInvalidCertificate") from error
        if units != {structure}:
            raise refuse("structure", "Structure introuvable ou Inactive (Identifiant_Structure et OU diffèrent)")


def _check_algorithms(signature: etree._Element, assertion_id: str) -> None:
    for name, expected in SIGNATURE_ALGORITHMS.items():
        found = signature.findall(f".//{q(names.DS, name)}")
        if [attribute(item, "Algorithm") for item in found] != [expected]:
            raise refuse("algorithm", f"{name} : {expected} attendu")
    references = signature.findall(f".//{q(names.DS, 'Reference')}")
    if [attribute(item, "URI") for item in references] != [f"#{assertion_id}"]:
        raise refuse("reference", "Reference/@URI doit désigner l'assertion")
    transforms = signature.findall(f".//{q(names.DS, 'Transform')}")
    if [attribute(item, "Algorithm") for item in transforms] != TRANSFORMS:
        raise refuse("transforms", "Transformations enveloped-signature puis exc-c14n attendues")


def embedded_certificate(signature: etree._Element) -> x509.Certificate:
    """The first X509Certificate of a signature. Raises `DmpFaultError`."""
    found = signature.find(f"{q(names.DS, 'KeyInfo')}/{q(names.DS, 'X509Data')}/{q(names.DS, 'X509Certificate')}")
    try:
        return x509.load_der_x509_certificate(base64.b64decode("".join(text(found).split()), validate=True))
    except (ValueError, binascii.Error) as error:
        raise refuse("certificate", "X509Certificate absent ou illisible", "DMPInvalidCertificate") from error


def verify_with_xmlsec(signature: etree._Element, certificate: x509.Certificate, signed: etree._Element) -> None:
    """Verify the enveloped signature with the key of ``certificate``. Raises `DmpFaultError`."""
    assertion_id = attribute(signed, "ID")
    if sum(item.get("ID") == assertion_id for item in signed.getroottree().iter("*")) != 1:
        raise refuse("signature", "ID de l'assertion présent plusieurs fois")
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(
        certificate.public_bytes(Encoding.PEM), xmlsec.constants.KeyDataFormatCertPem, None
    )
    context.register_id(signed, "ID")
    try:
        context.verify(signature)
    except xmlsec.Error as error:
        raise refuse("signature", "Signature du VIHF invalide") from error


def _attributes(assertion: etree._Element) -> dict[str, str]:
    values: dict[str, str] = {}
    for item in assertion.iterfind(f"{q(names.SAML, 'AttributeStatement')}/{q(names.SAML, 'Attribute')}"):
        name = attribute(item, "Name")
        if name in values:
            raise refuse("attribute", f"Attribut {name} en double")
        values[name] = text(item.find(q(names.SAML, "AttributeValue")))
    return values


def _coded(assertion: etree._Element, name: str, tag: str) -> list[tuple[str, str]]:
    path = f".//{q(names.SAML, 'Attribute')}[@Name='{name}']/{q(names.SAML, 'AttributeValue')}/{q(names.HL7, tag)}"
    return [(attribute(item, "code"), attribute(item, "codeSystem")) for item in assertion.iterfind(path)]


def _check_roles(assertion: etree._Element) -> None:
    roles = _coded(assertion, ROLE, "Role")
    if not roles or not all(code and system for code, system in roles) or len(roles) > 2:
        raise refuse("role", "Un ou deux rôles codés attendus")
    if roles[0] == ("10", PROFESSIONS) and (len(roles) < 2 or roles[1][1] != SPECIALTIES):
        raise refuse("specialty", "Aucune spécialité dans le vihf pour un médecin")
    if roles[0] == ("21", PROFESSIONS) and len(roles) < 2:
        raise refuse("specialty", "Aucune spécialité dans le vihf pour un pharmacien")
    if _coded(assertion, PURPOSE, "PurposeOfUse") != [("normal", "1.2.250.1.213.1.1.4.248")]:
        raise refuse("purpose", "purposeofuse : normal attendu")


def _is_person(value: str) -> bool:
    if re.fullmatch(r"8\d{11}", value):
        return check_digits(value[1:])
    return re.fullmatch(r"(0[0-9A-Z]{8,9}|[13456][0-9A-Z]+/.+)", value) is not None
