"""The rest of the rules, one refusal each: schema shape, packaging, lot signature, VIHF details, lifecycle."""

import copy
from datetime import UTC, datetime, timedelta

import pytest
from lxml import etree
from navette_sandbox.simulators.dmp import DmpSettings

RIM = "{urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0}"
SAML = "{urn:oasis:names:tc:SAML:2.0:assertion}"
DS = "{http://www.w3.org/2000/09/xmldsig#}"
WSA = "{http://www.w3.org/2005/08/addressing}"
SOAP = "{http://www.w3.org/2003/05/soap-envelope}"
XDSB = "{urn:ihe:iti:xds-b:2007}"
REGISTRY_ERROR = "XDSRegistryMetadataError"


def owned(body: etree._Element, owner: str) -> etree._Element:
    return next(item for item in body.iter() if item.get("id") == owner)


def inside(owner: str, change):
    """An edit on the registry object with this id."""
    return lambda body: change(owned(body, owner))


def drop(tag: str, **where: str):
    """Remove the first child with this tag and attributes."""

    def change(element: etree._Element) -> None:
        found = [item for item in element if item.tag == tag and all(item.get(k) == v for k, v in where.items())]
        element.remove(found[0])

    return change


def value_of(slot: str, text: str):
    """Set the first value of a slot."""

    def change(element: etree._Element) -> None:
        found = next(item for item in element if item.get("name") == slot)
        found[0][0].text = text

    return change


def second_package(body: etree._Element) -> None:
    package = owned(body, "Set1")
    package.addnext(copy.deepcopy(package))


def without_list(body: etree._Element) -> None:
    body[0].remove(body[0][0])


def event_without_code(entry: etree._Element) -> None:
    found = next(item for item in entry if (item.get("classificationScheme") or "").endswith("651d33983"))
    event = copy.deepcopy(found)
    event.set("classificationScheme", "urn:uuid:2c6b8cb7-8b2a-4051-b291-b1ae6a575ef4")
    event.set("nodeRepresentation", "")
    found.addnext(event)


def only_signature(body: etree._Element) -> None:
    entry = owned(body, "Document01")
    entry.getparent().remove(entry)
    for item in list(body.iter(f"{RIM}Association")):
        if item.get("targetObject") == "Document01":
            item.getparent().remove(item)
    body.remove(next(item for item in body if item.tag == f"{XDSB}Document" and item.get("id") == "Document01"))


def wrong_cid(body: etree._Element) -> None:
    next(body.iter(f"{XDSB}Document"))[0].set("href", "cid:autre")


@pytest.mark.parametrize(
    ("edit", "code", "rule"),
    [
        (inside("Document01", lambda entry: entry.set("id", "")), "XDSRegistryMetadataError", "ebrim.id"),
        (
            inside("Document01", lambda entry: entry[-1].set("registryObject", "Autre")),
            REGISTRY_ERROR,
            "ebrim.external_identifier",
        ),
        (lambda body: next(body.iter(f"{RIM}Association")).set("id", ""), REGISTRY_ERROR, "ebrim.association"),
        (second_package, REGISTRY_ERROR, "ebrim.package"),
        (without_list, REGISTRY_ERROR, "ebrim.request"),
        (inside("Document01", value_of("creationTime", "")), REGISTRY_ERROR, "ebrim.slot"),
        (inside("Set1", drop(f"{RIM}Classification", id="node")), REGISTRY_ERROR, "lot.node"),
        (inside("Document01", drop(f"{RIM}Name")), REGISTRY_ERROR, "document.title"),
        (inside("Document01", event_without_code), REGISTRY_ERROR, "document.eventCodeList"),
        (inside("Document01", value_of("serviceStopTime", "hier")), REGISTRY_ERROR, "document.time"),
        (only_signature, REGISTRY_ERROR, "lot.empty"),
        (wrong_cid, "XDSRepositoryError", "mtom.include"),
        (inside("Signature01", value_of("languageCode", "fr-FR")), REGISTRY_ERROR, "signature.language"),
        (inside("Signature01", value_of("sourcePatientId", "autre")), REGISTRY_ERROR, "signature.patient"),
        (
            inside("Signature01", lambda entry: entry.find(f"{RIM}Name")[0].set("value", "Autre")),
            REGISTRY_ERROR,
            "signature.title",
        ),
        (
            inside(
                "Signature01",
                drop(
                    f"{RIM}Classification",
                    classificationScheme="urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f",
                    nodeRepresentation="MASQUE_PS",
                ),
            ),
            REGISTRY_ERROR,
            "signature.masks",
        ),
        (
            inside(
                "Signature01",
                drop(
                    f"{RIM}Classification",
                    classificationScheme="urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d",
                ),
            ),
            REGISTRY_ERROR,
            "signature.author",
        ),
        (
            lambda body: [
                item.set("targetObject", "Document01")
                for item in body.iter(f"{RIM}Association")
                if item.get("associationType").endswith("signs")
            ],
            REGISTRY_ERROR,
            "signature.association",
        ),
    ],
)
async def test_a_malformed_lot_is_refused(dmp, edit, code: str, rule: str) -> None:
    await dmp.refused(dmp.message(metadata_edits=[edit]), code, rule)


