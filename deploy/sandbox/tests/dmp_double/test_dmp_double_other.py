"""Queries, retrieve, update, existence test and faults."""

import json

import httpx
import pytest
from lxml import etree

QUERY = "urn:ihe:iti:2007:RegistryStoredQuery"
GET_DOCUMENTS = "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4"
FIND_DOCUMENTS = "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d"
RIM = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"
AIR = "INDIRECTE_RENFORCEE"
PATIENT = "279035121518989^^^&amp;1.2.250.1.213.1.4.8&amp;ISO^NH"


def adhoc(query_id: str, kind: str, **slots: str) -> str:
    listed = "".join(
        f'<rim:Slot name="$XDSDocumentEntry{name}"><rim:ValueList><rim:Value>{value}</rim:Value></rim:ValueList>'
        "</rim:Slot>"
        for name, value in slots.items()
    )
    return (
        f'<q:AdhocQueryRequest xmlns:q="urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0" xmlns:rim="{RIM}">'
        f'<q:ResponseOption returnComposedObjects="true" returnType="{kind}"/>'
        f'<rim:AdhocQuery id="{query_id}">{listed}</rim:AdhocQuery></q:AdhocQueryRequest>'
    )


async def test_the_reference_of_a_stored_document_is_found_in_indirect_mode(dmp) -> None:
    message = dmp.message()
    await dmp.accepted(message)
    body = adhoc(GET_DOCUMENTS, "ObjectRef", UniqueId=f"('{message.unique_id}')")
    answer = await dmp.call("registry", QUERY, body, dmp.message())
    found = etree.fromstring(answer.content).findall(f".//{{{RIM}}}ObjectRef")
    assert [item.get("id") for item in found] == [dmp.stored[message.unique_id]["entry_uuid"]]
    nothing = await dmp.call("registry", QUERY, adhoc(GET_DOCUMENTS, "ObjectRef", UniqueId="('1.2.3')"), dmp.message())
    assert "Success" in nothing.text
    assert "ObjectRef" not in nothing.text


async def test_another_patients_document_is_not_found(dmp) -> None:
    message = dmp.message()
    await dmp.accepted(message)
    other = dmp.message(patient="184127645108946^^^&amp;1.2.250.1.213.1.4.8&amp;ISO^NH")
    body = adhoc(GET_DOCUMENTS, "ObjectRef", UniqueId=f"('{message.unique_id}')")
    assert "ObjectRef" not in (await dmp.call("registry", QUERY, body, other)).text


async def test_metadata_is_not_readable_in_indirect_mode(dmp) -> None:
    body = adhoc(FIND_DOCUMENTS, "LeafClass", PatientId=f"'{PATIENT}'")
    answer = await dmp.call("registry", QUERY, body, dmp.message())
    assert "soap:DMPAccessDeniedByRightsService" in answer.text


async def test_documents_are_listed_in_air_mode(dmp) -> None:
    message = dmp.message()
    await dmp.accepted(message)
    body = adhoc(
        FIND_DOCUMENTS,
        "LeafClass",
        PatientId=f"'{PATIENT}'",
        Status="('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')",
        TypeCode="('18748-4^^2.16.840.1.113883.6.1')",
    )
    answer = await dmp.call("registry", QUERY, body, dmp.message(mode=AIR))
    (fiche,) = etree.fromstring(answer.content).findall(f".//{{{RIM}}}ExtrinsicObject")
    assert fiche.get("id") == dmp.stored[message.unique_id]["entry_uuid"]
    assert fiche.find(f"{{{RIM}}}VersionInfo").get("versionName") == "1"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (adhoc("urn:uuid:0", "ObjectRef"), "XDSUnknownStoredQuery"),
        (adhoc(GET_DOCUMENTS, "ObjectRef"), "XDSStoredQueryMissingParam"),
        (adhoc(GET_DOCUMENTS, "ObjectRef", UniqueId="'1.2.3'"), "XDSStoredQueryParamNumber"),
    ],
)
async def test_a_wrong_query_is_refused(dmp, body: str, code: str) -> None:
    answer = await dmp.call("registry", QUERY, body, dmp.message())
    assert code in answer.text
    assert "ResponseStatusType:Failure" in answer.text


