"""The demo's verification notices what is lost, doubled, altered or leaked: each fault planted once."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from email.message import EmailMessage

import pytest
import typst
from navette_sandbox.verify.deliveries import DmpDocument, MailboxEntry, Signed, Verification

SIGNED = Signed(
    key="01-scanner",
    title="Scanner thoracique",
    conclusion="Examen normal, sans anomalie décelable.",
    study_uid="1.2.250.1.999.9.1",
    author_rpps="99700001003",
    birth_name="DUVAL-FICTIF",
    matricule="268043818590119",
    ins_oid="1.2.250.1.213.1.4.8",
    requester="dr@medecins.mssante.example",
    patient="268043818590119@patient.mssante.example",
    late=False,
)


def _pdf(text: str) -> bytes:
    source = f'#set document(title: "CR", date: auto)\n{text}'.encode()
    compiled = typst.compile(source, pdf_standards=["a-1b"])
    assert isinstance(compiled, bytes)
    return compiled


PDF = _pdf("Scanner thoracique — DUVAL-FICTIF Camille\n\nExamen normal, sans anomalie décelable.")


def _cda(*, ins: bool = True, version: int = 1, pdf: bytes = PDF, author: str = "899700001003") -> bytes:
    identifier = f'<id root="{SIGNED.ins_oid}" extension="{SIGNED.matricule}"/>' if ins else ""
    return f"""<ClinicalDocument xmlns="urn:hl7-org:v3"><id root="1.2.250.1.999.1.{version}"/>
 <code code="18748-4"/><setId root="1.2.250.1.999.2"/><versionNumber value="{version}"/>
 <recordTarget><patientRole>{identifier}<id root="1.2.250.1.999.3" extension="IPP1"/></patientRole></recordTarget>
 <author><assignedAuthor><id root="1.2.250.1.71.4.2.1" extension="{author}"/></assignedAuthor></author>
 <documentationOf><serviceEvent><id root="{SIGNED.study_uid}"/></serviceEvent></documentationOf>
 <component><nonXMLBody>
 <text mediaType="application/pdf">{base64.b64encode(pdf).decode()}</text></nonXMLBody></component>
