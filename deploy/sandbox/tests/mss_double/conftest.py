"""A hand-made MSSanté client: smtplib, imaplib, zipfile and text, so that a test can spoil any part."""

import asyncio
import base64
import hashlib
import imaplib
import io
import smtplib
import ssl
import uuid
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography import x509
from navette_sandbox.simulators.common import SimulatorConfig
from navette_sandbox.simulators.mss import MssSettings, MssSimulator

INS = "279035121518989"
OID = "1.2.250.1.213.1.4.8"
DOCTOR = "camille.referent-fictif@medecins-fictifs.mssante.example"
PATIENT = f"{INS}@patient.mssante.fr"
PDF = b"%PDF-1.4 essai"
RIM = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"
CODES = {
    "41a5887f-8865-4c09-adf7-e362475b143a": ("10", "1.2.250.1.213.1.1.4.1"),
    "f4f85eac-e6cb-4883-b524-f2705394840f": ("N", "2.16.840.1.113883.5.25"),
    "a09d5840-386c-46f2-b5ad-9c3699a4309d": ("urn:ihe:iti:xds-sd:pdf:2008", "1.3.6.1.4.1.19376.1.2.3"),
    "f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1": ("SA08", "1.2.250.1.71.4.2.4"),
    "cccf5598-8b07-4b77-a05e-ae952c785ead": ("AMBULATOIRE", "1.2.250.1.213.1.1.4.9"),
    "f0306f51-975f-434e-a61c-c59651d33983": ("18748-4", "2.16.840.1.113883.6.1"),
}


def slot(name: str, value: str) -> str:
    return f'<rim:Slot name="{name}"><rim:ValueList><rim:Value>{value}</rim:Value></rim:ValueList></rim:Slot>'


def external(owner: str, scheme: str, value: str) -> str:
    return (
        f'<rim:ExternalIdentifier id="{uuid.uuid4()}" identificationScheme="urn:uuid:{scheme}" '
        f'registryObject="{owner}" value="{value}"><rim:Name><rim:LocalizedString value="x"/></rim:Name>'
        "</rim:ExternalIdentifier>"
    )


