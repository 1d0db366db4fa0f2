"""The rules of a mail: headers, subject, attachments, consistency (spec/mss.md §3, §4, §6)."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from email.utils import getaddresses, parsedate_to_datetime

from navette_sandbox.simulators.dmp.formats import valid_matricule
from navette_sandbox.simulators.mss.settings import MssSettings
from navette_sandbox.simulators.mss.xdm import Cda, MailRuleError, read_archive

_MESSAGE_ID = re.compile(r"<[^<>@\s]+@([^<>@\s]+)>")
Parts = list[tuple[str, EmailMessage]]
"""Content type and part, in order; reading the type of a part again and again is dear."""

_UNIQUE_HEADERS = ("From", "To", "Subject", "Date", "Message-ID", "X-MSS-NIL")


@dataclass(frozen=True, slots=True)
class Envelope:
    """SMTP envelope of one mail."""

    sender: str
    recipient: str


def need(condition: object, rule: str, reason: str) -> None:
    """Raise `MailRuleError` unless ``condition`` holds."""
    if not condition:
        raise MailRuleError(rule, reason)


def plain(value: str) -> str:
    """Without accents."""
    decomposed = unicodedata.normalize("NFD", value)
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def patient_matricule(address: str) -> str | None:
    """The matricule of a patient address with a valid key, else ``None``."""
    matricule = address.partition("@")[0].upper()  # Corsica: 2A or 2B
    return matricule if valid_matricule(matricule) else None


def check_mail(raw: bytes, envelope: Envelope, settings: MssSettings) -> None:
    """Check everything about a mail after DATA. Raises `MailRuleError` at the first broken rule."""
    _check_lines(raw)
    message = BytesParser(_class=EmailMessage, policy=default).parsebytes(raw)
    _check_headers(message, envelope)
    to_patient = settings.is_patient(envelope.recipient)
    codes = message.get("X-MSS-CODECDA")
    parts = [(part.get_content_type(), part) for part in message.walk()]
    archive = _archive(parts)
    mes = message.get("X-MSS-MES")
    need(mes is None or (to_patient and str(mes).strip() == "FIN"), "header.X-MSS-MES", "X-MSS-MES : FIN, patient seul")
    if archive is None:
        absent = codes is None and message.get("X-MSS-INS") is None
        need(absent, "header.X-MSS-CODECDA", "X-MSS-CODECDA et X-MSS-INS sans CDA")
        bare = all(kind == "text/plain" or part.is_multipart() for kind, part in parts)
        need(not to_patient or bare, "patient.archive", "IHE_XDM.zip attendu avec une pièce jointe")
        return
    documents = read_archive(archive)
    patients = {document.patient_ids for document in documents}
    need(len(patients) == 1, "xdm.one_patient", "un seul usager par message")
    written = [item.strip() for item in str(codes or "").split(",")]
    need(written == [document.code for document in documents], "header.X-MSS-CODECDA", "X-MSS-CODECDA différent du CDA")
    expected = "O" if all(document.ins_complete for document in documents) else "N"
    need(str(message.get("X-MSS-INS", "")).strip() == expected, "header.X-MSS-INS", f"X-MSS-INS : {expected} attendu")
    _check_subject(str(message["Subject"]), documents)
    _check_pdf(parts, documents)
    _check_body(parts, documents)
    if to_patient:
        ins = documents[0].ins
        matricule = patient_matricule(envelope.recipient)
        need(ins is not None and ins[1] == matricule, "patient.ins", "adresse du patient différente de l'INS du CDA")


def _check_lines(raw: bytes) -> None:
    need(b"\n" not in raw.replace(b"\r\n", b""), "mime.line_ends", "fins de ligne CRLF attendues")
    need(max(map(len, raw.split(b"\r\n"))) <= 998, "mime.line_length", "ligne de plus de 998 octets")


def _check_headers(message: EmailMessage, envelope: Envelope) -> None:
    for name in _UNIQUE_HEADERS:
        found = message.get_all(name, [])
        need(len(found) == 1 and str(found[0]).strip(), f"header.{name}", f"{name} attendu une fois")
    senders = [address.lower() for _, address in getaddresses([str(message["From"])])]
    need(senders == [envelope.sender.lower()], "header.From", "From différent de la boîte émettrice")
    recipients = [address.lower() for _, address in getaddresses([str(message["To"])])]
    need(recipients == [envelope.recipient.lower()], "header.To", "To : le destinataire et lui seul")
    need(not message.get_all("Cc") and not message.get_all("Bcc"), "header.Cc", "ni Cc ni Bcc")
    match = _MESSAGE_ID.fullmatch(str(message["Message-ID"]).strip())
    domain = envelope.sender.rpartition("@")[2].lower()
    need(match is not None and match[1].lower() == domain, "header.Message-ID", "Message-ID : domaine de la boîte")
    try:
        parsedate_to_datetime(str(message["Date"]))
    except ValueError as error:
        raise MailRuleError("header.Date", "Date illisible") from error
    nil = str(message["X-MSS-NIL"]).strip()
    need(re.fullmatch(r"[A-Z]{3}\d{6}", nil), "header.X-MSS-NIL", "X-MSS-NIL : référence produit attendue")
    need(message.get("MIME-Version", "").strip() == "1.0", "header.MIME-Version", "MIME-Version attendu")


def _archive(parts: Parts) -> bytes | None:
    """The bytes of IHE_XDM.zip, if there is one."""
    archives = [part for kind, part in parts if kind == "application/zip"]
    found = [part for part in archives if (part.get_filename() or "").lower() == "ihe_xdm.zip"]
    need(len(found) <= 1, "mime.attachments", "IHE_XDM.zip présent plusieurs fois")
    if not found:
        return None
    part = found[0]
    need(part.get_content_disposition() == "attachment", "mime.disposition", "Content-Disposition : attachment attendu")
    encoding = str(part.get("Content-Transfer-Encoding", "")).strip().lower()
    need(encoding == "base64", "mime.encoding", "pièce jointe en base64 attendue")
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else None


def _check_subject(subject: str, documents: list[Cda]) -> None:
    cda = documents[0]
    label = cda.display_name[:40] if len(documents) == 1 else f"{len(documents)} documents"
    who = f"{plain(cda.birth_name).upper()} {plain(cda.first_name)}"
    date = f"{cda.birth_date[6:8]}/{cda.birth_date[4:6]}/{cda.birth_date[:4]}"
    match = re.fullmatch(
        rf"XDM/1\.0/DDM\+{re.escape(label.strip())}( Annule et remplace)? (?P<who>.+?)(?P<date> \d\d/\d\d/\d{{4}})?",
        subject,
    )
    need(match is not None, "subject.form", "objet : XDM/1.0/DDM+<libellé> <NOM> <prenom> <JJ/MM/AAAA>")
    if match is None:
        return
    same = match["who"].partition(" ")[0].isupper() and match["who"].casefold() == who.casefold()
    upper = match["who"].startswith(plain(cda.birth_name).upper())
    need(same and upper, "subject.name", "objet : NOM en capitales et prénom du patient du CDA")
    need(match["date"] is None or match["date"].strip() == date, "subject.date", "objet : date de naissance")


def _check_pdf(parts: Parts, documents: list[Cda]) -> None:
    attached = [part for kind, part in parts if kind == "application/pdf"]
    need(len(attached) == len(documents), "pdf.present", "un PDF par document attendu")
    contents = []
    for part in attached:
        name = part.get_filename() or ""
        need(re.fullmatch(r"\d{8}_[^_/\\]+_[^_/\\]+_[^/\\]+\.pdf", name), "pdf.name", "nom du PDF")
        need(part.get_content_disposition() == "attachment", "mime.disposition", "Content-Disposition : attachment")
        contents.append(part.get_payload(decode=True))
    for document in documents:
        if document.pdf is not None:
            need(document.pdf in contents, "pdf.bytes", "PDF joint différent du PDF du CDA")


def _check_body(parts: Parts, documents: list[Cda]) -> None:
    text = next((part for kind, part in parts if kind == "text/plain"), None)
    need(text is not None, "body.text", "texte attendu")
    if text is None:
        return
    need((text.get_content_charset() or "").lower() == "utf-8", "body.charset", "texte en UTF-8 attendu")
    words = str(text.get_content())
    secret = any(document.ins is not None and document.ins[1][:13] in words for document in documents)
    need(not secret, "body.ins", "matricule dans le corps du message")
