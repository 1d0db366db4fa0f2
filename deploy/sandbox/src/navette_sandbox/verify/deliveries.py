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
    """What was found for one report, mails to the requester first."""

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
                tuple(
                    sorted(
                        (found for found in found_mails if study_of(found[2]) == one.study_uid),
                        key=lambda found: found[0].recipient.lower() != one.requester.lower(),
                    )
                ),
            )
        known = sum(len(found.documents) + len(found.mails) for found in self.delivered.values())
        self._check("rien n’est arrivé qui n’ait été signé", known == len(documents) + len(mails), f"{known} envois")
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
            self._check(f"le courriel reçu dans {_masked(entry.mailbox)} est lisible", held=False, detail=str(error))
            return None
        self._check(
            f"courriel de l’examen {study_of(cda)} : archive XDM en règle, adressée à sa boîte",
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
            expected |= {"demandeur": counted[one.requester.lower()], "patient": counted[one.patient.lower()]}
            lost += [f"{one.key} : {name}" for name, number in expected.items() if number == 0]
            twice += [f"{one.key} : {name} × {number}" for name, number in expected.items() if number > 1]
            strangers = set(counted) - {one.requester.lower(), one.patient.lower()}
            twice += [f"{one.key} : une boîte qui n’est celle de personne" for _each in strangers]
        self._check(f"perdus : {len(lost)}", not lost, ", ".join(lost))
        self._check(f"arrivés deux fois : {len(twice)}", not twice, ", ".join(twice))
        ids = Counter(mail.message_id for found in self.delivered.values() for mail, _document, _cda in found.mails)
        self._check("chaque courriel a son propre Message-ID", all(number == 1 for number in ids.values()))

    def _documents(self, one: Signed, found: Delivered) -> None:
        rules: list[tuple[str, Callable[[DmpDocument, Cda], bool]]] = [
            ("empreinte déclarée au DMP = celle du document", lambda entry, cda: entry.hash.lower() == cda.sha1),
            ("taille déclarée au DMP = celle du document", lambda entry, _cda: entry.size == len(entry.content)),
            ("uniqueId déclaré au DMP = identifiant du CDA", lambda entry, cda: entry.unique_id == cda.unique_id),
            (
                "patient déclaré au DMP = INS du patient",
                lambda entry, _cda: entry.patient_id.startswith(one.matricule),
            ),
            ("l’auteur est le radiologue connecté", lambda _entry, cda: cda.author_id == f"8{one.author_rpps}"),
        ]
        for what, holds in rules:
            held = [holds(entry, cda) for entry, cda in found.documents]
            self._check(f"{one.key} : {what}", bool(held) and all(held))

    def _mails(self, one: Signed, found: Delivered) -> None:
        for mail, entry, cda in found.mails:
            to = "patient" if mail.recipient.lower() == one.patient.lower() else "demandeur"
            self._check(f"{one.key} : PDF du courriel au {to} = PDF du CDA, octet pour octet", mail.pdf == cda.pdf)
            agree = entry.sha1 == cda.sha1 and entry.unique_id == cda.unique_id and entry.size == len(cda.data)
            self._check(f"{one.key} : METADATA du courriel au {to} en accord avec le CDA", agree)
            pdf = read_pdf(cda.pdf)
            words = Detector({"title": one.title, "conclusion": one.conclusion[:40], "name": one.birth_name})
            read = {leak.name for leak in words.scan_text(pdf.text, "pdf")}
            self._check(
                f"{one.key} : PDF au {to} en PDF/A-1b, avec titre, nom et conclusion",
                pdf.conformance == "1B" and read == {"title", "conclusion", "name"},
                f"PDF/A {pdf.conformance or 'absent'} ; lus : {', '.join(sorted(read)) or 'rien'}",
            )
        same = {hashlib.sha256(cda.data).hexdigest() for _entry, cda in found.documents}
        same |= {
            hashlib.sha256(cda.data).hexdigest()
            for mail, _entry, cda in found.mails
            if mail.recipient.lower() == one.patient.lower() or not one.late
        }
        self._check(f"{one.key} : DMP et courriels portent le même document", len(same) == 1)

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
                    f"{one.key} : aucun matricule dans ce que le demandeur a reçu avant la qualification",
                    not leaks and cda.ins is None and mail.ins_flag == "N" and cda.version_number == 1,
                    "; ".join(map(str, leaks)),
                )
            else:
                right = cda.ins == (one.ins_oid, one.matricule) and mail.ins_flag == "O"
                self._check(f"{one.key} : le courriel porte l’INS qualifiée", right)
        if one.late:
            first = {cda.set_id for mail, _e, cda in found.mails if mail.recipient.lower() == one.requester.lower()}
            second = {(cda.set_id, cda.version_number) for _entry, cda in found.documents}
            self._check(
                f"{one.key} : l’édition avec INS est la version suivante du même document",
                second == {(set_id, 2) for set_id in first},
            )


def _masked(mailbox: str) -> str:
    """A mailbox without what identifies its owner."""
    return "…@" + mailbox.rpartition("@")[2]