@dataclass
class Mail:
    """One report mail; change fields or add edits before ``build``."""

    sender: str
    recipient: str = DOCTOR
    qualified: bool = True
    unique_id: str = field(default_factory=lambda: f"2.25.{uuid.uuid4().int}")
    message_id: str | None = None
    headers: dict[str, str | None] = field(default_factory=dict)
    body: str = "Veuillez trouver ci-joint le compte rendu."
    pdf: bytes = PDF
    pdf_name: str = "20260105_CR d'imagerie_MODELE_REMY.pdf"
    with_archive: bool = True
    padding: int = 0
    files: dict[str, bytes | None] = field(default_factory=dict)
    metadata_edits: list[Callable[[str], str]] = field(default_factory=list)
    cda_edits: list[Callable[[str], str]] = field(default_factory=list)
    zip_edits: list[Callable[[bytes], bytes]] = field(default_factory=list)
    mail_edits: list[Callable[[str], str]] = field(default_factory=list)

    def cda(self) -> bytes:
        ins = f'<id root="{OID}" extension="{INS}"/>' if self.qualified else ""
        text = f"""<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument xmlns="urn:hl7-org:v3"><id root="{self.unique_id}"/>
<code code="18748-4" displayName="CR d'imagerie médicale"/><recordTarget><patientRole>{ins}
<id root="1.2.250.1.999.4" extension="IPP1"/><patient><name><family qualifier="BR">MODÈLE</family>
<given>RÉMY JEAN</given><given qualifier="BR">RÉMY</given></name><administrativeGenderCode code="M"/>
<birthTime value="19710601"/></patient></patientRole></recordTarget><component><nonXMLBody>
<text mediaType="application/pdf" representation="B64">{base64.b64encode(PDF).decode()}</text></nonXMLBody>
</component></ClinicalDocument>"""
        for edit in self.cda_edits:
            text = edit(text)
        return text.encode()

    def metadata(self, content: bytes) -> bytes:
        patient = f"{INS}^^^&amp;{OID}&amp;ISO^NH" if self.qualified else "IPP1^^^&amp;1.2.250.1.999.4&amp;ISO^PI"
        codes = "".join(
            f'<rim:Classification id="{uuid.uuid4()}" classificationScheme="urn:uuid:{scheme}" classifiedObject="D" '
            f'nodeRepresentation="{code}">{slot("codingScheme", system)}<rim:Name>'
            '<rim:LocalizedString value="x"/></rim:Name></rim:Classification>'
            for scheme, (code, system) in CODES.items()
        )

        def author(owner: str, scheme: str) -> str:
            return (
                f'<rim:Classification id="{uuid.uuid4()}" classificationScheme="urn:uuid:{scheme}" '
                f'classifiedObject="{owner}" nodeRepresentation="">{slot("authorPerson", "x")}</rim:Classification>'
            )

        text = (
            f'<lcm:SubmitObjectsRequest xmlns:lcm="urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0" xmlns:rim="{RIM}">'
            '<rim:RegistryObjectList><rim:ExtrinsicObject id="D" mimeType="text/xml" '
            'objectType="urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1">'
            f"{slot('hash', hashlib.sha1(content).hexdigest())}{slot('size', str(len(content)))}"
            f"{slot('URI', 'DOC0001.XML')}{author('D', '93606bcf-9494-43ec-9b4e-a7748d1a838d')}{codes}"
            f"{external('D', '58a6f841-87b3-4a3e-92fd-a8ffeff98427', patient)}"
            f"{external('D', '2e82c1f6-a085-4c72-9da3-8640a32e42ab', self.unique_id)}</rim:ExtrinsicObject>"
            f'<rim:RegistryPackage id="S">{slot("submissionTime", "20260105101530")}'
            f"{author('S', 'a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d')}"
            '<rim:Classification id="c" classificationScheme="urn:uuid:aa543740-bdda-424e-8c96-df4873be8500" '
            f'classifiedObject="S" nodeRepresentation="07">{slot("codingScheme", "1.2.250.1.213.2.2")}'
            '</rim:Classification><rim:Classification id="n" classifiedObject="S" '
            'classificationNode="urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"/>'
            f"{external('S', '6b5aea1a-874d-4603-a4bc-96a0a7b38446', patient)}"
            f"{external('S', '554ac39e-e3fe-47fe-b233-965d2a147832', '1.2.250.1.999.1')}"
            f"{external('S', '96fdda7c-d067-4183-912e-bf5ee74998a8', '2.25.' + str(uuid.uuid4().int))}"
            '</rim:RegistryPackage><rim:Association id="a" sourceObject="S" targetObject="D" '
            'associationType="urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember"/>'
            "</rim:RegistryObjectList></lcm:SubmitObjectsRequest>"
        )
        for edit in self.metadata_edits:
            text = edit(text)
        return text.encode()

    def archive(self) -> bytes:
        content = self.cda()
        files: dict[str, bytes | None] = {
            "INDEX.HTM": b"<html/>",
            "README.TXT": b"x",
            "IHE_XDM/SUBSET01/METADATA.XML": self.metadata(content),
            "IHE_XDM/SUBSET01/DOC0001.XML": content,
        }
        files.update(self.files)
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
            for name, data in files.items():
                if data is not None:
                    target.writestr(name, data)
        result = out.getvalue()
        for edit in self.zip_edits:
            result = edit(result)
        return result

    def build(self) -> bytes:
        domain = self.sender.rpartition("@")[2]
        patient = "patient." in self.recipient
        subject = base64.b64encode("XDM/1.0/DDM+CR d'imagerie médicale MODELE Remy 01/06/1971".encode()).decode()
        headers: dict[str, str | None] = {
            "From": f"Centre <{self.sender}>",
            "To": self.recipient,
            "Subject": f"=?utf-8?b?{subject}?=",
            "Date": "Mon, 05 Jan 2026 11:15:00 +0100",
            "Message-ID": self.message_id or f"<{uuid.uuid4()}@{domain}>",
            "X-MSS-NIL": "DEV000000",
            "X-MSS-CODECDA": "18748-4" if self.with_archive else None,
            "X-MSS-INS": ("O" if self.qualified else "N") if self.with_archive else None,
            "X-MSS-MES": "FIN" if patient else None,
            "Disposition-Notification-To": self.sender,
            "MIME-Version": "1.0",
            "Content-Type": "multipart/mixed; boundary=b1",
        }
        headers.update(self.headers)
        head = "".join(f"{name}: {value}\n" for name, value in headers.items() if value is not None)
        text = f"{head}\n--b1\nContent-Type: text/plain; charset=utf-8\n\n{self.body}\n"
        parts = [("application/pdf", self.pdf_name, self.pdf)]
        if self.with_archive:
            parts.insert(0, ("application/zip", "IHE_XDM.zip", self.archive()))
        for media_type, name, data in parts:
            encoded = base64.encodebytes(data).decode()
            text += (
                f'--b1\nContent-Type: {media_type}; name="{name}"\nContent-Transfer-Encoding: base64\n'
                f'Content-Disposition: attachment; filename="{name}"\n\n{encoded}'
            )
        text += "--b1--\n" + ("x" * 70 + "\n") * (self.padding // 71)
        for edit in self.mail_edits:
            text = edit(text)
        return text.replace("\n", "\r\n").encode()


class Mss:
    """The double under test with blocking standard-library clients, run in threads."""

    def __init__(self, simulator: MssSimulator, folder: Path) -> None:
        self.simulator = simulator
        self.folder = folder
        certificate = x509.load_pem_x509_certificates((folder / "mss-client.pem").read_bytes())[0]
        self.sender = str(certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value)

    def mail(self, **options: object) -> Mail:
        return Mail(**{"sender": self.sender, **options})

    def context(self, name: str | None = "mss-client") -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.folder / "igc-ca.pem"))
        if name is not None:
            context.load_cert_chain(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        return context

    def connect(self, name: str | None = "mss-client") -> smtplib.SMTP:
        client = smtplib.SMTP("localhost", self.simulator.ports()["smtp_port"], timeout=60)
        client.starttls(context=self.context(name))
        client.ehlo()
        return client

    def _send(self, mail: Mail, mail_options: list[str], rcpt_options: list[str]) -> None:
        client = self.connect()
        try:
            client.sendmail(mail.sender, [mail.recipient], mail.build(), mail_options, rcpt_options)
        finally:
            client.close()

    async def send(self, mail: Mail, mail_options: list[str] | None = None, rcpt: list[str] | None = None) -> None:
        await asyncio.to_thread(self._send, mail, mail_options or [], rcpt or [])

    async def refused(self, mail: Mail, code: int, rule: str) -> None:
        """The operator answers ``code``, logs ``rule`` and delivers nothing."""
        with pytest.raises((smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused)) as caught:
            await self.send(mail)
        error = caught.value
        got = (
            next(iter(error.recipients.values()))[0]
            if isinstance(error, smtplib.SMTPRecipientsRefused)
            else error.smtp_code
        )
        assert got == code, error
        assert self.simulator.refusals.rules[-1] == rule, self.simulator.refusals.entries
        assert self.inbox(mail.recipient) == []

    def inbox(self, address: str) -> list:
        return self.simulator.store.mailbox(address).folders["INBOX"]

    def imap(self, name: str | None = "mss-client") -> imaplib.IMAP4:
        client = imaplib.IMAP4("localhost", self.simulator.ports()["imap_port"], timeout=60)
        client.starttls(self.context(name))
        return client


@pytest.fixture
def mss_settings() -> MssSettings:
    return MssSettings.load(None)


@pytest.fixture
async def mss(pki, tmp_path: Path, mss_settings: MssSettings):
    config = SimulatorConfig(pki=pki.directory, state=tmp_path / "state")
    async with MssSimulator(config, mss_settings) as simulator:
        yield Mss(simulator, pki.directory)
