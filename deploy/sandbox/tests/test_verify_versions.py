"""The verification of announced, replaced and withdrawn reports notices each thing that can go wrong with them."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

import pytest
import typst
from navette_sandbox.verify.deliveries import DmpDocument, MailboxEntry, Signed
from navette_sandbox.verify.versions import Story, StoryVerification, Turn, split

STUDY = "1.2.250.1.999.9.7"
REQUESTER, PATIENT = "dr@medecins.mssante.example", "268043818590119@patient.mssante.example"
SIGNED = Signed(
    key="01-epaule",
    title="Radiographie de l'épaule",
    conclusion="Calcification de six millimètres du tendon.",
    study_uid=STUDY,
    author_rpps="99700001003",
    birth_name="DUVAL-FICTIF",
    matricule="268043818590119",
    ins_oid="1.2.250.1.213.1.4.8",
    requester=REQUESTER,
    patient=PATIENT,
    late=False,
)


def _pdf(text: str) -> bytes:
    compiled = typst.compile(f'#set document(title: "CR", date: auto)\n{text}'.encode(), pdf_standards=["a-1b"])
    assert isinstance(compiled, bytes)
    return compiled


PDFS = {1: _pdf("Radiographie"), 2: _pdf("Annule et remplace la version 1 du 20 novembre 2026")}


def cda(version: int, *, replaces: int | None = None, set_id: str = "1.2.250.1.999.2", pdf: bytes = b"") -> bytes:
    related = (
        f'<relatedDocument typeCode="RPLC"><parentDocument><id root="1.2.250.1.999.1.{replaces}"/></parentDocument>'
        "</relatedDocument>"
        if replaces
        else ""
    )
    body = base64.b64encode(pdf or PDFS[version]).decode()
    return f"""<ClinicalDocument xmlns="urn:hl7-org:v3"><id root="1.2.250.1.999.1.{version}"/>
 <code code="18748-4"/><setId root="{set_id}"/><versionNumber value="{version}"/>
 <recordTarget><patientRole><id root="{SIGNED.ins_oid}" extension="{SIGNED.matricule}"/></patientRole></recordTarget>
 <author><assignedAuthor><id root="1.2.250.1.71.4.2.1" extension="899700001003"/></assignedAuthor></author>
 <documentationOf><serviceEvent><id root="{STUDY}"/></serviceEvent></documentationOf>{related}
 <component><nonXMLBody><text mediaType="application/pdf">{body}</text></nonXMLBody></component>