def retrieve(unique_id: str, repository: str = "1.2.250.1.213.4.1.1.1.2") -> str:
    return (
        '<x:RetrieveDocumentSetRequest xmlns:x="urn:ihe:iti:xds-b:2007"><x:DocumentRequest>'
        f"<x:RepositoryUniqueId>{repository}</x:RepositoryUniqueId>"
        f"<x:DocumentUniqueId>{unique_id}</x:DocumentUniqueId></x:DocumentRequest></x:RetrieveDocumentSetRequest>"
    )


async def test_a_document_comes_back_byte_for_byte_in_air_mode_only(dmp) -> None:
    message = dmp.message()
    await dmp.accepted(message)
    action = "urn:ihe:iti:2007:RetrieveDocumentSet"
    answer = await dmp.call("repository", action, retrieve(message.unique_id), dmp.message(mode=AIR))
    assert answer.headers["content-type"].startswith("multipart/related")
    assert message.cda() in answer.content
    denied = await dmp.call("repository", action, retrieve(message.unique_id), dmp.message())
    assert "soap:DMPAccessDeniedByRightsService" in denied.text
    unknown = await dmp.call("repository", action, retrieve("1.2.3"), dmp.message(mode=AIR))
    assert "XDSDocumentUniqueIdError" in unknown.text
    elsewhere = await dmp.call("repository", action, retrieve(message.unique_id, "1.2"), dmp.message(mode=AIR))
    assert "XDSUnknownRepositoryId" in elsewhere.text


def status_change(message, target: str, original: str, new: str) -> str:
    return (
        f'<lcm:SubmitObjectsRequest xmlns:lcm="urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0" xmlns:rim="{RIM}">'
        f"<rim:RegistryObjectList>{message.lot()}<rim:Association id='as1' sourceObject='Set1' "
        "associationType='urn:ihe:iti:2010:AssociationType:UpdateAvailabilityStatus' "
        f"targetObject='{target}'><rim:Slot name='OriginalStatus'><rim:ValueList><rim:Value>{original}</rim:Value>"
        f"</rim:ValueList></rim:Slot><rim:Slot name='NewStatus'><rim:ValueList><rim:Value>{new}</rim:Value>"
        "</rim:ValueList></rim:Slot></rim:Association></rim:RegistryObjectList></lcm:SubmitObjectsRequest>"
    )


APPROVED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"
ARCHIVED = "urn:asip:ci-sis:2010:StatusType:Archived"
DELETED = "urn:asip:ci-sis:2010:StatusType:Deleted"
UPDATE = "urn:ihe:iti:2010:UpdateDocumentSet"


async def test_the_structure_deletes_its_document_and_it_is_no_longer_found(dmp) -> None:
    message = dmp.message()
    await dmp.accepted(message)
    entry_uuid = dmp.stored[message.unique_id]["entry_uuid"]
    deletion = dmp.message()
    answer = await dmp.call("registry", UPDATE, status_change(deletion, entry_uuid, APPROVED, DELETED), deletion)
    assert "ResponseStatusType:Success" in answer.text
    assert dmp.stored[message.unique_id]["status"] == "Deleted"
    body = adhoc(GET_DOCUMENTS, "ObjectRef", UniqueId=f"('{message.unique_id}')")
    assert "ObjectRef" not in (await dmp.call("registry", QUERY, body, dmp.message())).text


