"""ITI-18 stored queries and ITI-43 retrieve (spec/dmp.md §7, §8)."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from urllib.parse import quote

from lxml import etree

from navette_sandbox.simulators.dmp import names
from navette_sandbox.simulators.dmp.ebrim import slots_of
from navette_sandbox.simulators.dmp.errors import DmpFaultError, RegistryError, RegistryRefusalError
from navette_sandbox.simulators.dmp.names import q
from navette_sandbox.simulators.dmp.registry import Entry, Registry, registered_fiche
from navette_sandbox.simulators.dmp.settings import DmpSettings
from navette_sandbox.simulators.dmp.soap import registry_response
from navette_sandbox.simulators.dmp.vihf import Vihf
from navette_sandbox.simulators.dmp.xml import attribute, child, children, text

STATUSES = (names.APPROVED, names.DEPRECATED, names.ARCHIVED, names.DELETED)


def denied(rule: str) -> DmpFaultError:
    """The fault of the rights matrix (§1.2)."""
    reason = "Droits insuffisants pour cette transaction dans ce mode d'authentification"
    return DmpFaultError(f"rights.{rule}", "DMPAccessDeniedByRightsService", reason)


def _refusal(code: str, context: str, rule: str) -> RegistryRefusalError:
    return RegistryRefusalError(RegistryError(code, context, rule))


def _list_values(values: list[str]) -> list[str]:
    """Members of ``('a','b')``, possibly split over several Value elements."""
    members: list[str] = []
    for value in values:
        if not re.fullmatch(r"\(\s*'(?:[^']|'')*'(?:\s*,\s*'(?:[^']|'')*')*\s*\)", value):
            raise _refusal("XDSStoredQueryParamNumber", "liste ('…','…') attendue", "query.list")
        members += [match.replace("''", "'") for match in re.findall(r"'((?:[^']|'')*)'", value)]
    return members


@dataclass(frozen=True, slots=True)
class StoredQuery:
    """A parsed AdhocQueryRequest."""

    query_id: str
    leaf: bool
    slots: dict[str, list[str]]


def read_query(body: etree._Element) -> StoredQuery:
    """Parse ITI-18. Raises `DmpFaultError` or `RegistryRefusalError`."""
    query, option = child(body, q(names.RIM, "AdhocQuery")), child(body, q(names.QUERY, "ResponseOption"))
    if body.tag != q(names.QUERY, "AdhocQueryRequest") or query is None or option is None:
        raise DmpFaultError("soap.body", "InvalidBody", "AdhocQueryRequest attendu")
    kind = attribute(option, "returnType")
    if kind not in {"LeafClass", "ObjectRef"} or attribute(option, "returnComposedObjects") != "true":
        raise _refusal("XDSRegistryError", "ResponseOption non supportée", "query.response_option")
    query_id = attribute(query, "id")
    if query_id not in {names.FIND_DOCUMENTS, names.GET_DOCUMENTS}:
        raise _refusal("XDSUnknownStoredQuery", query_id, "query.unknown")
    return StoredQuery(query_id, kind == "LeafClass", slots_of(query))


def _get_documents(query: StoredQuery, visible: list[Entry]) -> list[Entry]:
    by_unique = query.slots.get("$XDSDocumentEntryUniqueId")
    by_uuid = query.slots.get("$XDSDocumentEntryEntryUUID")
    if (by_unique is None) == (by_uuid is None):
        raise _refusal("XDSStoredQueryMissingParam", "uniqueId ou entryUUID", "query.parameters")
    wanted = _list_values(by_unique if by_unique is not None else by_uuid or [])
    return [entry for entry in visible if (entry.unique_id if by_unique else entry.entry_uuid) in wanted]


def _find_documents(query: StoredQuery, visible: list[Entry], vihf: Vihf) -> list[Entry]:
    patients = query.slots.get("$XDSDocumentEntryPatientId", [])
    if patients != [f"'{vihf.patient}'"]:
        raise _refusal("XDSStoredQueryMissingParam", "patient du VIHF attendu", "query.patient")
    statuses = _list_values(query.slots.get("$XDSDocumentEntryStatus", []))
    if not statuses or not set(statuses) <= set(STATUSES):
        raise _refusal("XDSStoredQueryMissingParam", "$XDSDocumentEntryStatus", "query.status")
    types = query.slots.get("$XDSDocumentEntryTypeCode")
    found = [entry for entry in visible if entry.status in statuses and not entry.signature]
    if types is not None:
        codes = {value.split("^^")[0] for value in _list_values(types)}
        found = [entry for entry in found if codes & set(_type_codes(entry))]
    return found


def _type_codes(entry: Entry) -> list[str]:
    path = f"{q(names.RIM, 'Classification')}[@classificationScheme='{names.DOC_TYPE}']"
    return [attribute(item, "nodeRepresentation") for item in entry.fiche().iterfind(path)]


def query_response(body: etree._Element, vihf: Vihf, registry: Registry, settings: DmpSettings) -> etree._Element:
    """Answer ITI-18 with what concerns the patient of the VIHF; INDIRECTE may only read references."""
    query = read_query(body)
    if vihf.mode == "INDIRECTE" and (query.leaf or query.query_id == names.FIND_DOCUMENTS):
        raise denied("metadata")
    visible = [entry for entry in registry.entries.values() if entry.patient == vihf.matricule]
    if query.query_id == names.GET_DOCUMENTS:
        found = [entry for entry in _get_documents(query, visible) if entry.status != names.DELETED]
    else:
        found = _find_documents(query, visible, vihf)
    response = etree.Element(q(names.QUERY, "AdhocQueryResponse"), nsmap={"query": names.QUERY, "rim": names.RIM})
    response.set("status", names.SUCCESS)
    response.set("startIndex", "0")
    response.set("totalResultCount", str(len(found)))
    listing = etree.SubElement(response, q(names.RIM, "RegistryObjectList"))
    for entry in found:
        if query.leaf:
            listing.append(registered_fiche(entry, settings.repository_unique_id))
        else:
            etree.SubElement(listing, q(names.RIM, "ObjectRef")).set("id", entry.entry_uuid)
    return response


def retrieve_response(
    body: etree._Element, vihf: Vihf, registry: Registry, settings: DmpSettings
) -> tuple[etree._Element, list[tuple[str, bytes]]]:
    """Answer ITI-43: the response element and the parts (Content-ID, bytes)."""
    if vihf.mode == "INDIRECTE":
        raise denied("retrieve")
    requests = children(body, q(names.XDSB, "DocumentRequest"))
    if body.tag != q(names.XDSB, "RetrieveDocumentSetRequest") or not requests:
        raise DmpFaultError("soap.body", "InvalidBody", "RetrieveDocumentSetRequest attendu")
    response = etree.Element(q(names.XDSB, "RetrieveDocumentSetResponse"), nsmap={"xdsb": names.XDSB})
    response.append(registry_response())
    parts: list[tuple[str, bytes]] = []
    for request in requests:
        repository = text(child(request, q(names.XDSB, "RepositoryUniqueId")))
        if repository != settings.repository_unique_id:
            raise _refusal("XDSUnknownRepositoryId", repository, "retrieve.repository")
        unique_id = text(child(request, q(names.XDSB, "DocumentUniqueId")))
        entry = registry.entries.get(unique_id)
        if entry is None or entry.patient != vihf.matricule or entry.status == names.DELETED:
            raise _refusal("XDSDocumentUniqueIdError", unique_id, "retrieve.document")
        content_id = f"{uuid.uuid4()}@urn:ihe:iti:xds-b:2007"
        item = etree.SubElement(response, q(names.XDSB, "DocumentResponse"))
        for name, value in (
            ("RepositoryUniqueId", repository),
            ("DocumentUniqueId", unique_id),
            ("mimeType", "text/xml"),
        ):
            etree.SubElement(item, q(names.XDSB, name)).text = value
        document = etree.SubElement(item, q(names.XDSB, "Document"))
        include = etree.SubElement(document, q(names.XOP, "Include"), nsmap={"xop": names.XOP})
        include.set("href", f"cid:{quote(content_id, safe='@-')}")
        parts.append((content_id, entry.content))
    return response, parts
