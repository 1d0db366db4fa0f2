"""A hand-made DMP client: it builds every message from text, so that a test can spoil any part of it."""

import base64
import hashlib
import ssl
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import xmlsec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from lxml import etree
from navette_sandbox.simulators.common import SimulatorConfig
from navette_sandbox.simulators.dmp import DmpSettings, DmpSimulator

INS = "279035121518989"
OID = "1.2.250.1.213.1.4.8"
ROOT = "1.2.250.1.999.1.1.9001"
RPPS = "99700000013"
PERSON = f"8{RPPS}^TESTRADIO^CLAIRE^^^^^^&amp;1.2.250.1.71.4.2.1&amp;ISO^D^^^IDNPS"
RIM = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"
SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
DS = "http://www.w3.org/2000/09/xmldsig#"
C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
CLASSIFICATION = "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:Classification"
HL7 = {"h": "urn:hl7-org:v3"}

SCHEMES = {
    "set_author": "a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d",
    "content": "aa543740-bdda-424e-8c96-df4873be8500",
    "author": "93606bcf-9494-43ec-9b4e-a7748d1a838d",
    "class": "41a5887f-8865-4c09-adf7-e362475b143a",
    "type": "f0306f51-975f-434e-a61c-c59651d33983",
    "confidentiality": "f4f85eac-e6cb-4883-b524-f2705394840f",
    "event": "2c6b8cb7-8b2a-4051-b291-b1ae6a575ef4",
    "format": "a09d5840-386c-46f2-b5ad-9c3699a4309d",
    "facility": "f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1",
    "practice": "cccf5598-8b07-4b77-a05e-ae952c785ead",
    "set_patient": "6b5aea1a-874d-4603-a4bc-96a0a7b38446",
    "set_source": "554ac39e-e3fe-47fe-b233-965d2a147832",
    "set_unique": "96fdda7c-d067-4183-912e-bf5ee74998a8",
    "patient": "58a6f841-87b3-4a3e-92fd-a8ffeff98427",
    "unique": "2e82c1f6-a085-4c72-9da3-8640a32e42ab",
}


def new_oid() -> str:
    return f"2.25.{uuid.uuid4().int}"


def slot(name: str, *values: str) -> str:
    listed = "".join(f"<rim:Value>{value}</rim:Value>" for value in values)
    return f'<rim:Slot name="{name}"><rim:ValueList>{listed}</rim:ValueList></rim:Slot>'


def name_of(value: str) -> str:
    return f'<rim:Name><rim:LocalizedString value="{value}"/></rim:Name>'


def coded(owner: str, scheme: str, code: str, system: str, label: str) -> str:
    return (
        f'<rim:Classification id="{uuid.uuid4()}" classificationScheme="urn:uuid:{SCHEMES[scheme]}" '
        f'classifiedObject="{owner}" nodeRepresentation="{code}" objectType="{CLASSIFICATION}">'
        f"{slot('codingScheme', system)}{name_of(label)}</rim:Classification>"
    )


def external(owner: str, scheme: str, value: str, label: str) -> str:
    return (
        f'<rim:ExternalIdentifier id="{uuid.uuid4()}" identificationScheme="urn:uuid:{SCHEMES[scheme]}" '
        f'registryObject="{owner}" value="{value}">{name_of(label)}</rim:ExternalIdentifier>'
    )


def association(kind: str, source: str, target: str, slots: str = "") -> str:
    return (
        f'<rim:Association id="{uuid.uuid4()}" associationType="{kind}" sourceObject="{source}" '
        f'targetObject="{target}">{slots}</rim:Association>'
    )


def member(document_id: str) -> str:
    kind = "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember"
    return association(kind, "Set1", document_id, slot("SubmissionSetStatus", "Original"))


@dataclass
class Person:
    """A key pair on disk, as a client would hold it."""

    certificate: Path
    key: Path

    @property
    def x509(self) -> x509.Certificate:
        return x509.load_pem_x509_certificates(self.certificate.read_bytes())[0]

    def sign(self, data: bytes) -> str:
        key = serialization.load_pem_private_key(self.key.read_bytes(), None)
        return base64.b64encode(key.sign(data, padding.PKCS1v15(), hashes.SHA256())).decode()


