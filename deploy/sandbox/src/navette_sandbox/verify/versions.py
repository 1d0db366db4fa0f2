"""Reports that were announced, replaced or withdrawn: is what everybody holds now what the acts say?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from navette_sandbox.verify.cda import Cda, read_cda
from navette_sandbox.verify.deliveries import Check, Delivered, DmpDocument, MailboxEntry, Signed, study_of
from navette_sandbox.verify.mail import Mail, read_mail
from navette_sandbox.verify.pdf import read_pdf
from navette_sandbox.verify.xdm import XdmDocument, read_xdm
from navette_sandbox.verify.xml import parse, values

_HL7 = {"h": "urn:hl7-org:v3"}
_PARENT = "h:relatedDocument[@typeCode='RPLC']/h:parentDocument/h:id/@root"


class Turn(StrEnum):
    """What became of a report after it was signed."""

    ANNOUNCED = "announced"
    REPLACED = "replaced"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True)
class Story:
    """One such report."""

    signed: Signed
    turn: Turn


@dataclass
class Parts:
    """Deliveries of the reports that stay as they were signed, and beside them those of the others."""

    documents: list[DmpDocument] = field(default_factory=list)
    mails: list[MailboxEntry] = field(default_factory=list)
    turned_documents: list[tuple[DmpDocument, Cda]] = field(default_factory=list)
    turned_mails: list[tuple[Mail, XdmDocument, Cda]] = field(default_factory=list)
    notices: list[Mail] = field(default_factory=list)
    """Mails without a document that answer one of `turned_mails`."""


def split(documents: Iterable[DmpDocument], mails: Iterable[MailboxEntry], studies: set[str]) -> Parts:
    """Set aside what belongs to the examinations `studies`; what cannot be read stays with the others."""
    parts = Parts()
    for document in documents:
        cda = read_cda(document.content)
        if study_of(cda) in studies:
            parts.turned_documents.append((document, cda))
        else:
            parts.documents.append(document)
    bare: list[tuple[MailboxEntry, Mail]] = []
    for entry in mails:
        mail = read_mail(entry.data)
        if mail.xdm is None:
            bare.append((entry, mail))
            continue
        carried = read_xdm(mail.xdm).documents[0]
        cda = read_cda(carried.data)
        if study_of(cda) in studies:
            parts.turned_mails.append((mail, carried, cda))
        else:
            parts.mails.append(entry)
    known = {mail.message_id for mail, _document, _cda in parts.turned_mails}
    for entry, mail in bare:
        if known & set(references(mail)):
            parts.notices.append(mail)
        else:
            parts.mails.append(entry)
    return parts


def references(mail: Mail) -> list[str]:
    """Message-IDs that a mail refers to, oldest first."""
    return mail.headers.get("references", "").split()


class StoryVerification:
    """Checks every story; `checks` holds the verdicts, `delivered` what was found by report."""

    def __init__(self, stories: Sequence[Story], parts: Parts, registry: Sequence[Mapping[str, Any]]) -> None:
        self.checks: list[Check] = []
        self.delivered: dict[str, Delivered] = {}
        self._parts = parts
        self._registry = {str(entry["unique_id"]): entry for entry in registry}
        for story in stories:
            study = story.signed.study_uid
            documents = [one for one in parts.turned_documents if study_of(one[1]) == study]
            mails = [one for one in parts.turned_mails if study_of(one[2]) == study]
            found = Delivered(tuple(documents), tuple(sorted(mails, key=lambda one: one[2].version_number)))
            self.delivered[story.signed.key] = found
            self._key = story.signed.key
            self._sound(story, found)
            {Turn.ANNOUNCED: self._announced, Turn.REPLACED: self._replaced, Turn.WITHDRAWN: self._withdrawn}[
                story.turn
            ](story, found)

    def _check(self, what: str, held: bool, detail: str = "") -> None:
        self.checks.append(Check(f"{self._key}: {what}", held, detail))

    def _states(self, found: Delivered) -> list[str]:
        """Status in the DMP at the end, one per document sent."""
        return [str(self._registry.get(entry.unique_id, {}).get("status")) for entry, _cda in found.documents]

    def _masks(self, found: Delivered) -> list[bool]:
        """Whether each document sent to the DMP hides from the patient."""
        codes = [self._registry.get(entry.unique_id, {}).get("confidentiality", []) for entry, _cda in found.documents]
        return ["INVISIBLE_PATIENT" in one for one in codes]

    def _to(self, found: Delivered, address: str) -> list[tuple[Mail, Cda]]:
        return [(mail, cda) for mail, _entry, cda in found.mails if mail.recipient.lower() == address.lower()]

    def _notices(self, found: Delivered, address: str) -> list[Mail]:
        sent = {mail.message_id for mail, _cda in self._to(found, address)}
        return [
            mail
            for mail in self._parts.notices
            if mail.recipient.lower() == address.lower() and sent & set(references(mail))
        ]

    def _sound(self, story: Story, found: Delivered) -> None:
        """What holds whatever happened: same document everywhere, under one setId, versions without a gap."""
        cdas = [cda for _entry, cda in found.documents] + [cda for _mail, _entry, cda in found.mails]
        self._check("all its versions are one document (setId)", len({cda.set_id for cda in cdas}) == 1)
        by_number = {cda.version_number: cda.sha1 for cda in cdas}
        consistent = all(by_number[cda.version_number] == cda.sha1 for cda in cdas)
        in_order = sorted(by_number) == list(range(1, len(by_number) + 1))
        self._check("each version is the same bytes wherever it went", consistent and in_order)
        hashes = all(entry.hash.lower() == cda.sha1 for entry, cda in found.documents)
        self._check("hashes in the DMP are those of the documents", hashes and bool(found.documents))
        identified = all(cda.ins == (story.signed.ins_oid, story.signed.matricule) for cda in cdas)
        self._check("every version carries the qualified INS", identified)
        same_pdf = all(mail.pdf == cda.pdf for mail, _entry, cda in found.mails)
        self._check("PDF of each mail = PDF in its CDA", same_pdf)
        strangers = {mail.recipient.lower() for mail, _entry, _cda in found.mails} - {
            story.signed.requester.lower(),
            story.signed.patient.lower(),
        }
        self._check("no mailbox but the requester's and the patient's", not strangers)

    def _follows(self, found: Delivered) -> bool:
        """Whether the second document in the DMP replaces the first, in the CDA and in the registry."""
        (first, _), (second, cda) = found.documents
        named = values(parse(cda.data), _PARENT, _HL7)
        return named == [first.unique_id] and self._registry[second.unique_id].get("replaces") == first.unique_id

    def _announced(self, story: Story, found: Delivered) -> None:
        states, masks = self._states(found), self._masks(found)
        self._check(
            "hidden in the DMP until the announcement, then replaced by one that shows",
            states == ["Deprecated", "Approved"] and masks == [True, False] and self._follows(found),
            f"{states} {masks}",
        )
        requester = [cda.version_number for _mail, cda in self._to(found, story.signed.requester)]
        patient = [cda.version_number for _mail, cda in self._to(found, story.signed.patient)]
        self._check(
            "the requester was mailed once, at once; the patient once, after the announcement",
            (requester, patient) == ([1], [2]),
            f"{requester} {patient}",
        )

    def _replaced(self, story: Story, found: Delivered) -> None:
        states = self._states(found)
        self._check(
            "the DMP shows the second version only, which replaces the first",
            states == ["Deprecated", "Approved"] and self._follows(found),
            str(states),
        )
        banner = "Annule et remplace la version 1" in " ".join(read_pdf(found.documents[-1][1].pdf).text.split())
        self._check("the second version says on its first page what it annuls", banner)
        for who, address in (("requester", story.signed.requester), ("patient", story.signed.patient)):
            mails = self._to(found, address)
            answered = [cda.version_number for _mail, cda in mails] == [1, 2]
            if answered:
                (one, _), (two, _) = mails
                answered = (
                    two.headers.get("in-reply-to") == one.message_id
                    and "Annule et remplace" in two.subject
                    and two.body.startswith("ANNULE ET REMPLACE")
                )
            self._check(f"the {who} was mailed the correction as an answer to the first version", answered)

    def _withdrawn(self, story: Story, found: Delivered) -> None:
        states = self._states(found)
        self._check("the DMP deleted it", states == ["Deleted"], str(states))
        for who, address in (("requester", story.signed.requester), ("patient", story.signed.patient)):
            notices = self._notices(found, address)
            once = len(notices) == 1 and len(self._to(found, address)) == 1
            self._check(f"the {who} was told of the withdrawal, once", once and "RETIRÉ" in notices[0].body)
            words = [story.signed.title, story.signed.conclusion[:30], story.signed.matricule]
            medical = [word for mail in notices for word in words if word in mail.body + mail.subject]
            bare = all(mail.pdf is None and mail.xdm is None for mail in notices)
            self._check(f"the notice to the {who} says nothing medical and carries nothing", bare and not medical)
