"""What is read in the header of real documents, and what a header must have."""

import logging
from pathlib import Path

import pytest
from navette_documents.cda_header import read_header
from navette_documents.cda_model import InstanceId
from navette_documents.codes import DCM, IMAGING_REPORT, LOINC, Code
from navette_documents.errors import InvalidValue
from navette_documents.xml import XmlRefused

pytestmark = pytest.mark.conformance


def test_the_header_of_a_report_is_read_whole(sample_n1: bytes) -> None:
    header = read_header(sample_n1)
    assert header.id == InstanceId("5B0D2C9E-7C1B-4C53-9B1D-0A6C8E0F1A01")
    assert header.set_id == header.id
    assert header.version_number == 1
    assert header.level == "N1"
    assert header.code == IMAGING_REPORT
    assert header.title == "CR d'imagerie médicale - IRM cérébrale"
    assert header.effective_time == "20250110153000+0100"
    assert header.confidentiality.code == "N"
    assert header.language == "fr-FR"
    assert header.template_ids == (
        "2.16.840.1.113883.2.8.2.1",
        "1.2.250.1.213.1.1.1.1",
        "1.3.6.1.4.1.19376.1.2.20",
    )
    assert header.replaces == ()
    assert header.facility_type == Code("SA08", "Cabinet de groupe", "1.2.250.1.71.4.2.4")
    assert header.encounter is not None
    assert header.encounter.code == "AMB"
    assert header.custodian is not None
    assert header.custodian.id == InstanceId("1.2.250.1.71.4.2.2", "1920008059")


def test_the_patient_has_traits_ins_and_local_identifier(sample_n1: bytes) -> None:
    patient = read_header(sample_n1).patient
    assert patient.ins == InstanceId("1.2.250.1.213.1.4.10", "279035121518989")
    assert patient.local_id == InstanceId("1.2.250.1.999999.1.5", "IPP000123")
    assert (patient.birth_name, patient.birth_given_names) == ("PAT-TROIS", "DOMINIQUE MARIE-LOUISE")
    assert patient.first_birth_given_name == "DOMINIQUE"
    assert (patient.used_name, patient.used_given_name) == ("PAT-TROIS", "DOMINIQUE")
    assert (patient.gender, patient.birth_date, patient.birth_place_code) == ("F", "19790328", "51215")


def test_professionals_are_read_with_their_organisation(sample_n1: bytes) -> None:
    header = read_header(sample_n1)
    (author,) = header.authors
    assert author.id == InstanceId("1.2.250.1.71.4.2.1", "801234560801")
    assert (author.family, author.given) == ("BIDEAULT", "Jacques")
    assert author.specialty is not None
    assert author.specialty.code == "G15_10/SM44"
    assert author.organisation is not None
    assert author.organisation.name == "Centre d'imagerie exemple"
    assert author.organisation.practice_setting is not None
    assert header.legal_authenticator.time == "20250110153000+0100"
    (requester,) = header.participants
    assert requester.type_code == "REF"
    assert requester.professional.family == "MEDIONI"


def test_the_act_gives_modality_region_order_and_study(sample_n1: bytes) -> None:
    header = read_header(sample_n1)
    (act,) = header.acts
    assert act.study_uid == "1.2.250.1.999999.1.20250110.1"
    assert act.code == Code("30657-1", "RM cerveau sans contraste", LOINC)
    assert act.ccam is not None
    assert act.ccam.code == "ACQN001"
    assert act.modalities == (Code("MR", "Résonance magnétique", DCM),)
    assert [region.code for region in act.regions] == ["774007"]
    assert (act.start, act.stop) == ("20250110142500+0100", "20250110145000+0100")
    (order,) = header.orders
    assert order.order_id == InstanceId("1.2.250.1.999999.1.6", "OPN-2025-0001")
    assert order.accession == InstanceId("1.2.250.1.999999.1.7", "ACN-2025-0001")


@pytest.mark.parametrize(
    ("file", "level", "acts"),
    [
        ("exemples/IMG_CR_IMG_2024.01.xml", "N3", 4),
        ("exemples/IMG_CR_IMG_2024.01_CDA-R2-Niveau-1.xml", "N1", None),
        ("exemples/RIS_vague2_transmission_initiale_cr_imagerie.xml", "N1", 1),
        ("samples/sample_n3.xml", "N3", None),
    ],
)
def test_the_examples_of_the_ans_are_read(conformance: Path, file: str, level: str, acts: int | None) -> None:
    header = read_header((conformance / "cda" / file).read_bytes())
    assert header.level == level
    assert header.code.code == "18748-4"
    assert header.patient.ins is not None
    assert header.authors
    assert acts is None or len(header.acts) == acts


def test_a_replacement_names_what_it_replaces(sample_n1: bytes) -> None:
    related = (
        b'<relatedDocument typeCode="RPLC"><parentDocument><id root="1.2.3.4"/></parentDocument>'
        b"</relatedDocument><componentOf>"
    )
    header = read_header(sample_n1.replace(b"<componentOf>", related))
    assert header.replaces == (InstanceId("1.2.3.4"),)


@pytest.mark.parametrize(
    ("removed", "field"),
    [
        (b'<id root="5B0D2C9E-7C1B-4C53-9B1D-0A6C8E0F1A01"/>', "id"),
        (b'<effectiveTime value="20250110153000+0100"/>', "effectiveTime"),
        (b'<languageCode code="fr-FR"/>', "languageCode"),
        (b'<birthTime value="19790328"/>', "birthTime"),
        (b'<family qualifier="BR">PAT-TROIS</family>', "recordTarget/patientRole/patient/name"),
    ],
)
def test_a_missing_part_is_named(sample_n1: bytes, removed: bytes, field: str) -> None:
    assert removed in sample_n1
    with pytest.raises(InvalidValue) as refusal:
        read_header(sample_n1.replace(removed, b"", 1))
    assert (refusal.value.field, refusal.value.rule) == (field, "missing")


def test_an_unknown_gender_code_and_a_strange_version_are_refused(sample_n1: bytes) -> None:
    with pytest.raises(InvalidValue, match="administrativeGenderCode: value"):
        read_header(sample_n1.replace(b'administrativeGenderCode code="F"', b'administrativeGenderCode code="X"'))
    with pytest.raises(InvalidValue, match="versionNumber: value"):
        read_header(sample_n1.replace(b'versionNumber value="1"', b'versionNumber value="un"'))


def test_another_document_and_hostile_xml_are_refused() -> None:
    with pytest.raises(InvalidValue, match="ClinicalDocument: root"):
        read_header(b"<ClinicalDocument/>")
    with pytest.raises(XmlRefused, match="dtd"):
        read_header(b"<!DOCTYPE ClinicalDocument><ClinicalDocument/>")
    with pytest.raises(XmlRefused, match="size"):
        read_header(b"<a/>" * 100, max_bytes=100)


def test_a_header_that_is_logged_shows_no_identity(sample_n1: bytes, caplog: pytest.LogCaptureFixture) -> None:
    header = read_header(sample_n1)
    with caplog.at_level(logging.INFO):
        logging.getLogger("test").info("%r %r", header, header.patient)
    for secret in ("PAT-TROIS", "DOMINIQUE", "279035121518989", "IPP000123", "19790328"):
        assert secret not in caplog.text
