"""The VIHF: what it says, in which order, and that software nobody here wrote verifies its signature."""

import base64
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import xmlsec
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from navette_dmp.domain import names
from navette_dmp.domain.names import q
from navette_dmp.domain.registry import get_documents
from navette_dmp.domain.signer import Signer
from navette_dmp.domain.soap import envelope
from navette_dmp.domain.submission import Document
from navette_dmp.domain.vihf import VihfProfile, build_assertion, instant, sign_assertion, subject_of
from navette_documents.codes import Code
from navette_documents.errors import InvalidValue
from navette_sandbox.pki import Pki

AT = datetime(2026, 11, 22, 20, 0, 0, 123000, tzinfo=UTC)
S = {"s": names.SAML, "ds": names.DSIG, "h": names.HL7}


def unsigned(document: Document, profile: VihfProfile, signer: Signer) -> etree._Element:
    return build_assertion(document.subject, profile, assertion_id="_abc", issued_at=AT, issuer=signer.issuer_name)


@pytest.fixture
def signed(document: Document, profile: VihfProfile, signer: Signer) -> etree._Element:
    return sign_assertion(unsigned(document, profile, signer), signer)


@pytest.fixture
def message(signed: etree._Element) -> bytes:
    return envelope(
        action=names.REGISTRY_STORED_QUERY,
        message_id="urn:uuid:1",
        to="https://dmp.example/registry",
        assertion=signed,
        body=get_documents("1.2.3"),
    )


def attribute(assertion: etree._Element, name: str) -> str | None:
    path = f"s:AttributeStatement/s:Attribute[@Name='{name}']/s:AttributeValue"
    return assertion.findtext(path, namespaces=S)


@pytest.mark.dsr("RIS.DMP.07")
def test_a_connexion_secrete_is_asked_for_only_when_it_was_chosen(
    document: Document, profile: VihfProfile, signer: Signer
) -> None:
    name = "urn:oasis:names:tc:xspa:1.0:resource:patient:hl7:confidentiality-code"
    assert attribute(unsigned(document, profile, signer), name) is None
    chosen = replace(document, subject=replace(document.subject, secret_connection="essai"))
    assert attribute(unsigned(chosen, profile, signer), name) == "essai"


def verify(message: bytes, pki: Pki) -> None:
    """With xmlsec (C), where the product signs with signxml."""
    root = etree.fromstring(message)
    signature = xmlsec.tree.find_node(root, xmlsec.constants.NodeSignature)
    xmlsec.tree.add_ids(root, ["ID"])
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_file(str(pki.cert("dmp-sign")), xmlsec.constants.KeyDataFormatCertPem)
    context.verify(signature)


def test_the_parts_of_the_assertion_are_in_the_order_of_the_saml_schema(signed: etree._Element) -> None:
    assert [etree.QName(e).localname for e in signed] == [
        "Issuer",
        "Signature",
        "Subject",
        "AuthnStatement",
        "AttributeStatement",
    ]
    assert signed.get("Version") == "2.0"
    assert signed.get("IssueInstant") == "2026-11-22T20:00:00.123Z"


@pytest.mark.conformance
def test_the_assertion_is_valid_against_the_saml_schema(signed: etree._Element, conformance: Path) -> None:
    schema = etree.XMLSchema(etree.parse(conformance / "xds/saml/saml-schema-assertion-2.0.xsd"))
    copy = etree.fromstring(etree.tostring(signed))
    for coded in copy.iter(q(names.HL7, "Role"), q(names.HL7, "PurposeOfUse")):
        del coded.attrib[q(names.XSI, "type")]  # its type is in the HL7 schema, not in the SAML one
    schema.assertValid(copy)


def test_the_issuer_is_the_subject_of_the_seal_with_its_structure(signed: etree._Element, signer: Signer) -> None:
    issuer = signed.find("s:Issuer", S)
    assert issuer is not None
    assert issuer.get("Format") == "urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName"
    assert issuer.text == signer.certificate.subject.rfc4514_string()
    assert issuer.text.startswith("CN=NAVETTE-DMP-CACHET,OU=1990000002,O=")
    assert "ST=Loire-Atlantique (44)" in issuer.text


@pytest.mark.dsr("DMP/AIRS.06")
def test_the_attributes_say_who_from_where_about_whom(signed: etree._Element) -> None:
    assert signed.findtext("s:Subject/s:NameID", namespaces=S) == "899700000013"
    assert attribute(signed, "VIHF_Version") == "3.0"
    assert attribute(signed, "Authentification_mode") == "INDIRECTE"
    assert attribute(signed, "Identifiant_Structure") == "1990000002"
    assert attribute(signed, "Secteur_Activite") == "SA08^1.2.250.1.71.4.2.4"
    assert attribute(signed, "urn:oasis:names:tc:xspa:1.0:subject:subject-id") == "CLAIRE TESTRADIO"
    resource = attribute(signed, "urn:oasis:names:tc:xacml:2.0:resource:resource-id")
    assert resource == "279035121518989^^^&1.2.250.1.213.1.4.8&ISO^NH"
    assert attribute(signed, "Ressource_URN") == "urn:dmp"
    assert attribute(signed, "LPS_ID") == "1.2.250.1.999.9.2"
    assert attribute(signed, "LPS_Nom") == "Navette"
    assert attribute(signed, "LPS_Version") == "0.1.0"
    assert attribute(signed, "LPS_ID_HOMOLOGATION_DMP") == "HOMOLOGATION-SECRETE"


