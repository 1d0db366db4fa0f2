"""ITI-41: a good lot is stored; each broken rule is refused with the code a client would meet."""

import re

import pytest
from navette_sandbox.simulators.dmp import DmpSettings

SAML = "{urn:oasis:names:tc:SAML:2.0:assertion}"
RIM = "{urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0}"
FORMAT = "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d"


def drop_classification(scheme: str):
    def edit(body):
        found = [
            item
            for item in body.iter(f"{RIM}Classification")
            if item.get("classificationScheme") == f"urn:uuid:{scheme}"
            and item.get("classifiedObject") in {"Document01", "Set1"}
        ]
        assert found
        for item in found:
            item.getparent().remove(item)

    return edit


def drop_identifier(scheme: str):
    def edit(body):
        found = [
            item
            for item in body.iter(f"{RIM}ExternalIdentifier")
            if item.get("identificationScheme") == f"urn:uuid:{scheme}"
            and item.get("registryObject") in {"Document01", "Set1"}
        ]
        assert found
        for item in found:
            item.getparent().remove(item)

    return edit


def drop_slot(owner: str, name: str):
    def edit(body):
        parent = next(item for item in body.iter() if item.get("id") == owner)
        parent.remove(next(item for item in parent if item.get("name") == name))

    return edit


def set_slot(owner: str, name: str, *values: str):
    def edit(body):
        parent = next(item for item in body.iter() if item.get("id") == owner)
        slot = next(item for item in parent if item.get("name") == name)
        for value, text in zip(slot[0], values, strict=True):
            value.text = text

    return edit


def change(tag: str, where: dict[str, str], **attributes: str):
    def edit(body):
        found = [
            item for item in body.iter(f"{RIM}{tag}") if all(item.get(key) == value for key, value in where.items())
        ]
        assert found
        for key, value in attributes.items():
            found[0].set(key, value)

    return edit


async def test_a_complete_lot_is_stored_with_its_bytes(dmp) -> None:
    message = dmp.message()
    await dmp.accepted(message)
    (entry,) = dmp.stored.values()
    assert entry["unique_id"] == message.unique_id
    assert entry["status"] == "Approved"
    assert dmp.simulator.registry.entries[message.unique_id].content == message.cda()
    assert dmp.simulator.refusals.entries == []
    files = [path for path in dmp.simulator.registry.files() if message.unique_id in path]
    assert len(files) == 1


@pytest.mark.parametrize(
    ("scheme", "rule"),
    [
        ("a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d", "lot.author"),
        ("aa543740-bdda-424e-8c96-df4873be8500", "lot.content_type"),
        ("93606bcf-9494-43ec-9b4e-a7748d1a838d", "document.author"),
        ("41a5887f-8865-4c09-adf7-e362475b143a", "document.classCode"),
        ("f0306f51-975f-434e-a61c-c59651d33983", "document.typeCode"),
        ("f4f85eac-e6cb-4883-b524-f2705394840f", "document.confidentiality"),
        ("a09d5840-386c-46f2-b5ad-9c3699a4309d", "document.formatCode"),
        ("f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1", "document.healthcareFacilityTypeCode"),
        ("cccf5598-8b07-4b77-a05e-ae952c785ead", "document.practiceSettingCode"),
    ],
)
async def test_a_missing_classification_is_refused(dmp, scheme: str, rule: str) -> None:
    message = dmp.message(metadata_edits=[drop_classification(scheme)])
    await dmp.refused(message, "XDSRegistryMetadataError", rule)


@pytest.mark.parametrize(
    ("scheme", "rule"),
    [
        ("6b5aea1a-874d-4603-a4bc-96a0a7b38446", "lot.patient_id"),
        ("554ac39e-e3fe-47fe-b233-965d2a147832", "lot.source_id"),
        ("96fdda7c-d067-4183-912e-bf5ee74998a8", "lot.unique_id"),
        ("58a6f841-87b3-4a3e-92fd-a8ffeff98427", "document.patient_id"),
        ("2e82c1f6-a085-4c72-9da3-8640a32e42ab", "document.unique_id"),
    ],
)
async def test_a_missing_external_identifier_is_refused(dmp, scheme: str, rule: str) -> None:
    message = dmp.message(metadata_edits=[drop_identifier(scheme)])
    await dmp.refused(message, "XDSRegistryMetadataError", rule)


