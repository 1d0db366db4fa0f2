"""Writes what a run produced to a folder a person can open: one folder per report, and the exchanges."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from navette_sandbox import group
from navette_sandbox.layout import Layout
from navette_sandbox.processes import SandboxError
from navette_sandbox.scenarios.stage import Played
from navette_sandbox.scenarios.verdict import Verdict
from navette_sandbox.verify.deliveries import Delivered, MailboxEntry
from navette_sandbox.verify.platform import Received


@dataclass
class ReportFiles:
    """Files of one report, relative to the output folder, with the label of their link."""

    folder: str
    links: list[tuple[str, str]] = field(default_factory=list)


def read_mailboxes(received: Path) -> list[MailboxEntry]:
    """Every mail that the operator's double put into the mailbox of a recipient.

    What comes back to the sender (delivery notices) is not a delivery.
    """
    boxes = received / "mailboxes"
    found = [MailboxEntry(path.parent.name, path.read_bytes()) for path in sorted(boxes.glob("*/*.eml"))]
    return [entry for entry in found if entry.mailbox.lower() != group.SENDER_MAILBOX]


def start_output(output: Path) -> None:
    """Empty the folder of a former run.

    Raises:
        SandboxError: the folder holds something else.
    """
    if output.exists() and any(output.iterdir()) and not (output / "journeys.json").exists():
        raise SandboxError(f"The folder {output} is not empty and holds no former demo: choose another with --output.")
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    (output / "journeys.json").write_text("[]", "utf-8")


def write_exchanges(output: Path, layout: Layout, logs: Mapping[str, Path]) -> None:
    """Copy what the national services received, their refusals, and the logs of the processes."""
    names = {"dmp": "dmp", "insi": "insi", "annuaire": "annuaire", "mss": "mss", "psc": "psc", "pfi": "pfi"}
    for simulator, folder in names.items():
        source = layout.received(simulator)
        if source.exists():
            shutil.copytree(source, output / "echanges" / folder, dirs_exist_ok=True)
    for name, log in logs.items():
        if log.exists():
            (output / "journaux").mkdir(exist_ok=True)
            shutil.copyfile(log, output / "journaux" / f"{name}.log")


def write_reports(
    output: Path, played: Sequence[Played], verdict: Verdict, mails: Sequence[MailboxEntry]
) -> list[ReportFiles]:
    """One folder per report: PDF, CDA, XDM archive and its content, mails; or the messages to the platform."""
    raw = {entry.data for entry in mails}
    found = []
    for one in played:
        files = ReportFiles(f"comptes-rendus/{one.key}")
        if one.by_platform:
            _write_messages(output, verdict.handed[one.key], files)
        else:
            _write_report(output, one, verdict.delivered[one.key], raw, files)
        found.append(files)
    journeys = [one.journey for one in played]
    (output / "journeys.json").write_text(json.dumps(journeys, ensure_ascii=False, indent=1), "utf-8")
    return found


def _write_report(output: Path, one: Played, found: Delivered, raw: set[bytes], files: ReportFiles) -> None:
    folder = output / files.folder
    folder.mkdir(parents=True, exist_ok=True)

    def keep(name: str, label: str, content: bytes) -> None:
        (folder / name).write_bytes(content)
        if label:
            files.links.append((label, f"{files.folder}/{name}"))

    documents = {cda.version_number: cda for _entry, cda in found.documents}
    documents |= {cda.version_number: cda for _mail, _entry, cda in found.mails}
    for version, cda in sorted(documents.items()):
        with_ins = "" if len(documents) == 1 else f" v{version}" + (" avec INS" if cda.ins else " sans INS")
        keep(f"compte-rendu-v{version}.pdf", f"PDF{with_ins}", cda.pdf)
        keep(f"document-v{version}.xml", f"CDA{with_ins}", cda.data)
    for entry, _cda in found.documents:
        files.links.append(("Soumission au DMP", f"echanges/dmp/submissions/{entry.lot}/envelope.xml"))
    for mail, _entry, cda in found.mails:
        to_requester = mail.recipient.lower() == one.requester.mailbox.lower()
        name, label = ("demandeur", "au demandeur") if to_requester else ("patient", "au patient")
        if len(documents) > 1:
            name, label = f"{name}-v{cda.version_number}", f"{label} v{cda.version_number}"
        keep(f"IHE_XDM-{name}.zip", f"XDM {label}", mail.xdm or b"")
        _unpack(mail.xdm or b"", folder / f"xdm-{name}")
        files.links.append((f"XDM {label}, ouvert", f"{files.folder}/xdm-{name}/INDEX.HTM"))
        source = next((data for data in raw if mail.message_id.encode() in data), b"")
        keep(f"courriel-{name}.eml", f"Courriel {label}", source)


def _write_messages(output: Path, messages: Sequence[Received], files: ReportFiles) -> None:
    folder = output / files.folder
    folder.mkdir(parents=True, exist_ok=True)
    labels = {"T02": "création", "T10": "remplacement", "T04": "suppression"}
    for number, message in enumerate(messages, start=1):
        name = f"message-{number}-{message.event}.hl7"
        (folder / name).write_bytes(message.data)
        files.links.append((f"HL7 {labels[message.event]}", f"{files.folder}/{name}"))
    for cda in {message.cda.version_number: message.cda for message in messages}.values():
        for name, label, content in (
            (f"compte-rendu-v{cda.version_number}.pdf", "PDF", cda.pdf),
            (f"document-v{cda.version_number}.xml", "CDA", cda.data),
        ):
            (folder / name).write_bytes(content)
            files.links.append((f"{label} v{cda.version_number}", f"{files.folder}/{name}"))


def _unpack(archive: bytes, folder: Path) -> None:
    """Unpack an archive whose member names were checked (ISO 9660: no path goes up)."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        opened.extractall(folder)
