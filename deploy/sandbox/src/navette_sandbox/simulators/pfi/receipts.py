"""Business receipts (ZAM^Z01, Z02, Z03) and the MLLP client that sends them (TRANS-CDA 2.1, spec/hl7v2.md §6.2)."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from datetime import datetime

_EVENTS = {
    "Z01": ("ACK_RECEPTION_DMP", "Accusé de réception DMP", ""),
    "Z02": ("ACK_RECEPTION_MSS", "Accusé de réception MSSanté", "DESTINATAIRE_MSS^Destinataire MSSanté"),
    "Z03": ("ACK_LECTURE_MSS", "Accusé de lecture", "LECTEUR_MSS^Lecteur du courriel MSSanté"),
}
_TABLES = {"Z01": "DMP_ERROR_CODE", "Z02": "SMTPERRORCODE", "Z03": "applicationErrorCondition"}


@dataclass(frozen=True, slots=True)
class Receipt:
    """One receipt to send. `code` of a negative one; `address` for Z02 and Z03."""

    event: str
    refers_to: str
    positive: bool = True
    address: str = ""
    code: str = ""


def zam(receipt: Receipt, parties: tuple[str, str, str, str], number: str, at: datetime, processing: str) -> bytes:
    """The message; `parties` are MSH-3 to MSH-6."""
    code, label, mailbox = _EVENTS[receipt.event]
    moment = at.strftime("%Y%m%d%H%M%S")
    header = ["MSH", "^~\\&", *parties, moment, "", f"ZAM^{receipt.event}^ZAM_Z01", number, processing, "2.6"]
    header += ["", "", "", "", "FRA", "UNICODE UTF-8", "", "", "2.1^CISIS_CDA_HL7_V2"]
    said = "Y" if receipt.positive else "N"
    status = f"{said}^^expandedYes-NoIndicator"
    lines = [
        "|".join(header),
        f"EVN||{moment}",
        f"OBX|1|CWE|{code}^{label}^AckMetierZAM|{receipt.refers_to}|{status}||||||F",
    ]
    if mailbox:
        lines.append(f"OBX|2|XTN|{mailbox}^AckMetierZAM||^^X.400^{receipt.address}||||||F")
    if not receipt.positive:
        error = f"{receipt.code}^{receipt.code}^{_TABLES[receipt.event]}"
        lines.append(f"ERR|||207^Application error^messageErrorCondition|E|{error}")
    return "".join(f"{line}\r" for line in lines).encode()


async def send(host: str, port: int, data: bytes, context: ssl.SSLContext | None, seconds: float = 10.0) -> str:
    """Send one message over MLLP; the answer's MSA-1. Raises OSError or TimeoutError."""
    async with asyncio.timeout(seconds):
        reader, writer = await asyncio.open_connection(host, port, ssl=context)
        try:
            writer.write(b"\x0b" + data + b"\x1c\r")
            await writer.drain()
            answer = await reader.readuntil(b"\x1c\r")
        except asyncio.IncompleteReadError as error:
            raise ConnectionResetError from error
        finally:
            writer.close()
    found = [line for line in answer.strip(b"\x0b\x1c\r").split(b"\r") if line.startswith(b"MSA|")]
    return found[0].split(b"|")[1].decode("latin-1") if found else ""