async def test_the_same_id_for_lot_and_document_is_refused(dmp) -> None:
    message = dmp.message(unique_id="2.25.4711", lot_id="2.25.4711")
    await dmp.refused(message, "XDSRepositoryDuplicateUniqueIdInMessage", "unique_id.in_message")


async def test_a_part_that_is_not_xml_is_refused(dmp) -> None:
    message = dmp.message(package_edits=[lambda body: body.replace(b"Content-Type: text/xml", b"Content-Type: a/b")])
    await dmp.refused(message, "XDSRepositoryMetadataError", "mtom.content_type")


async def test_a_root_part_that_is_not_xop_is_a_fault(dmp) -> None:
    message = dmp.message(package_edits=[lambda body: body.replace(b"application/xop+xml; ", b"text/xml; ")])
    await dmp.refused(message, "InvalidMime", "mime.root")


async def test_a_cda_without_known_body_is_refused(dmp) -> None:
    message = dmp.message(cda_edits=[lambda text: text.replace('mediaType="application/pdf"', 'mediaType="a/b"')])
    await dmp.refused(message, "InvalidDocumentContent", "cda.body")


async def test_a_cda_that_names_another_parent_than_the_association_is_refused(dmp) -> None:
    first = dmp.message()
    await dmp.accepted(first)
    entry_uuid = dmp.stored[first.unique_id]["entry_uuid"]
    second = dmp.message(set_id=first.set_id, parent="1.2.3", replaces=entry_uuid)
    await dmp.refused(second, "XDSReplaceFailed", "replace.cda")


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"signature_edits": [lambda _: "<x"]}, "signature.xml"),
        (
            {"signature_edits": [lambda text: text.replace('v1.1.1#" Target="#sig"', 'v1.1.1#" Target="#x"')]},
            "signature.properties",
        ),
        (
            {"signature_edits": [lambda text: text.replace("1.2.840.10065.1.12.1.14</S", "1.2.3</S")]},
            "signature.properties",
        ),
        (
            {"signed_info_edits": [lambda text: text.replace("xmldsig#Manifest", "xmldsig#Autre")]},
            "signature.references",
        ),
        ({"signed_info_edits": [lambda text: text.replace("#IHEManifest", "#Autre")]}, "signature.references"),
    ],
)
async def test_a_malformed_lot_signature_is_refused(dmp, options: dict, rule: str) -> None:
    await dmp.refused(dmp.message(**options), REGISTRY_ERROR, rule)


def set_text(tag: str, text: str):
    return lambda assertion: setattr(next(assertion.iter(f"{SAML}{tag}")), "text", text)


def not_before(assertion) -> None:
    later = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assertion.insert(2, assertion.makeelement(f"{SAML}Conditions", NotBefore=later))