@dataclass
class Message:
    """One lot. Change fields, or add edits: on the VIHF before or after signing, on the metadata, on the CDA."""

    signer: Person
    structure: str
    unique_id: str = field(default_factory=new_oid)
    set_id: str = field(default_factory=new_oid)
    lot_id: str = field(default_factory=new_oid)
    message_id: str = field(default_factory=lambda: f"urn:uuid:{uuid.uuid4()}")
    assertion_id: str = field(default_factory=lambda: f"_{uuid.uuid4()}")
    ins: str = INS
    patient: str = f"{INS}^^^&amp;{OID}&amp;ISO^NH"
    mode: str = "INDIRECTE"
    parent: str | None = None
    replaces: str | None = None
    padding: str = ""
    with_signature: bool = True
    vihf_edits: list[Callable[[etree._Element], None]] = field(default_factory=list)
    signed_edits: list[Callable[[etree._Element], None]] = field(default_factory=list)
    metadata_edits: list[Callable[[etree._Element], None]] = field(default_factory=list)
    envelope_edits: list[Callable[[etree._Element], None]] = field(default_factory=list)
    cda_edits: list[Callable[[str], str]] = field(default_factory=list)
    signature_edits: list[Callable[[str], str]] = field(default_factory=list)
    signed_info_edits: list[Callable[[str], str]] = field(default_factory=list)
    package_edits: list[Callable[[bytes], bytes]] = field(default_factory=list)

    def cda(self) -> bytes:
        related = (
            f'<relatedDocument typeCode="RPLC"><parentDocument><id root="{self.parent}"/></parentDocument>'
            "</relatedDocument>"
            if self.parent
            else ""
        )
        text = f"""<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument xmlns="urn:hl7-org:v3"><realmCode code="FR"/><id root="{self.unique_id}"/>
<code code="18748-4" codeSystem="2.16.840.1.113883.6.1"/><title>CR de scanner thoracique</title>
<effectiveTime value="20260105111200+0100"/><confidentialityCode code="N"/><languageCode code="fr-FR"/>
<setId root="{self.set_id}"/><versionNumber value="1"/>
<recordTarget><patientRole><id root="{OID}" extension="{self.ins}"/><patient>
<administrativeGenderCode code="F"/><birthTime value="19790328"/></patient></patientRole></recordTarget>
<documentationOf><serviceEvent><effectiveTime><low value="20260105104000+0100"/>
<high value="20260105110000+0100"/></effectiveTime></serviceEvent></documentationOf>{related}
<component><nonXMLBody><text mediaType="application/pdf" representation="B64">JVBERi0={self.padding}</text>
</nonXMLBody></component></ClinicalDocument>"""
        for edit in self.cda_edits:
            text = edit(text)
        return text.encode()

    def author(self, owner: str, scheme: str) -> str:
        institution = f"GROUPE D'ESSAI^^^^^&amp;1.2.250.1.71.4.2.2&amp;ISO^IDNST^^^{self.structure}"
        specialty = "G15_10/SM44^Médecin - Radio-diagnostic (SM)^1.2.250.1.213.1.1.4.5"
        return (
            f'<rim:Classification id="{uuid.uuid4()}" classificationScheme="urn:uuid:{SCHEMES[scheme]}" '
            f'classifiedObject="{owner}" nodeRepresentation="">{slot("authorInstitution", institution)}'
            f"{slot('authorPerson', PERSON)}{slot('authorSpecialty', specialty)}</rim:Classification>"
        )

    def lot(self) -> str:
        return (
            f'<rim:RegistryPackage id="Set1">{slot("submissionTime", "20260105101530")}'
            f"{name_of('Envoi')}{self.author('Set1', 'set_author')}"
            f"{coded('Set1', 'content', '07', '1.2.250.1.213.2.2', 'Consultation')}"
            '<rim:Classification id="node" classificationNode="urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd" '
            'classifiedObject="Set1"/>'
            f"{external('Set1', 'set_patient', self.patient, 'XDSSubmissionSet.patientId')}"
            f"{external('Set1', 'set_source', ROOT, 'XDSSubmissionSet.sourceId')}"
            f"{external('Set1', 'set_unique', self.lot_id, 'XDSSubmissionSet.uniqueId')}</rim:RegistryPackage>"
        )

    def report_entry(self, content: bytes) -> str:
        n3 = "1.3.6.1.4.1.19376.1.2.3"
        return (
            '<rim:ExtrinsicObject id="Document01" mimeType="text/xml" '
            'objectType="urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1">'
            f"{slot('creationTime', '20260105101200')}{slot('languageCode', 'fr-FR')}"
            f"{slot('legalAuthenticator', PERSON)}{slot('serviceStartTime', '20260105094000')}"
            f"{slot('serviceStopTime', '20260105100000')}"
            f"{slot('sourcePatientId', f'IPP1^^^&amp;{ROOT}.4&amp;ISO^PI')}"
            f"{slot('sourcePatientInfo', 'PID-5|PATIENT^TEST^^^^^L', 'PID-7|19790328', 'PID-8|F')}"
            f"{slot('hash', hashlib.sha1(content).hexdigest())}{slot('size', str(len(content)))}"
            f"{name_of('CR de scanner thoracique')}{self.author('Document01', 'author')}"
            f"{coded('Document01', 'class', '10', '1.2.250.1.213.1.1.4.1', 'Compte rendu')}"
            f"{coded('Document01', 'type', '18748-4', '2.16.840.1.113883.6.1', 'CR d imagerie')}"
            f"{coded('Document01', 'confidentiality', 'N', '2.16.840.1.113883.5.25', 'Normal')}"
            f"{coded('Document01', 'format', 'urn:ihe:iti:xds-sd:pdf:2008', n3, 'Pdf/A-1')}"
            f"{coded('Document01', 'facility', 'SA08', '1.2.250.1.71.4.2.4', 'Cabinet de groupe')}"
            f"{coded('Document01', 'practice', 'AMBULATOIRE', '1.2.250.1.213.1.1.4.9', 'Ambulatoire')}"
            f"{external('Document01', 'patient', self.patient, 'XDSDocumentEntry.patientId')}"
            f"{external('Document01', 'unique', self.unique_id, 'XDSDocumentEntry.uniqueId')}"
            "</rim:ExtrinsicObject>"
        )

    def signature_entry(self, content: bytes, unique_id: str) -> str:
        masks = "".join(
            coded("Signature01", "confidentiality", code, "1.2.250.1.213.1.1.4.13", code)
            for code in ("MASQUE_PS", "INVISIBLE_PATIENT")
        )
        signature_class = "urn:oid:1.3.6.1.4.1.19376.1.2.1.1.1"
        return (
            '<rim:ExtrinsicObject id="Signature01" mimeType="text/xml" '
            'objectType="urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1">'
            f"{slot('creationTime', '20260105101530')}{slot('languageCode', 'art')}"
            f"{slot('sourcePatientId', self.patient)}"
            f"{slot('hash', hashlib.sha1(content).hexdigest())}{slot('size', str(len(content)))}"
            f"{name_of('Source')}{self.author('Signature01', 'author')}"
            f"{coded('Signature01', 'class', signature_class, 'URN', 'Digital Signature')}"
            f"{coded('Signature01', 'type', 'E1762', 'ASTM', 'Full Document')}"
            f"{coded('Signature01', 'format', DS, 'URN', 'Default Signature Style')}"
            f"{coded('Signature01', 'event', '1.2.840.10065.1.12.1.14', '1.2.840.10065.1.12', 'Source')}"
            f"{coded('Signature01', 'confidentiality', 'N', '2.16.840.1.113883.5.25', 'Normal')}{masks}"
            f"{external('Signature01', 'patient', self.patient, 'XDSDocumentEntry.patientId')}"
            f"{external('Signature01', 'unique', unique_id, 'XDSDocumentEntry.uniqueId')}"
            "</rim:ExtrinsicObject>"
        )

    def lot_signature(self, content: bytes) -> bytes:
        sha256 = "http://www.w3.org/2001/04/xmlenc#sha256"

        def digest(data: bytes) -> str:
            value = base64.b64encode(hashlib.sha256(data).digest()).decode()
            return f'<DigestMethod Algorithm="{sha256}"/><DigestValue>{value}</DigestValue>'

        document = etree.tostring(etree.fromstring(content), method="c14n", with_comments=True)
        manifest = (
            f'<Manifest xmlns="{DS}" Id="IHEManifest"><Reference URI="urn:oid:{self.lot_id}">'
            f'<DigestMethod Algorithm="{sha256}"/><DigestValue>AA==</DigestValue></Reference>'
            f'<Reference URI="urn:oid:{self.unique_id}"><Transforms><Transform '
            f'Algorithm="{C14N}#WithComments"/></Transforms>{digest(document)}</Reference></Manifest>'
        )
        xades = "http://uri.etsi.org/01903/v1.1.1#"
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        certificate = self.signer.x509
        properties = (
            f'<SignedProperties xmlns="{xades}" Id="S0-SignedProperties"><SignedSignatureProperties>'
            f"<SigningTime>{now}</SigningTime><SigningCertificate><Cert><CertDigest>"
            f"{digest(certificate.public_bytes(serialization.Encoding.DER))}</CertDigest></Cert>"
            "</SigningCertificate></SignedSignatureProperties></SignedProperties>"
        )

        def canonical(text: str) -> bytes:
            return etree.tostring(etree.fromstring(text), method="c14n")

        info = (
            f'<SignedInfo xmlns="{DS}"><CanonicalizationMethod Algorithm="{C14N}#WithComments"/>'
            '<SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/>'
            f'<Reference Type="{DS}Manifest" URI="#IHEManifest">{digest(canonical(manifest))}</Reference>'
            f'<Reference Type="{xades}SignedProperties" URI="#S0-SignedProperties">'
            f"{digest(canonical(properties))}</Reference></SignedInfo>"
        )
        for edit in self.signed_info_edits:
            info = edit(info)
        der = base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()
        text = (
            f'<Signature xmlns="{DS}" Id="sig">{info}'
            f"<SignatureValue>{self.signer.sign(canonical(info))}</SignatureValue>"
            f"<KeyInfo><X509Data><X509Certificate>{der}</X509Certificate></X509Data></KeyInfo>"
            '<Object><SignatureProperties><SignatureProperty Id="purposeOfSignature" Target="#sig">'
            "1.2.840.10065.1.12.1.14</SignatureProperty></SignatureProperties></Object>"
            f"<Object>{manifest}</Object>"
            f'<Object><QualifyingProperties xmlns="{xades}" Target="#sig">{properties}</QualifyingProperties>'
            "</Object></Signature>"
        )
        for edit in self.signature_edits:
            text = edit(text)
        return text.encode()

    def vihf(self) -> etree._Element:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        subject = self.signer.x509.subject.rfc4514_string()
        plain = {
            "VIHF_Version": "3.0",
            "Authentification_mode": self.mode,
            "Identifiant_Structure": self.structure,
            "Secteur_Activite": "SA08^1.2.250.1.71.4.2.4",
            "urn:oasis:names:tc:xspa:1.0:subject:subject-id": "CLAIRE TESTRADIO",
            "urn:oasis:names:tc:xacml:2.0:resource:resource-id": self.patient,
            "Ressource_URN": "urn:dmp",
            "LPS_Nom": "NAVETTE",
            "LPS_Version": "1.0",
            "LPS_ID_HOMOLOGATION_DMP": "HOMOLOGATION-ESSAI",
        }
        values = "".join(
            f'<s:Attribute Name="{name}"><s:AttributeValue>{value}</s:AttributeValue></s:Attribute>'
            for name, value in plain.items()
        )
        roles = "".join(
            f'<s:AttributeValue><Role xmlns="urn:hl7-org:v3" code="{code}" codeSystem="{system}" '
            'xsi:type="CE"/></s:AttributeValue>'
            for code, system in (("10", "1.2.250.1.71.1.2.7"), ("SM44", "1.2.250.1.71.4.2.5"))
        )
        declaration = "<s:AuthnContextDecl>APP_BROWSER_AUTH</s:AuthnContextDecl>" if self.mode != "INDIRECTE" else ""
        text = f"""<s:Assertion xmlns:s="{SAML}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
 ID="{self.assertion_id}" IssueInstant="{now}" Version="2.0"><s:Issuer
 Format="urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName">{subject}</s:Issuer><s:Subject>
 <s:NameID>8{RPPS}</s:NameID></s:Subject><s:AuthnStatement AuthnInstant="{now}"><s:AuthnContext>
 <s:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</s:AuthnContextClassRef>{declaration}
 </s:AuthnContext></s:AuthnStatement><s:AttributeStatement>{values}
 <s:Attribute Name="urn:oasis:names:tc:xacml:2.0:subject:role">{roles}</s:Attribute>
 <s:Attribute Name="urn:oasis:names:tc:xspa:1.0:subject:purposeofuse"><s:AttributeValue><PurposeOfUse
 xmlns="urn:hl7-org:v3" code="normal" codeSystem="1.2.250.1.213.1.1.4.248" xsi:type="CE"/></s:AttributeValue>
 </s:Attribute></s:AttributeStatement></s:Assertion>"""
        assertion = etree.fromstring(text)
        for edit in self.vihf_edits:
            edit(assertion)
        template = xmlsec.template
        signature = template.create(assertion, xmlsec.Transform.EXCL_C14N, xmlsec.Transform.RSA_SHA256)
        assertion.insert(1, signature)
        uri = f"#{assertion.get('ID')}"
        reference = template.add_reference(signature, xmlsec.Transform.SHA256, uri=uri)
        template.add_transform(reference, xmlsec.Transform.ENVELOPED)
        template.add_transform(reference, xmlsec.Transform.EXCL_C14N)
        template.x509_data_add_certificate(template.add_x509_data(template.ensure_key_info(signature)))
        context = xmlsec.SignatureContext()
        context.key = xmlsec.Key.from_file(str(self.signer.key), xmlsec.KeyFormat.PEM)
        context.key.load_cert_from_file(str(self.signer.certificate), xmlsec.KeyFormat.PEM)
        context.register_id(assertion, "ID")
        context.sign(signature)
        for edit in self.signed_edits:
            edit(assertion)
        return assertion

    def envelope(self, action: str, body: etree._Element) -> bytes:
        soap, wsa = "http://www.w3.org/2003/05/soap-envelope", "http://www.w3.org/2005/08/addressing"
        wsse = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
        root = etree.fromstring(
            f'<soap:Envelope xmlns:soap="{soap}" xmlns:wsa="{wsa}"><soap:Header>'
            f"<wsa:MessageID>{self.message_id}</wsa:MessageID><wsa:To/><wsa:ReplyTo><wsa:Address>"
            f"{wsa}/anonymous</wsa:Address></wsa:ReplyTo><wsa:Action>{action}</wsa:Action>"
            f'<wsse:Security xmlns:wsse="{wsse}"/></soap:Header><soap:Body/></soap:Envelope>'
        )
        root[0][-1].append(self.vihf())
        root[1].append(body)
        for edit in self.envelope_edits:
            edit(root)
        return etree.tostring(root, xml_declaration=True, encoding="UTF-8")

    def provide_body(self, content: bytes, signature: bytes) -> etree._Element:
        entries, associations, documents = self.report_entry(content), member("Document01"), ["Document01"]
        if self.with_signature:
            entries += self.signature_entry(signature, new_oid())
            associations += member("Signature01")
            associations += association("urn:ihe:iti:2007:AssociationType:signs", "Signature01", "Set1")
            documents.append("Signature01")
        if self.replaces:
            kind = "urn:ihe:iti:2007:AssociationType:RPLC"
            associations += association(kind, "Document01", self.replaces)
        parts = "".join(
            f'<x:Document id="{name}"><xop:Include xmlns:xop="http://www.w3.org/2004/08/xop/include" '
            f'href="cid:{name}%40essai"/></x:Document>'
            for name in documents
        )
        return etree.fromstring(
            '<x:ProvideAndRegisterDocumentSetRequest xmlns:x="urn:ihe:iti:xds-b:2007" '
            'xmlns:lcm="urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0" '
            f'xmlns:rim="{RIM}"><lcm:SubmitObjectsRequest><rim:RegistryObjectList>{self.lot()}{entries}'
            f"{associations}</rim:RegistryObjectList></lcm:SubmitObjectsRequest>{parts}"
            "</x:ProvideAndRegisterDocumentSetRequest>"
        )

    def provide(self) -> tuple[str, bytes]:
        """HTTP Content-Type and body of the ITI-41 request."""
        content = self.cda()
        signature = self.lot_signature(content)
        body = self.provide_body(content, signature)
        for edit in self.metadata_edits:
            edit(body)
        action = "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b"
        parts = [("root@essai", 'application/xop+xml; type="application/soap+xml"', self.envelope(action, body))]
        parts.append(("Document01@essai", "text/xml", content))
        if self.with_signature:
            parts.append(("Signature01@essai", "text/xml", signature))
        out = b""
        for content_id, content_type, data in parts:
            head = f"--limite\r\nContent-Type: {content_type}\r\nContent-ID: <{content_id}>\r\n\r\n"
            out += head.encode() + data + b"\r\n"
        header = (
            'multipart/related; boundary=limite; type="application/xop+xml"; start="<root@essai>"; '
            f'start-info="application/soap+xml"; action="{action}"'
        )
        for edit in self.package_edits:
            out = edit(out)
        return header, out + b"--limite--\r\n"