@pytest.mark.parametrize(
    ("owner", "name", "rule"),
    [
        ("Set1", "submissionTime", "lot.submission_time"),
        ("Document01", "creationTime", "document.creationTime"),
        ("Document01", "languageCode", "document.languageCode"),
        ("Document01", "legalAuthenticator", "document.legal_authenticator"),
        ("Document01", "serviceStartTime", "document.serviceStartTime"),
        ("Document01", "serviceStopTime", "cda.serviceStopTime"),
        ("Document01", "sourcePatientId", "document.source_patient_id"),
        ("Document01", "sourcePatientInfo", "document.sourcePatientInfo"),
        ("Document01", "hash", "document.hash"),
        ("Document01", "size", "document.size"),
    ],
)
async def test_a_missing_slot_is_refused(dmp, owner: str, name: str, rule: str) -> None:
    message = dmp.message(metadata_edits=[drop_slot(owner, name)])
    await dmp.refused(message, "XDSRegistryMetadataError", rule)


@pytest.mark.parametrize(
    ("edit", "code", "rule"),
    [
        (set_slot("Document01", "hash", "0" * 40), "XDSNonIdenticalHash", "document.hash"),
        (set_slot("Document01", "size", "1"), "XDSNonIdenticalSize", "document.size"),
        (set_slot("Document01", "creationTime", "20260105111200"), "XDSRegistryMetadataError", "cda.creationTime"),
        (
            change("Classification", {"classificationScheme": FORMAT}, nodeRepresentation="urn:autre"),
            "XDSRegistryMetadataError",
            "document.formatCode",
        ),
        (change("ExtrinsicObject", {"id": "Document01"}, mimeType="application/pdf"), "text/xml", "document.mimeType"),
        (
            change("ExtrinsicObject", {"id": "Document01"}, objectType="urn:uuid:0"),
            "XDSObjectTypeError",
            "document.objectType",
        ),
        (change("ExtrinsicObject", {"id": "Document01"}, id="document01"), "XDSMissingDocument", "mtom.document_id"),
        (
            change("Association", {"targetObject": "Document01"}, targetObject="Autre"),
            "XDSRegistryMetadataError",
            "lot.members",
        ),
        (
            change("Classification", {"classifiedObject": "Document01"}, classifiedObject="Autre"),
            "XDSRegistryMetadataError",
            "ebrim.classification",
        ),
    ],
)
async def test_a_wrong_metadata_value_is_refused(dmp, edit, code: str, rule: str) -> None:
    await dmp.refused(dmp.message(metadata_edits=[edit]), code, rule)


async def test_elements_out_of_schema_order_are_refused(dmp) -> None:
    def edit(body) -> None:
        entry = next(item for item in body.iter(f"{RIM}ExtrinsicObject") if item.get("id") == "Document01")
        entry.append(entry[0])

    await dmp.refused(dmp.message(metadata_edits=[edit]), "XDSRegistryMetadataError", "ebrim.order")


async def test_a_cda_with_another_id_than_the_fiche_is_refused(dmp) -> None:
    message = dmp.message(cda_edits=[lambda text: re.sub(r'<id root="[^"]+"/>', '<id root="1.2.3.4"/>', text, count=1)])
    await dmp.refused(message, "XDSRegistryMetadataError", "cda.unique_id")


async def test_a_cda_of_another_patient_is_refused(dmp) -> None:
    await dmp.refused(dmp.message(ins="255069999912337"), "XDSPatientIdDoesNotMatch", "cda.patient")


async def test_a_fiche_of_another_patient_than_the_vihf_is_refused(dmp) -> None:
    other = "279035121518989^^^&1.2.250.1.213.1.4.9&ISO^NH"
    edit = change(
        "ExternalIdentifier", {"identificationScheme": "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427"}, value=other
    )
    await dmp.refused(dmp.message(metadata_edits=[edit]), "XDSPatientIdDoesNotMatch", "document.patient")


async def test_a_lot_of_another_patient_than_the_vihf_is_refused(dmp) -> None:
    other = "279035121518989^^^&1.2.250.1.213.1.4.9&ISO^NH"
    edit = change(
        "ExternalIdentifier", {"identificationScheme": "urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446"}, value=other
    )
    await dmp.refused(dmp.message(metadata_edits=[edit]), "XDSPatientIdDoesNotMatch", "lot.patient")


