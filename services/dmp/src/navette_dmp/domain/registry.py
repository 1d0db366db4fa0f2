"""Bodies of ITI-41 and ITI-18, and registry responses (spec/dmp.md §6.1, §7, §10.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lxml import etree
from navette_documents.xds import Submission, submit_objects_request

from navette_dmp.domain.names import QUERY, RIM, RS, XDSB, XOP, q

GET_DOCUMENTS = "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4"
_STATUS = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:"
_WARNING = "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:Warning"

_Element = etree._Element


@dataclass(frozen=True, slots=True)
class RegistryResponse:
    """Outcome of a registry transaction. Error contexts are not kept: they may quote identifiers."""

    success: bool
    errors: tuple[str, ...]
    """Codes of the errors, warnings left out."""
    warnings: tuple[str, ...]
    entries: tuple[str, ...] = ()
    """entryUUIDs of a query answer."""


def provide_and_register(submission: Submission, hrefs: Mapping[str, str]) -> _Element:
    """Body of ITI-41; `hrefs` gives the xop:Include of each document by the id of its sheet."""
    request = etree.Element(q(XDSB, "ProvideAndRegisterDocumentSetRequest"), nsmap={"xdsb": XDSB})
    request.append(submit_objects_request(submission))
    for entry in submission.entries:
        # Must equal ExtrinsicObject/@id exactly, case included: XDSMissingDocument otherwise.
        document = etree.SubElement(request, q(XDSB, "Document"), {"id": entry.object_id})
        etree.SubElement(document, q(XOP, "Include"), {"href": hrefs[entry.object_id]}, nsmap={"xop": XOP})
    return request


def update_document_set(submission: Submission) -> _Element:
    """Body of ITI-57: the request itself, without wrapper or attachment (spec/dmp.md §9)."""
    return submit_objects_request(submission)


def get_documents(unique_id: str) -> _Element:
    """Body of TD3.1b: which entries have this uniqueId (ObjectRef only, allowed in INDIRECTE)."""
    request = etree.Element(q(QUERY, "AdhocQueryRequest"), nsmap={"query": QUERY, "rim": RIM})
    etree.SubElement(
        request,
        q(QUERY, "ResponseOption"),
        {"returnComposedObjects": "true", "returnType": "ObjectRef"},
    )
    query = etree.SubElement(request, q(RIM, "AdhocQuery"), {"id": GET_DOCUMENTS})
    slot = etree.SubElement(query, q(RIM, "Slot"), {"name": "$XDSDocumentEntryUniqueId"})
    values = etree.SubElement(slot, q(RIM, "ValueList"))
    quoted = unique_id.replace("'", "''")
    etree.SubElement(values, q(RIM, "Value")).text = f"('{quoted}')"
    return request


def read_registry_response(body: _Element) -> RegistryResponse | None:
    """RegistryResponse or AdhocQueryResponse; None for any other element."""
    if body.tag not in (q(RS, "RegistryResponse"), q(QUERY, "AdhocQueryResponse")):
        return None
    errors: list[str] = []
    warnings: list[str] = []
    for error in body.iter(q(RS, "RegistryError")):
        found = warnings if error.get("severity") == _WARNING else errors
        found.append(error.get("errorCode") or "unnamed")
    entries = (
        *(e.get("id", "") for e in body.iter(q(RIM, "ObjectRef"))),
        *(e.get("id", "") for e in body.iter(q(RIM, "ExtrinsicObject"))),
    )
    return RegistryResponse(
        success=body.get("status") == _STATUS + "Success",
        errors=tuple(errors),
        warnings=tuple(warnings),
        entries=tuple(dict.fromkeys(entry for entry in entries if entry)),
    )
