"""HL7 v2 data types inside XDS metadata: CX, CXi, XCN, XON (spec/dmp.md §6.4).

The separators ^ & | ~ and \\ inside a value are replaced by a blank: XDS readers know no escape sequence.
"""

from __future__ import annotations

from navette_documents.codes import Code
from navette_documents.errors import InvalidValue
from navette_documents.identifiers.finess import STRUCT_AUTHORITY
from navette_documents.identifiers.rpps import PS_AUTHORITY

_SEPARATORS = str.maketrans(dict.fromkeys("^&|~\\", " "))


def clean(text: str) -> str:
    """`text` without HL7 separators nor control characters, blanks collapsed."""
    printable = "".join(c if c.isprintable() else " " for c in text.translate(_SEPARATORS))
    return " ".join(printable.split())


def _required(text: str | None, field: str) -> str:
    cleaned = clean(text or "")
    if not cleaned:
        raise InvalidValue(field, "missing")
    return cleaned


def cx(identifier: str, authority: str, kind: str) -> str:
    """Patient identifier; `kind` is NH for an INS, PI for a local one."""
    return f"{_required(identifier, 'CX.1')}^^^&{clean(authority)}&ISO^{kind}"


def cxi(identifier: str, authority: str | None, kind: str) -> str:
    """Reference identifier; `kind` is a code of JDV_J197; a DICOM UID needs no authority."""
    assigner = f"&{clean(authority)}&ISO" if authority else ""
    return f"{_required(identifier, 'CXi.1')}^^^{assigner}^{kind}"


def xcn_person(ps_idnat: str, family: str | None, given: str | None) -> str:
    """A professional. Family and first name are mandatory: the DMP refuses empty ones."""
    return (
        f"{_required(ps_idnat, 'XCN.1')}^{_required(family, 'XCN.2')}^{_required(given, 'XCN.3')}"
        f"^^^^^^&{PS_AUTHORITY}&ISO^D^^^IDNPS"
    )


def xcn_system(identifier: str, name: str, model: str) -> str:
    """A software system as author; `identifier` is the structure's number, "/" and the system's own id."""
    return (
        f"{_required(identifier, 'XCN.1')}^{_required(name, 'XCN.2')}^{_required(model, 'XCN.3')}"
        f"^^^^^^&{PS_AUTHORITY}&ISO^U^^^RI"
    )


def xon(name: str | None, struct_idnat: str) -> str:
    """A structure."""
    number = _required(struct_idnat, "XON.10")
    return f"{_required(name, 'XON.1')}^^^^^&{STRUCT_AUTHORITY}&ISO^IDNST^^^{number}"


def coded(code: Code) -> str:
    """A code, its label and the OID of its system, the form of authorSpecialty."""
    return f"{clean(code.code)}^{clean(code.display)}^{clean(code.system)}"