async def test_a_document_that_is_not_a_cda_is_refused(dmp) -> None:
    message = dmp.message(cda_edits=[lambda _: "<autre/>"])
    await dmp.refused(message, "InvalidDocumentContent", "cda.root")


async def test_a_cda_with_a_doctype_is_refused(dmp) -> None:
    message = dmp.message(
        cda_edits=[lambda text: text.replace("<ClinicalDocument", "<!DOCTYPE x><ClinicalDocument", 1)]
    )
    await dmp.refused(message, "InvalidDocumentContent", "cda.xml")
    assert "signature.document" in dmp.simulator.refusals.rules


async def test_author_institution_must_be_the_structure_of_the_vihf(dmp) -> None:
    def edit(body) -> None:
        for value in body.iter(f"{RIM}Value"):
            if value.text and "IDNST" in value.text:
                value.text = value.text.rsplit("^", 1)[0] + "^1990000001"

    message = dmp.message(metadata_edits=[edit])
    await dmp.refused(message, "Aucun AuthorInstitution", "lot.author_institution")
    assert "document.author_institution" in dmp.simulator.refusals.rules


async def test_an_author_without_first_name_is_refused(dmp) -> None:
    def edit(body) -> None:
        for value in body.iter(f"{RIM}Value"):
            if value.text:
                value.text = value.text.replace("TESTRADIO^CLAIRE", "TESTRADIO^")

    await dmp.refused(dmp.message(metadata_edits=[edit]), "authorPerson", "lot.author_person")


def masked(*codes: str):
    """Add masks to the document."""

    def edit(body) -> None:
        scheme = "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f"
        entry = next(item for item in body.iter(f"{RIM}ExtrinsicObject") if item.get("id") == "Document01")
        normal = next(item for item in entry if item.get("classificationScheme") == scheme)
        for code in codes:
            copy = normal.__deepcopy__({})
            copy.set("nodeRepresentation", code)
            copy[0][0][0].text = "1.2.250.1.213.1.1.4.13"
            normal.addnext(copy)

    return edit


async def test_invisible_and_masked_together_are_refused(dmp) -> None:
    message = dmp.message(metadata_edits=[masked("MASQUE_PS", "INVISIBLE_PATIENT")])
    await dmp.refused(message, "cumulent", "document.masks")


def secretly(value: str):
    """Ask for a connexion secrète in the VIHF."""

    def edit(assertion) -> None:
        statement = assertion.find(f"{SAML}AttributeStatement")
        copy = statement[0].__deepcopy__({})
        copy.set("Name", "urn:oasis:names:tc:xspa:1.0:resource:patient:hl7:confidentiality-code")
        copy[0].text = value
        statement.append(copy)

    return edit


async def test_under_connexion_secrete_only_what_the_representatives_cannot_see_is_taken(dmp) -> None:
    await dmp.refused(dmp.message(vihf_edits=[secretly("essai")]), "secrète", "document.secret_connection")
    await dmp.refused(dmp.message(vihf_edits=[secretly("")]), "soap:DMPInvalidVIHF", "vihf.attribute")
    hidden = masked("INVISIBLE_REPRESENTANTS_LEGAUX")
    await dmp.accepted(dmp.message(vihf_edits=[secretly("essai")], metadata_edits=[hidden]))


async def test_the_same_document_twice_is_a_duplicate(dmp) -> None:
    first = dmp.message()
    await dmp.accepted(first)
    again = dmp.message(unique_id=first.unique_id, set_id=first.set_id)
    await dmp.refused(again, "XDSDuplicateUniqueIdInRegistry", "unique_id.document")
    assert len(dmp.stored) == 1


async def test_the_same_lot_id_twice_is_a_duplicate(dmp) -> None:
    first = dmp.message()
    await dmp.accepted(first)
    await dmp.refused(dmp.message(lot_id=first.lot_id), "XDSDuplicateUniqueIdInRegistry", "unique_id.lot")


async def test_a_replacement_deprecates_its_parent(dmp) -> None:
    first = dmp.message()
    await dmp.accepted(first)
    parent = dmp.stored[first.unique_id]
    second = dmp.message(set_id=first.set_id, parent=first.unique_id, replaces=parent["entry_uuid"])
    await dmp.accepted(second)
    assert dmp.stored[first.unique_id]["status"] == "Deprecated"
    assert dmp.stored[second.unique_id]["replaces"] == first.unique_id