@pytest.mark.parametrize(
    ("target", "original", "new", "code"),
    [
        (None, ARCHIVED, DELETED, "XDSMetadataUpdateError"),
        (None, APPROVED, ARCHIVED, "soap:DMPAccessDeniedByRightsService"),
        ("urn:uuid:11111111-2222-4333-8444-555555555555", APPROVED, DELETED, "UnresolvedReferenceException"),
    ],
)
async def test_a_wrong_status_change_is_refused(dmp, target: str | None, original: str, new: str, code: str) -> None:
    message = dmp.message()
    await dmp.accepted(message)
    change = dmp.message()
    target = target or dmp.stored[message.unique_id]["entry_uuid"]
    answer = await dmp.call("registry", UPDATE, status_change(change, target, original, new), change)
    assert code in answer.text
    assert dmp.stored[message.unique_id]["status"] == "Approved"


def mask(dmp, message, lot, version: str = "1", title: str | None = None) -> str:
    entry = message.report_entry(message.cda())
    extra = entry[entry.index("<rim:Classification", entry.index("f4f85eac") - 120) :]
    extra = extra[: extra.index("</rim:Classification>") + len("</rim:Classification>")]
    masked = extra.replace('nodeRepresentation="N"', 'nodeRepresentation="MASQUE_PS"').replace(
        "2.16.840.1.113883.5.25", "1.2.250.1.213.1.1.4.13"
    )
    entry = entry.replace(extra, extra + masked)
    logical = dmp.stored[message.unique_id]["logical_id"]
    entry = entry.replace('id="Document01"', f'id="Document01" lid="{logical}"', 1)
    if title:
        entry = entry.replace("CR de scanner thoracique", title)
    return (
        f'<lcm:SubmitObjectsRequest xmlns:lcm="urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0" xmlns:rim="{RIM}">'
        f"<rim:RegistryObjectList>{lot.lot()}{entry}<rim:Association id='m' sourceObject='Set1' "
        "targetObject='Document01' associationType='urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember'>"
        "<rim:Slot name='SubmissionSetStatus'><rim:ValueList><rim:Value>Original</rim:Value></rim:ValueList>"
        f"</rim:Slot><rim:Slot name='PreviousVersion'><rim:ValueList><rim:Value>{version}</rim:Value>"
        "</rim:ValueList></rim:Slot></rim:Association></rim:RegistryObjectList></lcm:SubmitObjectsRequest>"
    )


async def test_masking_needs_air_and_changes_the_entry_uuid(dmp) -> None:
    message = dmp.message()
    await dmp.accepted(message)
    before = dmp.stored[message.unique_id]
    lot = dmp.message()
    denied = await dmp.call("registry", UPDATE, mask(dmp, message, lot), lot)
    assert "soap:DMPAccessDeniedByRightsService" in denied.text
    lot = dmp.message(mode=AIR)
    answer = await dmp.call("registry", UPDATE, mask(dmp, message, lot), lot)
    assert "ResponseStatusType:Success" in answer.text, answer.text
    after = dmp.stored[message.unique_id]
    assert after["confidentiality"] == ["N", "MASQUE_PS"]
    assert (after["version"], after["logical_id"]) == (2, before["logical_id"])
    assert after["entry_uuid"] != before["entry_uuid"]


async def test_masking_a_stale_version_or_another_field_is_refused(dmp) -> None:
    message = dmp.message()
    await dmp.accepted(message)
    lot = dmp.message(mode=AIR)
    stale = await dmp.call("registry", UPDATE, mask(dmp, message, lot, version="7"), lot)
    assert "XDSMetadataVersionError" in stale.text
    lot = dmp.message(mode=AIR)
    other = await dmp.call("registry", UPDATE, mask(dmp, message, lot, title="Autre titre"), lot)
    assert "UnmodifiableMetadataError" in other.text


def existence(extension: str) -> str:
    return (
        '<PRPA_IN201307UV02 xmlns="urn:hl7-org:v3" ITSVersion="XML_1.0"><id root="1.2.3" extension="m"/>'
        '<controlActProcess><reasonCode code="TEST_EXST"/><queryByParameter><queryId root="1.2.4" extension="q"/>'
        '<parameterList><patientIdentifier><value root="1.2.250.1.213.1.4.8" '
        f'extension="{extension}"/></patientIdentifier></parameterList></queryByParameter></controlActProcess>'
        "</PRPA_IN201307UV02>"
    )