def test_a_doctor_has_two_roles_profession_then_specialty(signed: etree._Element) -> None:
    roles = signed.findall(".//h:Role", S)
    assert [dict(role.attrib) for role in roles] == [
        {
            "code": "10",
            "codeSystem": "1.2.250.1.71.1.2.7",
            "codeSystemName": "professions",
            "displayName": "Médecin",
            q(names.XSI, "type"): "CE",
        },
        {
            "code": "SM44",
            "codeSystem": "1.2.250.1.71.4.2.5",
            "codeSystemName": "specialites RPPS",
            "displayName": "Radio-diagnostic (SM)",
            q(names.XSI, "type"): "CE",
        },
    ]
    (purpose,) = signed.findall(".//h:PurposeOfUse", S)
    assert (purpose.get("code"), purpose.get("codeSystem")) == ("normal", "1.2.250.1.213.1.1.4.248")


def test_the_user_was_logged_in_when_the_report_was_signed(signed: etree._Element) -> None:
    statement = signed.find("s:AuthnStatement", S)
    assert statement is not None
    assert statement.get("AuthnInstant") == "2026-11-20T14:30:00.000Z"


def test_version_attribute_name_and_context_are_settings(
    document: Document, profile: VihfProfile, signer: Signer
) -> None:
    other = replace(
        profile,
        version="4.0",
        mode_attribute="Authentification_Mode",
        authn_context="urn:oasis:names:tc:SAML:2.0:ac:classes:TLSClient",
        software=replace(profile.software, installation_id=None),
    )
    assertion = unsigned(document, other, signer)
    assert attribute(assertion, "VIHF_Version") == "4.0"
    assert attribute(assertion, "Authentification_Mode") == "INDIRECTE"
    assert attribute(assertion, "Authentification_mode") is None
    assert attribute(assertion, "LPS_ID") is None
    context = assertion.findtext("s:AuthnStatement/s:AuthnContext/s:AuthnContextClassRef", namespaces=S)
    assert context == "urn:oasis:names:tc:SAML:2.0:ac:classes:TLSClient"


def test_the_signature_is_rsa_sha256_over_exclusive_c14n(signed: etree._Element, signer: Signer) -> None:
    algorithms = [e.get("Algorithm") for e in signed.iterfind("ds:Signature//*[@Algorithm]", S)]
    assert algorithms == [
        "http://www.w3.org/2001/10/xml-exc-c14n#",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
        "http://www.w3.org/2000/09/xmldsig#enveloped-signature",
        "http://www.w3.org/2001/10/xml-exc-c14n#",
        "http://www.w3.org/2001/04/xmlenc#sha256",
    ]
    (reference,) = signed.findall("ds:Signature/ds:SignedInfo/ds:Reference", S)
    assert reference.get("URI") == "#_abc"
    (certificate,) = signed.findall("ds:Signature/ds:KeyInfo/ds:X509Data/ds:X509Certificate", S)
    assert base64.b64decode(certificate.text or "") == signer.certificate.public_bytes(Encoding.DER)


def test_the_signature_verifies_inside_the_message(message: bytes, pki: Pki) -> None:
    verify(message, pki)


@pytest.mark.parametrize(
    ("sent", "forged"),
    [
        (b"279035121518989", b"179035121518989"),
        (b"INDIRECTE", b"DIRECTE"),
        (b">1990000002<", b">1990000003<"),
        (b'code="SM44"', b'code="SM26"'),
    ],
)
def test_a_changed_attribute_no_longer_verifies(message: bytes, pki: Pki, sent: bytes, forged: bytes) -> None:
    assert sent in message
    with pytest.raises(xmlsec.VerificationError):
        verify(message.replace(sent, forged), pki)


@pytest.mark.peers
@pytest.mark.skipif(shutil.which("xmlsec1") is None, reason="the xmlsec1 tool is not installed")
def test_the_xmlsec1_tool_verifies_the_message_and_the_chain(message: bytes, pki: Pki, tmp_path: Path) -> None:
    file = tmp_path / "message.xml"
    file.write_bytes(message)
    command = ["xmlsec1", "--verify", "--id-attr:ID", f"{names.SAML}:Assertion", str(file)]
    command[2:2] = ["--trusted-pem", str(pki.igc_ca), "--untrusted-pem", str(_issuing(pki, tmp_path))]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def _issuing(pki: Pki, directory: Path) -> Path:
    """The issuing certificate alone: second of the file of the leaf."""
    pem = pki.cert("dmp-sign").read_text().split("-----END CERTIFICATE-----\n")
    path = directory / "issuing.pem"
    path.write_text(pem[1] + "-----END CERTIFICATE-----\n")
    return path


def test_a_doctor_without_specialty_or_name_is_refused_before_the_dmp_does(document: Document) -> None:
    doctor = document.header.legal_authenticator
    common = {"structure": "1", "sector": "SA08", "patient": "x", "authenticated_at": AT}
    radiographer = Code("G15_98", "Manipulateur ERM", "1.2.250.1.213.1.1.4.5")
    for refused in (replace(doctor, specialty=None), replace(doctor, specialty=radiographer)):
        with pytest.raises(InvalidValue, match="specialty of a doctor expected"):
            subject_of(refused, **common)
    with pytest.raises(InvalidValue, match="missing"):
        subject_of(replace(doctor, given=None), **common)


def test_secrets_and_the_patient_keep_out_of_repr(document: Document, profile: VihfProfile) -> None:
    shown = repr(document) + repr(profile)
    for secret in ("279035121518989", "CANARI", "HOMOLOGATION-SECRETE"):
        assert secret not in shown


def test_instants_are_utc_with_milliseconds() -> None:
    assert instant(AT) == "2026-11-22T20:00:00.123Z"
