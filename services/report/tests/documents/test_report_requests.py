"""One report that answers several requests and covers several studies names every one of them, everywhere."""

from __future__ import annotations

import dataclasses
import io

import pytest
from lxml import etree
from navette_documents.cda_header import read_header
from navette_documents.xds.from_cda import entry_from_cda
from navette_report.adapters.workshop import Workshop
from navette_report.domain.checks import check_document
from navette_report.domain.document import FormerVersion
from pydantic import ValidationError
from pypdf import PdfReader

_NS = {"h": "urn:hl7-org:v3", "d": "urn:dicom-org:ps3-20"}
SCANNER = "1.2.250.1.999.7.1.9.20261120.4212"


@pytest.fixture(scope="module")
def workshop():
    return Workshop(notice="Mention d'information.", production=True)


@pytest.fixture
def exam(gallery):
    """Two requests of one doctor, a third by telephone, for an MR and a CT read together."""
    return gallery.samples.content().exam.model_dump() | {
        "further_requests": [
            {"accession_number": "ACN-2026-004212", "order_placer_number": "OPN-2026-0918"},
            {"accession_number": "ACN-2026-004213"},
        ]
    }


@pytest.fixture
def acts(gallery):
    scanner = gallery.samples.act(
        loinc_code="24627-2", loinc_label="TDM thorax", modality="CT", region="67734004", study_instance_uid=SCANNER
    )
    return [gallery.samples.act(), scanner]


@pytest.mark.dsr("DB/RIS.08", "DB/RIS.09", "DB.SO.17")
@pytest.mark.parametrize("level", ["N1", "N3"])
def test_the_header_and_the_metadata_carry_every_number(gallery, workshop, conforming, exam, acts, level):
    document = gallery.document(level, exam=exam, acts=acts)
    made = workshop.make(document)
    root = etree.fromstring(made.cda)
    orders = [
        (one.find("h:id", _NS).get("extension"), one.find("d:accessionNumber", _NS).get("extension"))
        for one in root.findall("h:inFulfillmentOf/h:order", _NS)
    ]
    assert orders == [
        ("OPN-2026-0917", "ACN-2026-004211"),
        ("OPN-2026-0918", "ACN-2026-004212"),
        (None, "ACN-2026-004213"),
    ]
    study = gallery.samples.content().exam.study_instance_uid
    assert [one.get("root") for one in root.findall("h:documentationOf/h:serviceEvent/h:id", _NS)] == [study, SCANNER]
    kept = [line.split("^")[0] for line in entry_from_cda(read_header(made.cda), made.cda).reference_ids]
    assert sorted(kept) == sorted(
        [study, SCANNER, *(number for order in orders for number in order if number is not None)]
    )
    assert made.findings == ()
    assert conforming({"several": made.cda}) == []


@pytest.mark.dsr("DB/RIS.08")
def test_a_document_that_lacks_one_of_them_does_not_leave(gallery, workshop, exam, acts):
    whole = gallery.document("N1", exam=exam, acts=acts)
    made = workshop.make(gallery.document("N1", acts=[acts[0], acts[1] | {"study_instance_uid": None}]))
    found = {(one.rule, one.path) for one in check_document(whole, made.cda, made.pdf, production=True)}
    assert found == {
        ("accession_number", "inFulfillmentOf/order"),
        ("order_placer_number", "inFulfillmentOf/order"),
        ("study_instance_uid", "documentationOf[2]/serviceEvent"),
    }


@pytest.mark.dsr("DB/RIS.11")
def test_the_reader_finds_every_number_and_the_images_of_every_study(gallery, workshop, exam, acts):
    document = dataclasses.replace(
        gallery.document("N1", exam=exam, acts=acts), former=FormerVersion(1, gallery.samples.signature().signed_at)
    )
    pages = PdfReader(io.BytesIO(workshop.make(document).pdf)).pages
    text = " ".join(" ".join(page.extract_text().split()) for page in pages)
    assert "N° d’examen ACN-2026-004211, ACN-2026-004212, ACN-2026-004213" in text
    assert "N° de demande OPN-2026-0917, OPN-2026-0918" in text
    links = {note.get_object()["/A"]["/URI"] for page in pages for note in page.get("/Annots", [])}
    assert {link.rpartition("=")[2] for link in links} == set(document.content.studies)
    assert sum(len(page.images) for page in pages) == 3  # the datamatrix and a code for each study


def test_a_request_named_twice_and_a_study_of_no_act_are_refused(gallery, exam, acts):
    again = {"accession_number": exam["accession_number"], "order_placer_number": exam["order_placer_number"]}
    with pytest.raises(ValidationError, match="request_named_twice"):
        gallery.samples.content(exam=exam | {"further_requests": [again]})
    with pytest.raises(ValidationError, match="study_of_no_act"):
        gallery.samples.content(exam=exam, acts=acts[1:])