def signature_attribute(tag: str, name: str, value: str):
    return lambda assertion: next(assertion.iter(f"{DS}{tag}")).set(name, value)


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"vihf_edits": [set_text("NameID", "Dr Testradio")]}, "vihf.name_id"),
        ({"vihf_edits": [set_text("NameID", "899700000012")]}, "vihf.name_id"),
        ({"vihf_edits": [set_text("AuthnContextClassRef", "urn:autre")]}, "vihf.authn_context"),
        (
            {
                "vihf_edits": [
                    lambda a: next(a.iter(f"{SAML}AuthnStatement")).set("AuthnInstant", "2099-01-01T00:00:00Z")
                ]
            },
            "vihf.authn_instant",
        ),
        ({"vihf_edits": [not_before]}, "vihf.conditions"),
        ({"signed_edits": [lambda a: a.set("ID", "1 chiffre")]}, "vihf.id"),
        ({"signed_edits": [signature_attribute("Reference", "URI", "#autre")]}, "vihf.reference"),
        ({"signed_edits": [signature_attribute("Transform", "Algorithm", "urn:autre")]}, "vihf.transforms"),
        (
            {
                "mode": "INDIRECTE_RENFORCEE",
                "vihf_edits": [
                    lambda a: next(a.iter(f"{SAML}AuthnContext")).remove(a.find(f".//{SAML}AuthnContextDecl"))
                ],
            },
            "vihf.authn_context_decl",
        ),
        ({"envelope_edits": [lambda root: root[0][-1].remove(root[0][-1][0])]}, "vihf.absent"),
    ],
)
async def test_a_malformed_vihf_is_a_fault(dmp, options: dict, rule: str) -> None:
    await dmp.refused(dmp.message(**options), "VIHF", rule)


@pytest.mark.parametrize("dmp_settings", [DmpSettings(homologation_numbers=("AUTRE",))])
async def test_an_unknown_homologation_number_is_a_fault(dmp) -> None:
    await dmp.refused(dmp.message(), "homologation", "vihf.homologation")


@pytest.mark.parametrize(
    ("edit", "rule"),
    [
        (lambda root: setattr(root[0].find(f"{WSA}MessageID"), "text", "42"), "addressing.MessageID"),
        (lambda root: setattr(root[0].find(f"{WSA}ReplyTo")[0], "text", "http://x"), "addressing.ReplyTo"),
        (lambda root: setattr(root[0].find(f"{WSA}Action"), "text", "urn:autre"), "addressing.Action"),
        (lambda root: setattr(root, "tag", "{http://schemas.xmlsoap.org/soap/envelope/}Envelope"), "soap.version"),
        (lambda root: root.remove(root[0]), "soap.structure"),
        (lambda root: root[1].append(root.makeelement("autre")), "soap.body"),
    ],
)
async def test_a_malformed_envelope_is_a_fault(dmp, edit, rule: str) -> None:
    await dmp.refused(dmp.message(envelope_edits=[edit]), "soap:Fault", rule)


async def test_an_unreadable_envelope_is_a_fault(dmp) -> None:
    message = dmp.message(package_edits=[lambda body: body.replace(b"</soap:Envelope>", b"")])
    await dmp.refused(message, "InvalidXml", "soap.xml")


@pytest.mark.parametrize(
    ("content_type", "rule"),
    [
        ("text/xml", "http.content_type"),
        ('application/soap+xml; action="urn:autre"', "http.action"),
    ],
)
async def test_a_wrong_http_content_type_is_a_fault(dmp, content_type: str, rule: str) -> None:
    action = "urn:ihe:iti:2007:RegistryStoredQuery"
    envelope = dmp.message().envelope(action, etree.fromstring("<x/>"))
    async with dmp.client() as http:
        answer = await http.post("/registry", content=envelope, headers={"content-type": content_type})
    assert answer.status_code == 400
    assert rule in dmp.simulator.refusals.rules


QUERY = "urn:ihe:iti:2007:RegistryStoredQuery"


