"""Compares what the national services received with what was signed: everything, nothing more, and consistent."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from navette_sandbox.verify.cda import Cda, read_cda
from navette_sandbox.verify.leaks import Detector
from navette_sandbox.verify.mail import Mail, read_mail
from navette_sandbox.verify.pdf import read_pdf
from navette_sandbox.verify.xdm import XdmDocument, read_xdm
from navette_sandbox.verify.xml import parse, values


@dataclass(frozen=True)
class Signed:
    """What was signed, as the user typed it, and who must have received it.

    `late` tells that the identity was qualified only after the requester had been served: a first edition
    without INS for the requester, a second one with INS for the DMP and the patient.
    """

    key: str
    title: str
    conclusion: str
    study_uid: str
    author_rpps: str
    birth_name: str
    matricule: str
    ins_oid: str
    requester: str
    patient: str
    late: bool


@dataclass(frozen=True)
class DmpDocument:
    """One document as the registry of the DMP holds it."""

    unique_id: str
    hash: str
    size: int
    patient_id: str
    content: bytes
    lot: str = ""
    """Name of the submission it came in."""


@dataclass(frozen=True)
class MailboxEntry:
    """One mail in one mailbox."""

    mailbox: str
    data: bytes


@dataclass(frozen=True)
class Check:
    """One thing that must be true."""

    what: str
    held: bool
    detail: str = ""


@dataclass(frozen=True)
class Delivered:
    """What was found for one report."""

    documents: tuple[tuple[DmpDocument, Cda], ...]
    mails: tuple[tuple[Mail, XdmDocument, Cda], ...]


_HL7 = {"h": "urn:hl7-org:v3"}


def study_of(cda: Cda) -> str:
    """Study Instance UID of the examination a document reports on: our key between documents and what was signed."""
    return values(parse(cda.data), "string(h:documentationOf[1]/h:serviceEvent/h:id/@root)", _HL7)[0]


class Verification:
    """Reads everything once; `checks` holds the verdicts, `delivered` what was found by report."""

    def __init__(
        self, signed: Sequence[Signed], documents: Sequence[DmpDocument], mails: Sequence[MailboxEntry]
    ) -> None:
        self.signed = signed
        self.checks: list[Check] = []
        self.delivered: dict[str, Delivered] = {}
        read_documents = [(one, read_cda(one.content)) for one in documents]
        read_mails = [self._mail(one) for one in mails]
        found_mails = [one for one in read_mails if one is not None]
        for one in signed:
            self.delivered[one.key] = Delivered(
                tuple(found for found in read_documents if study_of(found[1]) == one.study_uid),
                tuple(found for found in found_mails if study_of(found[2]) == one.study_uid),
            )
        known = sum(len(found.documents) + len(found.mails) for found in self.delivered.values())
        self._check(
            "nothing was delivered that was not signed", known == len(documents) + len(mails), f"{known} deliveries"
        )
        self._count()
        for one in signed:
            self._documents(one, self.delivered[one.key])
            self._mails(one, self.delivered[one.key])
            self._identity(one, self.delivered[one.key])

    @property
    def held(self) -> bool:
        """Whether every check held."""
        return all(check.held for check in self.checks)

    def _check(self, what: str, held: bool, detail: str = "") -> None:
        self.checks.append(Check(what, held, detail))

    def _mail(self, entry: MailboxEntry) -> tuple[Mail, XdmDocument, Cda] | None:
        try:
            mail = read_mail(entry.data)
            xdm = read_xdm(mail.xdm or b"")
            cda = read_cda(xdm.documents[0].data)
        except ValueError as error:
            self._check(f"mail in {_masked(entry.mailbox)} can be read", held=False, detail=str(error))
            return None
        self._check(
            f"mail of {study_of(cda)}: archive in order, addressed to its mailbox",
            not xdm.problems and len(xdm.documents) == 1 and mail.recipient.lower() == entry.mailbox.lower(),
            "; ".join(xdm.problems),
        )
        return mail, xdm.documents[0], cda

    def _count(self) -> None:
        """Lost 0, twice 0: exactly one document in the DMP and one mail per recipient, for each report."""
        lost, twice = [], []
        for one in self.signed:
            found = self.delivered[one.key]
            counted = Counter(mail.recipient.lower() for mail, _document, _cda in found.mails)
            expected = {"DMP": len(found.documents)}
            expected |= {"requester": counted[one.requester.lower()], "patient": counted[one.patient.lower()]}
            lost += [f"{one.key}: {name}" for name, number in expected.items() if number == 0]
            twice += [f"{one.key}: {name} × {number}" for name, number in expected.items() if number > 1]
            strangers = set(counted) - {one.requester.lower(), one.patient.lower()}
            twice += [f"{one.key}: a mailbox that is nobody's" for _each in strangers]
        self._check(f"lost: {len(lost)}", not lost, ", ".join(lost))
        self._check(f"delivered twice: {len(twice)}", not twice, ", ".join(twice))
        ids = Counter(mail.message_id for found in self.delivered.values() for mail, _document, _cda in found.mails)
        self._check("every mail has a Message-ID of its own", all(number == 1 for number in ids.values()))

    def _documents(self, one: Signed, found: Delivered) -> None:
        rules: list[tuple[str, Callable[[DmpDocument, Cda], bool]]] = [
            ("hash in the DMP is that of the document", lambda entry, cda: entry.hash.lower() == cda.sha1),
            ("size in the DMP is that of the document", lambda entry, _cda: entry.size == len(entry.content)),
            ("uniqueId in the DMP is the id of the CDA", lambda entry, cda: entry.unique_id == cda.unique_id),
            (
                "patient in the DMP is the INS of the CDA",
                lambda entry, _cda: entry.patient_id.startswith(one.matricule),
            ),
            ("author is the radiologist who logged in", lambda _entry, cda: cda.author_id == f"8{one.author_rpps}"),
        ]
        for what, holds in rules:
            held = [holds(entry, cda) for entry, cda in found.documents]
            self._check(f"{one.key}: {what}", bool(held) and all(held))

    def _mails(self, one: Signed, found: Delivered) -> None:
        for mail, entry, cda in found.mails:
            to = "patient" if mail.recipient.lower() == one.patient.lower() else "requester"
            self._check(f"{one.key}: PDF of the mail to the {to} = PDF in the CDA, byte for byte", mail.pdf == cda.pdf)
            agree = entry.sha1 == cda.sha1 and entry.unique_id == cda.unique_id and entry.size == len(cda.data)
            self._check(f"{one.key}: METADATA of the mail to the {to} agree with its CDA", agree)
            pdf = read_pdf(cda.pdf)
            words = Detector({"title": one.title, "conclusion": one.conclusion[:40], "name": one.birth_name})
            read = {leak.name for leak in words.scan_text(pdf.text, "pdf")}
            self._check(
                f"{one.key}: PDF to the {to} is PDF/A-1b and shows title, name and conclusion",
                pdf.conformance == "1B" and read == {"title", "conclusion", "name"},
                f"PDF/A {pdf.conformance or 'none'}, shows {', '.join(sorted(read)) or 'nothing'}",
            )
        same = {hashlib.sha256(cda.data).hexdigest() for _entry, cda in found.documents}
        same |= {
            hashlib.sha256(cda.data).hexdigest()
            for mail, _entry, cda in found.mails
            if mail.recipient.lower() == one.patient.lower() or not one.late
        }
        self._check(f"{one.key}: DMP and mails carry the same document", len(same) == 1)

    def _identity(self, one: Signed, found: Delivered) -> None:
        """The INS where it must be, and nowhere where it must not."""
        secret = Detector({"matricule": one.matricule[:13]})
        for mail, _entry, cda in found.mails:
            to_requester = mail.recipient.lower() == one.requester.lower()
            if one.late and to_requester:
                raw = repr(mail.headers) + mail.body
                leaks = secret.scan_text(raw, "headers") + secret.scan_bytes(mail.xdm or b"", "archive")
                leaks += secret.scan_bytes(mail.pdf or b"", "pdf")
                self._check(
                    f"{one.key}: no matricule in what the requester received before qualification",
                    not leaks and cda.ins is None and mail.ins_flag == "N" and cda.version_number == 1,
                    "; ".join(map(str, leaks)),
                )
            else:
                right = cda.ins == (one.ins_oid, one.matricule) and mail.ins_flag == "O"
                self._check(f"{one.key}: the mail carries the qualified INS", right)
        if one.late:
            first = {cda.set_id for mail, _e, cda in found.mails if mail.recipient.lower() == one.requester.lower()}
            second = {(cda.set_id, cda.version_number) for _entry, cda in found.documents}
            self._check(
                f"{one.key}: the edition with INS is the next version of the same document",
                second == {(set_id, 2) for set_id in first},
            )


def _masked(mailbox: str) -> str:
    """A mailbox without what identifies its owner."""
    return "…@" + mailbox.rpartition("@")[2]
