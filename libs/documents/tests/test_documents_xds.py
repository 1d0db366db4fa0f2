"""XDS metadata: every UUID by literal, values from the CDA, escaping, and the official schemas."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from navette_documents.cda_header import read_header
from navette_documents.cda_model import InstanceId
from navette_documents.codes import CLASS_IMAGING, CONTENT_TYPE_CONSULTATION, GENDERS
from navette_documents.errors import InvalidValue
from navette_documents.xds import (
    Association,
    AssociationKind,
    DocumentEntry,
    Submission,
    SubmissionSet,
    Visibility,
    author_of,
    entry_from_cda,
    metadata_xml,
    patient_cx,
    submit_objects_request,
    unique_id_of,
)
from navette_documents.xds.hl7types import clean, cx, cxi, xcn_person, xcn_system, xon

pytestmark = pytest.mark.conformance

NS = {
    "rim": "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0",
    "lcm": "urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0",
}


@pytest.fixture
def entry(sample_n1: bytes) -> DocumentEntry:
    return entry_from_cda(read_header(sample_n1), sample_n1)


@pytest.fixture
def submission(sample_n1: bytes, entry: DocumentEntry) -> Submission:
    header = read_header(sample_n1)
    lot = SubmissionSet(
        unique_id="1.2.250.1.999.2.7",
        source_id="1.2.250.1.999.9",
        patient_id=entry.patient_id,
        submission_time="20250110143100",
        author=author_of(header.authors[0]),
        content_type=CONTENT_TYPE_CONSULTATION,
        title="Envoi d'un compte rendu",
    )
    link = Association(AssociationKind.REPLACES, "Document01", "urn:uuid:11111111-2222-4333-8444-555555555555")
    return Submission(lot, (entry,), (link,))


def values(root: etree._Element, path: str) -> list[str]:
    found = root.xpath(path, namespaces=NS)
    assert isinstance(found, list)
    return [str(value) for value in found]


@pytest.mark.dsr("DB/RIS.09")
def test_the_sheet_says_what_the_document_says(entry: DocumentEntry, sample_n1: bytes) -> None:
    assert entry.unique_id == "2.25.121028152458069677777767273428870437377"
    assert entry.patient_id == "279035121518989^^^&1.2.250.1.213.1.4.10&ISO^NH"
    assert entry.source_patient_id == "IPP000123^^^&1.2.250.1.999999.1.5&ISO^PI"
    assert entry.source_patient_info == (
        "PID-5|PAT-TROIS^DOMINIQUE^^^^^L",
        "PID-7|19790328",
        "PID-8|F",
        "PID-11|^^^^^^BDL^^51215",
    )
    assert entry.creation_time == "20250110143000"
    assert (entry.service_start_time, entry.service_stop_time) == ("20250110132500", "20250110135000")
    assert entry.legal_authenticator == ("801234560801^BIDEAULT^Jacques^^^^^^&1.2.250.1.71.4.2.1&ISO^D^^^IDNPS")
    (author,) = entry.authors
    assert author.person == entry.legal_authenticator
    assert author.institutions == ("Centre d'imagerie exemple^^^^^&1.2.250.1.71.4.2.2&ISO^IDNST^^^1920008059",)
    assert author.specialties == ("G15_10/SM44^Médecin - Radio-diagnostic (SM)^1.2.250.1.213.1.1.4.5",)
    assert entry.sha1 == hashlib.sha1(sample_n1).hexdigest()
    assert entry.size == len(sample_n1)
    assert entry.mime_type == "text/xml"
    assert (entry.type_code.code, entry.class_code.code) == ("18748-4", "10")
    assert entry.format_code.code == "urn:ihe:iti:xds-sd:pdf:2008"
    assert [code.code for code in entry.confidentiality] == ["N"]
    assert (entry.facility_type.code, entry.practice_setting.code) == ("SA08", "AMBULATOIRE")
    assert [code.code for code in entry.event_codes] == ["30657-1", "ACQN001", "MR", "774007"]
    assert entry.reference_ids == (
        "ACN-2025-0001^^^&1.2.250.1.999999.1.7&ISO^urn:ihe:iti:xds:2013:accession",
        "OPN-2025-0001^^^&1.2.250.1.999999.1.6&ISO^urn:ihe:iti:xds:2013:order",
        "1.2.250.1.999999.1.20250110.1^^^^urn:ihe:iti:xds:2016:studyInstanceUID",
    )


def test_a_structured_report_has_its_own_format(conformance: Path) -> None:
    cda = (conformance / "cda/samples/sample_n3.xml").read_bytes()
    entry = entry_from_cda(read_header(cda), cda)
    assert entry.format_code.code == "urn:ihe:rad:CDA:ImagingReportStructuredHeadings:2013"


def test_the_class_is_a_parameter_because_the_guides_disagree(sample_n1: bytes) -> None:
    entry = entry_from_cda(read_header(sample_n1), sample_n1, class_code=CLASS_IMAGING)
    assert entry.class_code.code == "31"


def test_a_patient_without_ins_is_known_by_the_local_identifier(sample_n1: bytes) -> None:
    header = read_header(sample_n1)
    unqualified = replace(header.patient, ids=(InstanceId("1.2.250.1.999999.1.5", "IPP000123"),))
    assert patient_cx(unqualified) == "IPP000123^^^&1.2.250.1.999999.1.5&ISO^PI"
    qualified_only = replace(header.patient, ids=(InstanceId("1.2.250.1.213.1.4.8", "279035121518989"),))
    entry = entry_from_cda(replace(header, patient=qualified_only), sample_n1)
    assert entry.source_patient_id == entry.patient_id


def test_a_name_in_use_that_differs_is_added(sample_n1: bytes) -> None:
    header = read_header(sample_n1)
    married = replace(header.patient, used_name="MODELE", used_given_name="LOUISE", gender="UN")
    entry = entry_from_cda(replace(header, patient=married), sample_n1)
    assert "PID-5|MODELE^LOUISE^^^^^D" in entry.source_patient_info
    assert "PID-8|U" in entry.source_patient_info
    assert GENDERS["UN"].display == "Inconnu"


@pytest.mark.parametrize(
    ("visibility", "codes"),
    [
        (Visibility(), ["N"]),
        (Visibility(hidden_from_patient=True), ["N", "INVISIBLE_PATIENT"]),
        (
            Visibility(hidden_from_professionals=True, hidden_from_representatives=True),
            ["N", "MASQUE_PS", "INVISIBLE_REPRESENTANTS_LEGAUX"],
        ),
    ],
)
def test_masks_follow_the_confidentiality(sample_n1: bytes, visibility: Visibility, codes: list[str]) -> None:
    entry = entry_from_cda(read_header(sample_n1), sample_n1, visibility=visibility)
    assert [code.code for code in entry.confidentiality] == codes


def test_hiding_from_professionals_and_patient_at_once_is_refused() -> None:
    with pytest.raises(InvalidValue, match="together"):
        Visibility(hidden_from_professionals=True, hidden_from_patient=True).codes()


@pytest.mark.parametrize(
    ("removed", "field"),
    [
        (b'<low value="20250110142500+0100"/>', "documentationOf/serviceEvent/effectiveTime/low"),
        (
            b'<code code="SA08" displayName="Cabinet de groupe" codeSystem="1.2.250.1.71.4.2.4"/>',
            "encompassingEncounter/location/healthCareFacility/code",
        ),
        (b"<given>Jacques</given>", "XCN.3"),
        (b'<id root="1.2.250.1.71.4.2.2" extension="1920008059"/>', "author/representedOrganization/id"),
    ],
)
def test_metadata_the_header_cannot_give_are_named(sample_n1: bytes, removed: bytes, field: str) -> None:
    assert removed in sample_n1
    cda = sample_n1.replace(removed, b"")
    with pytest.raises(InvalidValue) as refusal:
        entry_from_cda(read_header(cda), cda)
    assert refusal.value.field == field


def test_a_performer_without_practice_setting_is_named(sample_n1: bytes) -> None:
    setting = b'<standardIndustryClassCode code="AMBULATOIRE" displayName="Ambulatoire"'
    cda = sample_n1.replace(setting, b'<standardIndustryClassCode nullFlavor="UNK"')
    with pytest.raises(InvalidValue, match="standardIndustryClassCode"):
        entry_from_cda(read_header(cda), cda)


def test_unique_ids_are_oids() -> None:
    assert unique_id_of(InstanceId("1.2.3")) == "1.2.3"
    assert unique_id_of(InstanceId("1.2.3", "45")) == "1.2.3^45"
    with pytest.raises(InvalidValue, match="neither OID nor UUID"):
        unique_id_of(InstanceId("not-an-id"))


SEPARATORS = "^&|~\\"


@given(st.text(min_size=1).filter(lambda text: clean(text) != ""))
def test_no_separator_of_a_name_survives(text: str) -> None:
    assert not set(clean(text)) & set(SEPARATORS)
    assert xcn_person("8", text, text).count("^") == 12
    assert xcn_system("1/2", text, text).count("^") == 12
    assert xon(text, "1").count("^") == 9
    assert cx(text, "1.2", "NH").count("^") == 4
    assert cxi(text, "1.2", "urn:x").count("^") == 4
    assert xon(text, "1").count("&") == 2


@pytest.mark.parametrize("name", ["", " ", "^", "\n"])
def test_a_professional_without_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidValue, match=r"^XCN\.2: missing$"):
        xcn_person("801234560801", name, "Claire")
    with pytest.raises(InvalidValue, match=r"^XCN\.3: missing$"):
        xcn_person("801234560801", "TESTRADIO", name)


# scheme or node -> text that shows which object it classifies; spec/dmp.md §6.1
LOT_UUIDS = {
    "author": "urn:uuid:a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d",
    "contentTypeCode": "urn:uuid:aa543740-bdda-424e-8c96-df4873be8500",
    "patientId": "urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446",
    "sourceId": "urn:uuid:554ac39e-e3fe-47fe-b233-965d2a147832",
    "uniqueId": "urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8",
}
DOCUMENT_UUIDS = {
    "author": "urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d",
    "10": "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a",
    "N": "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f",
    "MR": "urn:uuid:2c6b8cb7-8b2a-4051-b291-b1ae6a575ef4",
    "urn:ihe:iti:xds-sd:pdf:2008": "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d",
    "SA08": "urn:uuid:f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1",
    "AMBULATOIRE": "urn:uuid:cccf5598-8b07-4b77-a05e-ae952c785ead",
    "18748-4": "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983",
    "patientId": "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427",
    "uniqueId": "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab",
}


def test_the_lot_uses_the_published_uuids(submission: Submission) -> None:
    request = submit_objects_request(submission)
    package = "//rim:RegistryPackage"
    assert values(request, f"{package}/rim:Classification/@classificationNode") == [
        "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"
    ]
    scheme = f"{package}/rim:Classification[rim:Slot/@name='authorPerson']/@classificationScheme"
    assert values(request, scheme) == [LOT_UUIDS["author"]]
    assert values(request, f"{package}/rim:Classification[@nodeRepresentation='07']/@classificationScheme") == [
        LOT_UUIDS["contentTypeCode"]
    ]
    for name in ("patientId", "sourceId", "uniqueId"):
        path = f"{package}/rim:ExternalIdentifier[@identificationScheme='{LOT_UUIDS[name]}']"
        assert values(request, f"{path}/rim:Name/rim:LocalizedString/@value") == [f"XDSSubmissionSet.{name}"]


def test_the_sheet_uses_the_published_uuids(submission: Submission) -> None:
    request = submit_objects_request(submission)
    extrinsic = "//rim:ExtrinsicObject"
    assert values(request, f"{extrinsic}/@objectType") == ["urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1"]
    author = f"{extrinsic}/rim:Classification[rim:Slot/@name='authorPerson']/@classificationScheme"
    assert values(request, author) == [DOCUMENT_UUIDS["author"]]
    for node in ("10", "N", "MR", "urn:ihe:iti:xds-sd:pdf:2008", "SA08", "AMBULATOIRE", "18748-4"):
        path = f"{extrinsic}/rim:Classification[@nodeRepresentation='{node}']/@classificationScheme"
        assert values(request, path) == [DOCUMENT_UUIDS[node]], node
    for name in ("patientId", "uniqueId"):
        path = f"{extrinsic}/rim:ExternalIdentifier[@identificationScheme='{DOCUMENT_UUIDS[name]}']"
        assert values(request, f"{path}/rim:Name/rim:LocalizedString/@value") == [f"XDSDocumentEntry.{name}"]


def test_associations_are_written_with_the_published_types(submission: Submission) -> None:
    request = submit_objects_request(submission)
    assert values(request, "//rim:Association/@associationType") == [
        "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember",
        "urn:ihe:iti:2007:AssociationType:RPLC",
    ]
    assert AssociationKind.SIGNS.value == "urn:ihe:iti:2007:AssociationType:signs"
    assert values(request, "//rim:Association[rim:Slot/@name='SubmissionSetStatus']//rim:Value/text()") == ["Original"]
    assert values(request, "//rim:Association/@targetObject") == [
        "Document01",
        "urn:uuid:11111111-2222-4333-8444-555555555555",
    ]


def test_every_inner_object_points_to_its_owner_and_ids_are_unique(submission: Submission) -> None:
    request = submit_objects_request(submission)
    for owner in request.iter(f"{{{NS['rim']}}}RegistryPackage", f"{{{NS['rim']}}}ExtrinsicObject"):
        inner = owner.xpath("rim:Classification/@classifiedObject", namespaces=NS)
        inner += owner.xpath("rim:ExternalIdentifier/@registryObject", namespaces=NS)
        assert set(inner) == {owner.get("id")}
    ids = values(request, "//@id")
    assert len(ids) == len(set(ids))


@pytest.fixture(scope="session")
def lcm_schema(conformance: Path) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(conformance / "xds/xsd/lcm.xsd"))


def test_the_request_is_valid_against_the_oasis_schema(submission: Submission, lcm_schema: etree.XMLSchema) -> None:
    lcm_schema.assertValid(submit_objects_request(submission))


def test_an_xdm_metadata_file_names_the_document_and_the_action(
    sample_n1: bytes, submission: Submission, lcm_schema: etree.XMLSchema
) -> None:
    entry = entry_from_cda(
        read_header(sample_n1),
        sample_n1,
        uri="DOC0001.XML",
        extra_slots=[("urn:action:extraMetadataSlot", "C")],
    )
    data = metadata_xml(replace(submission, entries=(entry,), links=()))
    root = etree.fromstring(data)
    assert data.startswith(b"<?xml")
    lcm_schema.assertValid(root)
    assert values(root, "//rim:Slot[@name='URI']//rim:Value/text()") == ["DOC0001.XML"]
    assert values(root, "//rim:Slot[@name='urn:action:extraMetadataSlot']//rim:Value/text()") == ["C"]


def test_names_with_markup_and_accents_survive_xml(submission: Submission, lcm_schema: etree.XMLSchema) -> None:
    (entry,) = submission.entries
    titled = replace(entry, title='Écho <foie> & "vésicule" d\'été')
    root = etree.fromstring(metadata_xml(replace(submission, entries=(titled,))))
    lcm_schema.assertValid(root)
    assert values(root, "//rim:ExtrinsicObject/rim:Name/rim:LocalizedString/@value") == [titled.title]


def test_a_logged_sheet_shows_no_identity(submission: Submission) -> None:
    shown = repr(submission)
    for secret in ("279035121518989", "PAT-TROIS", "IPP000123", "19790328"):
        assert secret not in shown
