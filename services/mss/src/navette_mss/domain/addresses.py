"""Which addresses may receive health data (spec/mss.md §6 and §9)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

from navette_documents.cda_model import CdaHeader
from navette_documents.errors import InvalidValue
from navette_documents.identifiers.nir import check_ins_oid, parse_matricule

_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,188}[A-Za-z0-9])", re.ASCII)


class AddressRefused(ValueError):  # noqa: N818 - the address is what is refused
    """No address can be used; `code` says why, without the address."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def check_domain(address: str, allowed: Sequence[str]) -> str:
    """`address` if it is one and its domain matches the white list (patterns such as `*.mssante.fr`).

    Raises `AddressRefused` (address-malformed, domain-not-trusted).
    """
    if not _ADDRESS.fullmatch(address) or ".." in address:
        raise AddressRefused("address-malformed")
    domain = address.rpartition("@")[2].lower()
    if not any(fnmatchcase(domain, pattern.lower()) for pattern in allowed):
        raise AddressRefused("domain-not-trusted")
    return address


def patient_address(header: CdaHeader, domain: str, *, production: bool) -> str:
    """Address of the patient, built from the qualified INS of the document and from nothing else (RIS.MSS.12).

    Raises `AddressRefused` (ins-not-qualified, ins-incomplete, ins-invalid).
    """
    ins = header.patient.ins
    if ins is None or ins.extension is None:
        raise AddressRefused("ins-not-qualified")
    if not ins_complete(header):
        raise AddressRefused("ins-incomplete")
    try:
        check_ins_oid(ins.root, production=production)
        matricule = parse_matricule(ins.extension)
    except InvalidValue as error:
        raise AddressRefused("ins-invalid") from error
    return f"{matricule.value}@{domain}"


def ins_complete(header: CdaHeader) -> bool:
    """Whether the document holds a qualified INS: matricule, OID and the traits that travel with them (X-MSS-INS)."""
    patient = header.patient
    return patient.ins is not None and all(
        (patient.birth_name, patient.first_birth_given_name, patient.birth_date, patient.gender in ("M", "F"))
    )
