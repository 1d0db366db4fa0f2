"""A hospital beside the imaging group: announces a patient over HL7 v2, in bytes written by hand (spec/ins.md §7)."""

from __future__ import annotations

import asyncio
from datetime import datetime

from navette_sandbox import group
from navette_sandbox.scenarios.catalogue import PARIS, Patient
from navette_sandbox.scenarios.client import PlatformError

_START, _END = b"\x0b", b"\x1c\r"
_ANSWER_SECONDS = 20.0


def arrival_message(patient: Patient, ipp: str, venue: str, *, now: datetime) -> bytes:
    """An A04 of PAM France: outpatient arrival of a person the hospital itself has not qualified (PROV, no INS)."""
    moment = now.astimezone(PARIS).strftime("%Y%m%d%H%M%S")
    hospital, birth = group.HOSPITAL, patient.birth_date.replace("-", "")
    name = f"{patient.birth_name}^{patient.first_given_name}^{patient.given_names}^^^^L"
    authority = f"{hospital['authority']}&{hospital['authority_id']}&N"
    segments = [
        f"MSH|^~\\&|{hospital['application']}|{hospital['facility']}|RIS|SITE-A|{moment}||ADT^A04^ADT_A01|{venue}|T"
        "|2.5^FRA^2.11|||||FRA|UNICODE UTF-8|FR",
        f"EVN||{moment}",
        f"PID|||{ipp}^^^{authority}^PI||{name}||{birth}|{patient.sex}|||^^^^^^BDL^^{patient.birth_place_code}"
        + "|" * 20
        + "|PROV",
        f"PV1||O|||||||||||||||||{venue}^^^{authority}^VN",
        "ZFD||||N|SM",
    ]
    return ("\r".join(segments) + "\r").encode()


async def announce(port: int, message: bytes) -> str:
    """Send a message and give back MSA-1: AA when all of it is durable.

    Raises:
        PlatformError: nobody listens, or the answer is not one.
    """
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(_START + message + _END)
            answer = await asyncio.wait_for(reader.readuntil(_END), _ANSWER_SECONDS)
        finally:
            writer.close()
    except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
        raise PlatformError("no answer to the HL7 message") from error
    codes = [line.split(b"|")[1] for line in answer.split(b"\r") if line.startswith(b"MSA|")]
    if not codes:
        raise PlatformError("the answer to the HL7 message has no MSA segment")
    return codes[0].decode("ascii", errors="replace")