def adhoc(slots: dict[str, str], option: str = "LeafClass") -> str:
    listed = "".join(
        f'<rim:Slot name="$XDSDocumentEntry{name}"><rim:ValueList><rim:Value>{value}</rim:Value></rim:ValueList>'
        "</rim:Slot>"
        for name, value in slots.items()
    )
    return (
        '<q:AdhocQueryRequest xmlns:q="urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0" '
        f'xmlns:rim="{RIM[1:-1]}"><q:ResponseOption returnComposedObjects="true" returnType="{option}"/>'
        '<rim:AdhocQuery id="urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d">'
        f"{listed}</rim:AdhocQuery></q:AdhocQueryRequest>"
    )


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (adhoc({}, "Autre"), "query.response_option"),
        (adhoc({"PatientId": "'184127645108946^^^&amp;1.2.250.1.213.1.4.8&amp;ISO^NH'"}), "query.patient"),
        (
            adhoc({"PatientId": "'279035121518989^^^&amp;1.2.250.1.213.1.4.8&amp;ISO^NH'", "Status": "('x')"}),
            "query.status",
        ),
    ],
)
async def test_a_wrong_list_query_is_refused(dmp, body: str, rule: str) -> None:
    answer = await dmp.call("registry", QUERY, body, dmp.message(mode="INDIRECTE_RENFORCEE"))
    assert "ResponseStatusType:Failure" in answer.text
    assert rule in dmp.simulator.refusals.rules


def status_change(message, target: str, source: str = "Set1", associations: bool = True) -> str:
    approved = "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"
    slots = "".join(
        f"<rim:Slot name='{name}'><rim:ValueList><rim:Value>{value}</rim:Value></rim:ValueList></rim:Slot>"
        for name, value in (("OriginalStatus", approved), ("NewStatus", "urn:asip:ci-sis:2010:StatusType:Deleted"))
    )
    change = (
        f"<rim:Association id='a' sourceObject='{source}' targetObject='{target}' "
        f"associationType='urn:ihe:iti:2010:AssociationType:UpdateAvailabilityStatus'>{slots}</rim:Association>"
    )
    return (
        '<lcm:SubmitObjectsRequest xmlns:lcm="urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0" '
        f'xmlns:rim="{RIM[1:-1]}"><rim:RegistryObjectList>{message.lot()}{change if associations else ""}'
        "</rim:RegistryObjectList></lcm:SubmitObjectsRequest>"
    )


UPDATE = "urn:ihe:iti:2010:UpdateDocumentSet"


async def test_another_structures_document_is_not_deleted(dmp) -> None:
    message = dmp.message()
    await dmp.accepted(message)
    dmp.simulator.registry.entries[message.unique_id].structure = "1990000999"
    change = dmp.message()
    body = status_change(change, dmp.stored[message.unique_id]["entry_uuid"])
    answer = await dmp.call("registry", UPDATE, body, change)
    assert "soap:DMPAccessDeniedByRightsService" in answer.text
    assert dmp.stored[message.unique_id]["status"] == "Approved"


async def test_a_malformed_update_is_refused(dmp) -> None:
    message = dmp.message()
    await dmp.accepted(message)
    change = dmp.message()
    target = dmp.stored[message.unique_id]["entry_uuid"]
    foreign = await dmp.call("registry", UPDATE, status_change(change, target, source="Autre"), change)
    assert "XDSMetadataUpdateError" in foreign.text
    change = dmp.message()
    empty = await dmp.call("registry", UPDATE, status_change(change, target, associations=False), change)
    assert "XDSMetadataUpdateOperationError" in empty.text
    assert {"update.source", "update.operation"} <= set(dmp.simulator.refusals.rules)


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ("<autre/>", "existence.message"),
        (
            '<PRPA_IN201307UV02 xmlns="urn:hl7-org:v3" ITSVersion="XML_1.0"><controlActProcess><reasonCode code="X"/>'
            "<queryByParameter><parameterList><patientIdentifier><value root='1.2.250.1.213.1.4.8' "
            "extension='279035121518989'/></patientIdentifier></parameterList></queryByParameter></controlActProcess>"
            "</PRPA_IN201307UV02>",
            "existence.reason",
        ),
    ],
)
async def test_a_wrong_existence_question_is_a_fault(dmp, body: str, rule: str) -> None:
    answer = await dmp.call("patients", "urn:hl7-org:v3:PRPA_IN201307UV02", body, dmp.message())
    assert answer.status_code == 400
    assert rule in dmp.simulator.refusals.rules