@pytest.mark.parametrize(
    ("state", "code", "status"), [("active", "OK", "active"), ("closed", "OK", "terminated"), ("none", "NF", None)]
)
async def test_existence_says_active_closed_or_none(dmp, state: str, code: str, status: str | None) -> None:
    dmp.simulator.patient_states["279035121518989"] = state
    action = "urn:hl7-org:v3:PRPA_IN201307UV02"
    answer = await dmp.call("patients", action, existence("279035121518989"), dmp.message())
    root = etree.fromstring(answer.content)
    namespaces = {"h": "urn:hl7-org:v3"}
    assert root.find(".//h:queryResponseCode", namespaces).get("code") == code
    patient = root.find(".//h:patient/h:statusCode", namespaces)
    assert (None if patient is None else patient.get("code")) == status


async def test_existence_of_another_patient_than_the_vihf_is_a_fault(dmp) -> None:
    action = "urn:hl7-org:v3:PRPA_IN201307UV02"
    answer = await dmp.call("patients", action, existence("184127645108946"), dmp.message())
    assert "existence.patient" in dmp.simulator.refusals.rules
    assert answer.status_code == 400


async def test_an_action_on_the_wrong_address_is_a_fault(dmp) -> None:
    answer = await dmp.call("patients", QUERY, adhoc(GET_DOCUMENTS, "ObjectRef"), dmp.message())
    assert "ActionNotSupported" in answer.text


async def post_fault(dmp, **script: object) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        url = f"http://127.0.0.1:{dmp.simulator.control_port}/faults"
        assert (await http.post(url, content=json.dumps(script))).status_code == 200


async def test_a_lost_answer_leaves_the_document_stored_and_the_resend_is_a_duplicate(dmp) -> None:
    await post_fault(dmp, kind="lost_answer", target="provide", count=1)
    message = dmp.message()
    with pytest.raises(httpx.TransportError):
        await dmp.send(message)
    assert list(dmp.stored) == [message.unique_id]
    again = dmp.message(unique_id=message.unique_id, set_id=message.set_id)
    await dmp.refused(again, "XDSDuplicateUniqueIdInRegistry", "unique_id.document")


@pytest.mark.parametrize(
    ("script", "status", "shown"),
    [
        ({"kind": "soap_fault", "code": "DMPPanne"}, 500, "soap:DMPPanne"),
        ({"kind": "http_error", "status": 502}, 502, "<html>"),
        ({"kind": "busy"}, 200, "XDSRepositoryBusy"),
        ({"kind": "registry_error", "code": "XDSRepositoryError"}, 200, "XDSRepositoryError"),
    ],
)
async def test_scripted_faults_store_nothing(dmp, script: dict, status: int, shown: str) -> None:
    await post_fault(dmp, **script, count=1)
    answer = await dmp.send(dmp.message())
    assert answer.status_code == status
    assert shown in answer.text
    assert dmp.stored == {}
    await dmp.accepted(dmp.message())


async def test_the_state_is_readable_on_the_control_port(dmp) -> None:
    message = dmp.message()
    await dmp.accepted(message)
    async with httpx.AsyncClient(trust_env=False) as http:
        base = f"http://127.0.0.1:{dmp.simulator.control_port}/state"
        listed = (await http.get(f"{base}/documents")).json()
        content = await http.get(f"{base}/documents/{message.unique_id}/content")
        closing = await http.post(f"{base}/patients", json={"279035121518989": "closed"})
    assert message.unique_id in {item["unique_id"] for item in listed}
    assert content.content == message.cda()
    assert closing.status_code == 204
    await dmp.refused(dmp.message(), "XDSUnknownPatientId", "patient.closed")