</ClinicalDocument>""".encode()


def _document(cda: bytes, version: int = 1) -> DmpDocument:
    patient = f"{SIGNED.matricule}^^^&{SIGNED.ins_oid}&ISO^NH"
    sha1 = hashlib.sha1(cda).hexdigest()
    return DmpDocument(f"1.2.250.1.999.1.{version}", sha1, len(cda), patient, cda)


def _archive(cda: bytes, version: int) -> bytes:
    metadata = f"""<r:RegistryObjectList xmlns:r="urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"><r:ExtrinsicObject>
 <r:Slot name="hash"><r:ValueList><r:Value>{hashlib.sha1(cda).hexdigest()}</r:Value></r:ValueList></r:Slot>
 <r:Slot name="size"><r:ValueList><r:Value>{len(cda)}</r:Value></r:ValueList></r:Slot>
 <r:Slot name="URI"><r:ValueList><r:Value>DOC0001.XML</r:Value></r:ValueList></r:Slot>
 <r:ExternalIdentifier identificationScheme="urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab"
  value="1.2.250.1.999.1.{version}"/></r:ExtrinsicObject></r:RegistryObjectList>"""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("INDEX.HTM", "<html/>")
        archive.writestr("README.TXT", "x")
        archive.writestr("IHE_XDM/SUBSET01/METADATA.XML", metadata)
        archive.writestr("IHE_XDM/SUBSET01/DOC0001.XML", cda)
    return buffer.getvalue()


def _mail(
    to: str,
    cda: bytes,
    *,
    flag: str = "O",
    pdf: bytes = PDF,
    message_id: str = "",
    version: int = 1,
    body: str = "Bonjour",
) -> MailboxEntry:
    message = EmailMessage()
    message["From"] = "a@imagerie.mssante.example"
    message["To"] = to
    message["Subject"] = "XDM/1.0/DDM+CR d'imagerie médicale"
    message["Message-ID"] = message_id or f"<{to.partition('@')[0]}-{version}@imagerie.mssante.example>"
    message["X-MSS-INS"] = flag
    message.set_content(body)
    message.add_attachment(_archive(cda, version), maintype="application", subtype="zip", filename="IHE_XDM.zip")
    message.add_attachment(pdf, maintype="application", subtype="pdf", filename="cr.pdf")
    return MailboxEntry(to, bytes(message))


@dataclass
class Case:
    """What was delivered; a test plants one fault in it."""

    signed: Signed = SIGNED
    documents: list[DmpDocument] = field(default_factory=lambda: [_document(_cda())])
    mails: list[MailboxEntry] = field(
        default_factory=lambda: [_mail(SIGNED.requester, _cda()), _mail(SIGNED.patient, _cda())]
    )

    def broken(self) -> list[str]:
        """The checks that do not hold."""
        verification = Verification([self.signed], self.documents, self.mails)
        return [check.what for check in verification.checks if not check.held]


def _late() -> Case:
    first, second = _cda(ins=False), _cda(version=2)
    return Case(
        replace(SIGNED, late=True),
        [_document(second, 2)],
        [_mail(SIGNED.requester, first, flag="N"), _mail(SIGNED.patient, second, version=2)],
    )


def test_what_arrived_as_signed_breaks_nothing() -> None:
    assert Case().broken() == []


def test_an_identity_qualified_later_breaks_nothing() -> None:
    assert _late().broken() == []


def _lose_document(case: Case) -> None:
    case.documents.clear()


def _lose_patient_mail(case: Case) -> None:
    case.mails.pop()


def _double_document(case: Case) -> None:
    case.documents.append(_document(_cda(version=3), 3))


def _double_mail(case: Case) -> None:
    case.mails.append(_mail(SIGNED.requester, _cda(), message_id="<again@imagerie.mssante.example>"))


def _repeat_message_id(case: Case) -> None:
    case.mails[1] = _mail(SIGNED.patient, _cda(), message_id="<dr-1@imagerie.mssante.example>")


def _lie_about_hash(case: Case) -> None:
    case.documents[0] = replace(case.documents[0], hash="0" * 40)


def _lie_about_size(case: Case) -> None:
    case.documents[0] = replace(case.documents[0], size=1)


def _wrong_patient(case: Case) -> None:
    case.documents[0] = replace(case.documents[0], patient_id="155116938390254^^^&1&ISO^NH")


def _other_author(case: Case) -> None:
    case.documents[0] = _document(_cda(author="899700001011"))


def _other_pdf(case: Case) -> None:
    case.mails[0] = _mail(SIGNED.requester, _cda(), pdf=PDF + b"\n")


def _blank_pdf(case: Case) -> None:
    blank = _pdf("Rien")
    case.mails[0] = _mail(SIGNED.requester, _cda(pdf=blank), pdf=blank)


def _other_document_to_patient(case: Case) -> None:
    case.mails[1] = _mail(SIGNED.patient, _cda(version=2), version=2)


def _no_ins(case: Case) -> None:
    case.mails[0] = _mail(SIGNED.requester, _cda(ins=False), flag="N")


def _stranger(case: Case) -> None:
    case.mails.append(_mail("other@medecins.mssante.example", _cda()))


def _never_signed(case: Case) -> None:
    unknown = _cda().replace(SIGNED.study_uid.encode(), b"1.2.250.1.999.9.77")
    case.documents.append(_document(unknown))


FAULTS: list[tuple[Callable[[Case], None], str]] = [
    (_lose_document, "perdus : 1"),
    (_lose_patient_mail, "perdus : 1"),
    (_double_document, "arrivés deux fois : 1"),
    (_double_mail, "arrivés deux fois : 1"),
    (_stranger, "arrivés deux fois : 1"),
    (_repeat_message_id, "son propre Message-ID"),
    (_lie_about_hash, "empreinte déclarée au DMP"),
    (_lie_about_size, "taille déclarée au DMP"),
    (_wrong_patient, "patient déclaré au DMP"),
    (_other_author, "l’auteur est le radiologue"),
    (_other_pdf, "octet pour octet"),
    (_blank_pdf, "avec titre, nom et conclusion"),
    (_other_document_to_patient, "portent le même document"),
    (_no_ins, "le courriel porte l’INS qualifiée"),
    (_never_signed, "rien n’est arrivé qui n’ait été signé"),
]


@pytest.mark.parametrize(("plant", "says"), FAULTS, ids=[plant.__name__.strip("_") for plant, _says in FAULTS])
def test_a_planted_fault_is_noticed(plant: Callable[[Case], None], says: str) -> None:
    case = Case()
    plant(case)
    assert any(says in what for what in case.broken()), case.broken()


@pytest.mark.parametrize("where", ["cda", "flag", "body", "version"])
def test_a_matricule_that_left_before_qualification_is_noticed(where: str) -> None:
    case = _late()
    changed = {
        "cda": _mail(SIGNED.requester, _cda(ins=True), flag="N"),
        "flag": _mail(SIGNED.requester, _cda(ins=False), flag="O"),
        "body": _mail(SIGNED.requester, _cda(ins=False), flag="N", body=f"INS {SIGNED.matricule}"),
        "version": _mail(SIGNED.requester, _cda(ins=False, version=3), flag="N", version=3),
    }
    case.mails[0] = changed[where]
    assert any("avant la qualification" in what for what in case.broken()), case.broken()


def test_a_second_edition_that_is_another_document_is_noticed() -> None:
    case = _late()
    other = _cda(version=2).replace(b"1.2.250.1.999.2", b"1.2.250.1.999.8")
    case.documents[0] = _document(other, 2)
    case.mails[1] = _mail(SIGNED.patient, other, version=2)
    assert any("version suivante du même document" in what for what in case.broken()), case.broken()