class Dmp:
    """The double under test and a client for it."""

    def __init__(self, simulator: DmpSimulator, pki_folder: Path, structure: str) -> None:
        self.simulator = simulator
        self.folder = pki_folder
        self.structure = structure

    def person(self, name: str) -> Person:
        return Person(self.folder / f"{name}.pem", self.folder / f"{name}.key")

    def message(self, **options: object) -> Message:
        return Message(**{"signer": self.person("dmp-sign"), "structure": self.structure, **options})

    def client(self, name: str | None = "dmp-auth") -> httpx.AsyncClient:
        context = ssl.create_default_context(cafile=str(self.folder / "igc-ca.pem"))
        if name is not None:
            context.load_cert_chain(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        base = f"https://localhost:{self.simulator.ports()['port']}/si-dmp-server/v2/services"
        return httpx.AsyncClient(verify=context, base_url=base, trust_env=False, timeout=60)

    async def send(self, message: Message, client_name: str = "dmp-auth") -> httpx.Response:
        content_type, body = message.provide()
        async with self.client(client_name) as http:
            return await http.post("/repository", content=body, headers={"content-type": content_type})

    async def call(self, endpoint: str, action: str, body: str, message: Message) -> httpx.Response:
        envelope = message.envelope(action, etree.fromstring(body))
        async with self.client() as http:
            headers = {"content-type": f'application/soap+xml; charset=UTF-8; action="{action}"'}
            return await http.post(f"/{endpoint}", content=envelope, headers=headers)

    async def accepted(self, message: Message) -> None:
        answer = await self.send(message)
        assert "ResponseStatusType:Success" in answer.text, answer.text

    async def refused(self, message: Message, code: str, rule: str) -> None:
        """The answer carries ``code`` (errorCode or fault subcode), the rule is logged, nothing is stored."""
        before = len(self.simulator.registry.entries)
        answer = await self.send(message)
        assert "ResponseStatusType:Success" not in answer.text
        assert code in answer.text, answer.text
        assert rule in self.simulator.refusals.rules, self.simulator.refusals.entries
        assert len(self.simulator.registry.entries) == before

    @property
    def stored(self) -> dict[str, dict]:
        """Reports held, by uniqueId."""
        listed = [entry.as_json() for entry in self.simulator.registry.entries.values()]
        return {entry["unique_id"]: entry for entry in listed if not entry["is_signature"]}


@pytest.fixture
def dmp_settings() -> DmpSettings:
    return DmpSettings()


@pytest.fixture
async def dmp(pki, tmp_path: Path, dmp_settings: DmpSettings):
    certificate = x509.load_pem_x509_certificates((pki.directory / "dmp-sign.pem").read_bytes())[0]
    structure = certificate.subject.get_attributes_for_oid(x509.NameOID.ORGANIZATIONAL_UNIT_NAME)[0].value
    config = SimulatorConfig(pki=pki.directory, state=tmp_path / "state")
    async with DmpSimulator(config, dmp_settings) as simulator:
        yield Dmp(simulator, pki.directory, str(structure))