</ClinicalDocument>""".encode()


def sent(data: bytes, version: int) -> DmpDocument:
    return DmpDocument(f"1.2.250.1.999.1.{version}", hashlib.sha1(data).hexdigest(), len(data), "x", data)


def _archive(data: bytes, version: int) -> bytes:
    metadata = f"""<r:RegistryObjectList xmlns:r="urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"><r:ExtrinsicObject>
 <r:Slot name="hash"><r:ValueList><r:Value>{hashlib.sha1(data).hexdigest()}</r:Value></r:ValueList></r:Slot>
 <r:Slot name="size"><r:ValueList><r:Value>{len(data)}</r:Value></r:ValueList></r:Slot>
 <r:Slot name="URI"><r:ValueList><r:Value>DOC0001.XML</r:Value></r:ValueList></r:Slot>
 <r:ExternalIdentifier identificationScheme="urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab"
  value="1.2.250.1.999.1.{version}"/></r:ExtrinsicObject></r:RegistryObjectList>"""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in {
            "INDEX.HTM": b"<html/>",
            "README.TXT": b"x",
            "IHE_XDM/SUBSET01/METADATA.XML": metadata.encode(),
            "IHE_XDM/SUBSET01/DOC0001.XML": data,
        }.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def message_id(to: str, version: int | str) -> str:
    return f"<{to.partition('@')[0]}-{version}@imagerie.mssante.example>"


def mail(
    to: str, version: int, data: bytes, *, answers: bool = False, subject: str | None = None, body: str | None = None
) -> MailboxEntry:
    message = EmailMessage()
    message["From"], message["To"] = "a@imagerie.mssante.example", to
    mention = " Annule et remplace" if answers else ""
    message["Subject"] = subject if subject is not None else f"XDM/1.0/DDM+CR d'imagerie médicale{mention} DUVAL"
    message["Message-ID"] = message_id(to, version)
    if answers:
        message["In-Reply-To"] = message["References"] = message_id(to, 1)
    message.set_content(body if body is not None else ("ANNULE ET REMPLACE le …" if answers else "Bonjour"))
    message.add_attachment(_archive(data, version), maintype="application", subtype="zip", filename="IHE_XDM.zip")
    message.add_attachment(PDFS[version], maintype="application", subtype="pdf", filename="cr.pdf")
    return MailboxEntry(to, bytes(message))


def notice(to: str, *, body: str = "Ce compte rendu a été RETIRÉ.", attached: bool = False) -> MailboxEntry:
    message = EmailMessage()
    message["From"], message["To"] = "a@imagerie.mssante.example", to
    message["Subject"] = "Retrait d'un compte rendu d'imagerie"
    message["Message-ID"] = message_id(to, "retrait")
    message["In-Reply-To"] = message["References"] = message_id(to, 1)
    message.set_content(body)
    if attached:
        message.add_attachment(PDFS[1], maintype="application", subtype="pdf", filename="cr.pdf")
    return MailboxEntry(to, bytes(message))


@dataclass
class Case:
    """What was delivered for one story; a test plants one fault in it."""

    turn: Turn
    documents: list[DmpDocument] = field(default_factory=list)
    mails: list[MailboxEntry] = field(default_factory=list)
    registry: list[dict[str, Any]] = field(default_factory=list)

    def broken(self) -> list[str]:
        parts = split(self.documents, self.mails, {STUDY})
        assert (parts.documents, parts.mails) == ([], [])
        found = StoryVerification([Story(SIGNED, self.turn)], parts, self.registry)
        return [check.what.removeprefix("01-epaule: ") for check in found.checks if not check.held]


def entry(version: int, status: str, *, hidden: bool = False, replaces: int | None = None) -> dict[str, Any]:
    return {
        "unique_id": f"1.2.250.1.999.1.{version}",
        "status": status,
        "confidentiality": ["N", "INVISIBLE_PATIENT"] if hidden else ["N"],
        "replaces": None if replaces is None else f"1.2.250.1.999.1.{replaces}",
    }


FIRST, SECOND = cda(1), cda(2, replaces=1)


def announced() -> Case:
    return Case(
        Turn.ANNOUNCED,
        [sent(FIRST, 1), sent(SECOND, 2)],
        [mail(REQUESTER, 1, FIRST), mail(PATIENT, 2, SECOND)],
        [entry(1, "Deprecated", hidden=True), entry(2, "Approved", replaces=1)],
    )


def replaced() -> Case:
    mails = [mail(to, 1, FIRST) for to in (REQUESTER, PATIENT)]
    mails += [mail(to, 2, SECOND, answers=True) for to in (REQUESTER, PATIENT)]
    return Case(
        Turn.REPLACED,
        [sent(FIRST, 1), sent(SECOND, 2)],
        mails,
        [entry(1, "Deprecated"), entry(2, "Approved", replaces=1)],
    )


def withdrawn() -> Case:
    mails = [mail(to, 1, FIRST) for to in (REQUESTER, PATIENT)] + [notice(to) for to in (REQUESTER, PATIENT)]
    return Case(Turn.WITHDRAWN, [sent(FIRST, 1)], mails, [entry(1, "Deleted")])


@pytest.mark.parametrize("story", [announced, replaced, withdrawn])
def test_a_story_that_went_well_is_found_so(story: Callable[[], Case]) -> None:
    assert story().broken() == []


def _shown_too_early(case: Case) -> None:
    case.registry[0]["confidentiality"] = ["N"]


def _still_hidden(case: Case) -> None:
    case.registry[1]["confidentiality"] = ["N", "INVISIBLE_PATIENT"]


def _patient_mailed_first(case: Case) -> None:
    case.mails.append(mail(PATIENT, 1, FIRST))


def _both_visible(case: Case) -> None:
    case.registry[0]["status"] = "Approved"


def _former_not_named(case: Case) -> None:
    plain = cda(2)
    case.documents[1] = sent(plain, 2)
    case.mails[2:] = [mail(to, 2, plain, answers=True) for to in (REQUESTER, PATIENT)]


def _no_answer(case: Case) -> None:
    case.mails[2] = mail(REQUESTER, 2, SECOND)


def _one_not_told(case: Case) -> None:
    case.mails.pop()


def _told_twice(case: Case) -> None:
    case.mails.append(notice(PATIENT))


def _result_told(case: Case) -> None:
    case.mails[2] = notice(REQUESTER, body="RETIRÉ : Calcification de six millimètres du tendon.")


def _document_again(case: Case) -> None:
    case.mails[2] = notice(REQUESTER, attached=True)


def _not_deleted(case: Case) -> None:
    case.registry[0]["status"] = "Approved"


def _another_set(case: Case) -> None:
    other = cda(1, set_id="1.2.250.1.999.3")
    case.mails[0] = mail(REQUESTER, 1, other)


@pytest.mark.parametrize(
    ("story", "spoil", "said"),
    [
        (announced, _shown_too_early, "hidden in the DMP until"),
        (announced, _still_hidden, "hidden in the DMP until"),
        (announced, _patient_mailed_first, "the patient once, after"),
        (announced, _another_set, "one document (setId)"),
        (replaced, _both_visible, "second version only"),
        (replaced, _former_not_named, "second version only"),
        (replaced, _no_answer, "the requester was mailed the correction"),
        (replaced, _one_not_told, "the patient was mailed the correction"),
        (withdrawn, _not_deleted, "the DMP deleted it"),
        (withdrawn, _one_not_told, "the patient was told"),
        (withdrawn, _told_twice, "the patient was told"),
        (withdrawn, _result_told, "says nothing medical"),
        (withdrawn, _document_again, "says nothing medical"),
        (withdrawn, _another_set, "one document (setId)"),
    ],
)
def test_each_fault_is_noticed(story: Callable[[], Case], spoil: Callable[[Case], None], said: str) -> None:
    case = story()
    spoil(case)
    assert any(said in what for what in case.broken()), case.broken()


def test_a_notice_that_answers_nothing_known_is_left_to_the_check_of_strangers() -> None:
    parts = split([], [notice(REQUESTER)], {STUDY})
    assert len(parts.mails) == 1
    assert parts.notices == []
