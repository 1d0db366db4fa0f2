"""PID as it is written: names, birth, status of an identity, its numbers (PAM France 2.11; spec/hl7v2.md §2.2)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from typing import Protocol

from navette_documents.hl7v2.escapes import escape
from navette_documents.hl7v2.pid import DELETE
from navette_documents.hl7v2.writer import components, cx, repeat, sub, xpn
from navette_documents.identifiers.nir import INS_NIA


class ShownTraits(Protocol):
    """The traits a message shows. Birth date YYYY-MM-DD, sex M, F or I, birth place a COG code."""

    @property
    def birth_name(self) -> str: ...
    @property
    def first_birth_given_name(self) -> str: ...
    @property
    def birth_given_names(self) -> str: ...
    @property
    def birth_date(self) -> str: ...
    @property
    def sex(self) -> str: ...
    @property
    def birth_place_code(self) -> str: ...
    @property
    def used_name(self) -> str | None: ...
    @property
    def used_given_name(self) -> str | None: ...


def identity_fields(
    traits: ShownTraits, *, checked: bool, codes: Iterable[str] = (), name_removed: bool = False
) -> dict[int, str]:
    """PID-5, 7, 8, 11, 31 and 32. `checked`: VALI, else PROV; `codes`: more of table 0445 (HOMA, DOUT, FICT).

    `name_removed`: the receiver must forget a used name it was told of.
    """
    names = [xpn(traits.birth_name, traits.first_birth_given_name, traits.birth_given_names, "L")]
    if traits.used_name is not None or traits.used_given_name is not None:
        names.append(xpn(traits.used_name or traits.birth_name, traits.used_given_name or "", "", "D"))
    elif name_removed:
        names.append(xpn(DELETE, traits.first_birth_given_name, "", "D"))
    return {
        5: repeat(*names),
        7: traits.birth_date.replace("-", ""),
        8: traits.sex if traits.sex in ("M", "F") else "U",
        11: f"^^^^^^BDL^^{sub(traits.birth_place_code)}",
        31: "N",
        32: repeat("VALI" if checked else "PROV", *codes),
    }


def ins_cx(matricule: str, oid: str) -> str:
    """The INS as an identifier; `matricule` may be the delete sign."""
    return cx(matricule, ins_authority(oid), "INS")


def ins_authority(oid: str) -> str:
    """CX-4 of an INS."""
    return sub("ASIP-SANTE-INS-NIA" if oid == INS_NIA else "ASIP-SANTE-INS-NIR", oid, "ISO")


def xcn(number: str, family: str, given: str, *, authority: str, name_type: str, kind: str) -> str:
    """A person in the role of one: `authority` is an encoded XCN-9, `name_type` D or L, `kind` table 0203."""
    return components(
        escape(number), escape(family), escape(given), "", "", "", "", "", authority, name_type, "", "", kind
    )


def xon(name: str, number: str, kind: str) -> str:
    """An organisation known by a national number (`kind` FINEG, FINEJ, IDNST …)."""
    return components(
        escape(name), "", "", "", "", sub("ASIP-SANTE-ST", "1.2.250.1.71.4.2.2", "ISO"), kind, "", "", escape(number)
    )


PS_AUTHORITY = sub("ASIP-SANTE-PS", "1.2.250.1.71.4.2.1", "ISO")
"""XCN-9 of a national identifier of a professional."""


def control_id(*parts: str) -> str:
    """MSH-10: the same for the same message, however often it is sent; 18 characters."""
    return base64.b32encode(hashlib.sha256("|".join(parts).encode()).digest()).decode("ascii")[:18]