async def test_a_replacement_of_something_unknown_is_refused(dmp) -> None:
    message = dmp.message(parent="1.2.3", replaces="urn:uuid:11111111-2222-4333-8444-555555555555")
    await dmp.refused(message, "UnresolvedReferenceException", "replace.target")


async def test_a_replacement_of_a_deprecated_version_is_refused(dmp) -> None:
    first = dmp.message()
    await dmp.accepted(first)
    uuid_of_first = dmp.stored[first.unique_id]["entry_uuid"]
    await dmp.accepted(dmp.message(set_id=first.set_id, parent=first.unique_id, replaces=uuid_of_first))
    now_deprecated = dmp.stored[first.unique_id]["entry_uuid"]
    third = dmp.message(set_id=first.set_id, parent=first.unique_id, replaces=now_deprecated)
    await dmp.refused(third, "XDSRegistryDeprecatedDocumentError", "replace.deprecated")


async def test_a_replacement_of_another_patients_document_is_refused(dmp) -> None:
    first = dmp.message()
    await dmp.accepted(first)
    other = "184127645108946"
    second = dmp.message(
        set_id=first.set_id,
        parent=first.unique_id,
        replaces=dmp.stored[first.unique_id]["entry_uuid"],
        ins=other,
        patient=f"{other}^^^&amp;1.2.250.1.213.1.4.8&amp;ISO^NH",
    )
    await dmp.refused(second, "XDSPatientIdDoesNotMatch", "replace.patient")


async def test_related_document_without_the_association_is_refused(dmp) -> None:
    await dmp.refused(dmp.message(parent="1.2.3"), "XDSReplaceFailed", "replace.association")


async def test_another_set_id_than_the_parents_is_refused(dmp) -> None:
    first = dmp.message()
    await dmp.accepted(first)
    second = dmp.message(parent=first.unique_id, replaces=dmp.stored[first.unique_id]["entry_uuid"])
    await dmp.refused(second, "XDSReplaceFailed", "replace.set_id")


@pytest.mark.parametrize("state", ["closed", "none"])
async def test_a_closed_or_absent_dmp_takes_nothing(dmp, state: str) -> None:
    dmp.simulator.patient_states["279035121518989"] = state
    await dmp.refused(dmp.message(), "XDSUnknownPatientId", f"patient.{state}")


@pytest.mark.parametrize("dmp_settings", [DmpSettings(max_document_bytes=20_000)])
async def test_a_document_over_the_limit_is_refused(dmp) -> None:
    await dmp.accepted(dmp.message(padding="A" * 10_000))
    await dmp.refused(dmp.message(padding="A" * 20_000), "taille maximale", "document.too_big")


@pytest.mark.parametrize(
    ("edit", "rule"),
    [
        (lambda text: text.replace("<DigestValue>AA==", "<DigestValue>AQ=="), "signature.digest"),
        (lambda text: re.sub(r"<SignatureValue>....", "<SignatureValue>AAAA", text), "signature.value"),
        (lambda text: text.replace("#WithComments", "", 1), "signature.algorithm"),
        (lambda text: re.sub(r"<X509Certificate>.*</X509Certificate>", "", text), "signature.certificate"),
        (lambda _: "<autre/>", "signature.structure"),
    ],
)
async def test_a_wrong_lot_signature_is_refused(dmp, edit, rule: str) -> None:
    await dmp.refused(dmp.message(signature_edits=[edit]), "XDSRegistryMetadataError", rule)


async def test_a_lot_signature_over_other_bytes_is_refused(dmp) -> None:
    message = dmp.message()
    original = message.lot_signature(message.cda()).decode()
    message.signature_edits.append(lambda _: original)
    message.cda_edits.append(lambda text: text.replace("JVBERi0=", "JVBERi1="))
    await dmp.refused(message, "empreinte d'un document du lot", "signature.manifest")


async def test_a_lot_signed_by_the_authentication_certificate_is_refused(dmp) -> None:
    stranger = dmp.message(signer=dmp.person("dmp-auth"))
    message = dmp.message(signature_edits=[lambda _: stranger.lot_signature(message.cda()).decode()])
    stranger.lot_id, stranger.unique_id = message.lot_id, message.unique_id
    await dmp.refused(message, "signature du lot", "signature.certificate")


async def test_a_lot_without_signature_is_refused(dmp) -> None:
    await dmp.refused(dmp.message(with_signature=False), "signature du lot attendue", "signature.absent")
