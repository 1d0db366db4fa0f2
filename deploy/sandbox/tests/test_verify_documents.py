"""The demo's own readers of CDA, XDM and mails notice what does not agree."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from email.message import EmailMessage

import pytest
from navette_sandbox.verify.cda import read_cda
from navette_sandbox.verify.mail import read_mail
from navette_sandbox.verify.pdf import read_pdf
from navette_sandbox.verify.xdm import read_xdm

PDF = b"%PDF-1.4 not really"
CDA = f"""<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument xmlns="urn:hl7-org:v3">
 <id root="1.2.250.1.999.1" extension="A"/>
 <code code="18748-4" codeSystem="2.16.840.1.113883.6.1"/>
 <setId root="1.2.250.1.999.2"/><versionNumber value="2"/>
 <recordTarget><patientRole>
  <id root="1.2.250.1.213.1.4.8" extension="268043818590119"/>
  <id root="1.2.250.1.999.3" extension="IPP1"/>
 </patientRole></recordTarget>
 <author><assignedAuthor><id root="1.2.250.1.71.4.2.1" extension="899700001003"/></assignedAuthor></author>
 <relatedDocument typeCode="RPLC"><parentDocument><id root="1.2.250.1.999.0"/></parentDocument></relatedDocument>
 <component><nonXMLBody><text mediaType="application/pdf" representation="B64">
 {base64.b64encode(PDF).decode()}</text></nonXMLBody></component>
</ClinicalDocument>""".encode()


def _metadata(sha1: str, size: int) -> bytes:
    return f"""<SubmitObjectsRequest xmlns="urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0"
 xmlns:r="urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"><r:RegistryObjectList><r:ExtrinsicObject id="Document01">
 <r:Slot name="hash"><r:ValueList><r:Value>{sha1}</r:Value></r:ValueList></r:Slot>
 <r:Slot name="size"><r:ValueList><r:Value>{size}</r:Value></r:ValueList></r:Slot>
 <r:Slot name="URI"><r:ValueList><r:Value>DOC0001.XML</r:Value></r:ValueList></r:Slot>
 <r:ExternalIdentifier identificationScheme="urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab" value="1.2^A"/>
 </r:ExtrinsicObject></r:RegistryObjectList></SubmitObjectsRequest>""".encode()


def _archive(**changes: bytes) -> bytes:
    files = {
        "INDEX.HTM": b"<html/>",
        "README.TXT": b"x",
        "IHE_XDM/SUBSET01/METADATA.XML": _metadata(hashlib.sha1(CDA).hexdigest(), len(CDA)),
        "IHE_XDM/SUBSET01/DOC0001.XML": CDA,
    } | changes
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_the_copy_attached_to_a_structured_body_is_read() -> None:
    plain = CDA.decode()
    start, end = plain.index("<component>"), plain.index("</ClinicalDocument>")
    copy = f'<value mediaType="application/pdf" representation="B64">{base64.b64encode(PDF).decode()}</value>'
    body = f"<structuredBody><component><section><entry><observationMedia>{copy}</observationMedia></entry>"
    structured = f"{plain[:start]}<component>{body}</section></component></structuredBody></component>{plain[end:]}"
    cda = read_cda(structured.encode())
    assert (cda.structured, cda.pdf) == (True, PDF)
    assert not read_cda(CDA).structured
    with pytest.raises(ValueError, match="0 values"):
        read_cda(structured.replace("observationMedia", "observation").encode())


def test_the_facts_of_a_document_are_read() -> None:
    cda = read_cda(CDA)
    assert cda.unique_id == "1.2.250.1.999.1^A"
    assert (cda.set_id, cda.version_number, cda.replaces) == ("1.2.250.1.999.2", 2, "1.2.250.1.999.0")
    assert cda.ins == ("1.2.250.1.213.1.4.8", "268043818590119")
    assert cda.author_id == "899700001003"
    assert cda.pdf == PDF


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ((b"<versionNumber", b"<!-- --><versionNumber"), None),
        ((b'mediaType="application/pdf"', b'mediaType="text/plain"'), "not a PDF"),
        ((b"ClinicalDocument", b"Document"), "not ClinicalDocument"),
        ((b"<ClinicalDocument", b"<!DOCTYPE x [<!ENTITY e 'x'>]><ClinicalDocument"), "DTD"),
        ((b"</ClinicalDocument>", b""), "well-formed"),
        ((b'<setId root="1.2.250.1.999.2"/>', b""), "setId"),
    ],
)
def test_a_document_that_breaks_a_rule_is_refused(change: tuple[bytes, bytes], reason: str | None) -> None:
    changed = CDA.replace(*change)
    if reason is None:
        assert read_cda(changed).version_number == 2
    else:
        with pytest.raises(ValueError, match=reason):
            read_cda(changed)


def test_an_archive_in_order_has_no_problem() -> None:
    xdm = read_xdm(_archive())
    assert xdm.problems == ()
    assert [(one.unique_id, one.data) for one in xdm.documents] == [("1.2^A", CDA)]


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("IHE_XDM/SUBSET01/DOC0001.XML", CDA + b" ", "hash of IHE_XDM/SUBSET01/DOC0001.XML differs"),
        ("IHE_XDM/SUBSET01/METADATA.XML", _metadata(hashlib.sha1(CDA).hexdigest(), 7), "size of"),
        ("IHE_XDM/SUBSET01/METADATA.XML", _metadata("00", len(CDA)), "hash of"),
        ("report.pdf", b"x", "report.pdf is not an ISO 9660"),
    ],
)
def test_an_archive_whose_metadata_lie_is_noticed(name: str, content: bytes, problem: str) -> None:
    assert any(problem in each for each in read_xdm(_archive(**{name: content})).problems)


def test_what_is_no_archive_is_refused() -> None:
    with pytest.raises(ValueError, match="ZIP"):
        read_xdm(b"hello")


def _mail(to: str = "dr@medecin.mssante.example") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Centre <a@b.mssante.example>"
    message["To"] = to
    message["Subject"] = "XDM/1.0/DDM+CR d'imagerie médicale ESSAI Élise 11/10/1988"
    message["Message-ID"] = "<1@b.mssante.example>"
    message["X-MSS-INS"] = "O"
    message.set_content("Bonjour")
    message.add_attachment(_archive(), maintype="application", subtype="zip", filename="IHE_XDM.zip")
    message.add_attachment(PDF, maintype="application", subtype="pdf", filename="20261110_CR.pdf")
    return message


def test_a_mail_is_read_with_both_attachments() -> None:
    mail = read_mail(bytes(_mail()))
    assert mail.recipient == "dr@medecin.mssante.example"
    assert mail.subject.startswith("XDM/1.0/DDM+CR d'imagerie médicale")
    assert (mail.ins_flag, mail.message_id) == ("O", "<1@b.mssante.example>")
    assert mail.pdf == PDF
    assert mail.xdm is not None
    assert read_cda(read_xdm(mail.xdm).documents[0].data).pdf == mail.pdf


def test_a_mail_to_two_people_is_refused() -> None:
    with pytest.raises(ValueError, match="2 recipients"):
        read_mail(bytes(_mail("a@x.mssante.example, b@x.mssante.example")))


def test_a_pdf_that_cannot_be_opened_is_refused() -> None:
    with pytest.raises(ValueError, match="PDF"):
        read_pdf(PDF)
