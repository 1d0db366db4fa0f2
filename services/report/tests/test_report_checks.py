"""A bad document does not leave: each rule is shown refusing one."""

from __future__ import annotations

import dataclasses

import pytest
from navette_contracts.events import Ins
from navette_report.adapters.workshop import Workshop
from navette_report.domain.checks import check_document


@pytest.fixture(scope="module")
def workshop():
    return Workshop(notice="Mention.", production=True)


@pytest.fixture(scope="module")
def good(samples, workshop):
    document = samples.document()
    files = workshop.make(document)
    assert files.findings == ()
    return document, files


def rules(document, cda, pdf, *, production=True):
    return {finding.rule for finding in check_document(document, cda, pdf, production=production)}


@pytest.mark.parametrize(
    ("before", "after", "rule"),
    [
        (b'code="18748-4"', b'code="18748-5"', "type_code"),
        (b'<templateId root="1.3.6.1.4.1.19376.1.2.20"/>', b"", "templates_of_the_level"),
        (b'<versionNumber value="1"/>', b'<versionNumber value="2"/>', "version_number"),
        (b'value="20261120143204+0100"', b'value="20261120143204"', "time_zone"),
        (b'<signatureCode code="S"/>', b'<signatureCode code="X"/>', "signature_code"),
        (b"ACN-2026-004211", b"ACN-2026-004212", "accession_number"),
        (b'<id root="1.2.250.1.999.7.1.9.20261120.4211"/>', b'<id root="1.2.3"/>', "study_instance_uid"),
        (b'extension="284053818504213"', b'extension="284053818504212"', "ins_missing_or_invalid"),
        (b'root="1.2.250.1.213.1.4.8"', b'root="1.2.250.1.213.1.4.10"', "test-oid-in-production"),
        (b"<county>38185</county>", b"<county/>", "six_traits_with_an_ins"),
        (b'representation="B64">JVBE', b'representation="B64">JVBF', "body_is_not_the_pdf"),
        (b'mediaType="application/pdf"', b'mediaType="text/plain"', "pdf_missing"),
        (b'code="39111-0"', b'code="0"', "act_modality_and_region"),
        (b"<realmCode", b"<unknownElement/><realmCode", "order_of_elements"),
        (b"</ClinicalDocument>", b"", "xml_syntax"),
        (b"<ClinicalDocument", b"<!DOCTYPE x><ClinicalDocument", "xml_dtd"),
    ],
)
def test_a_spoilt_cda_is_found(good, before, after, rule):
    document, files = good
    assert before in files.cda
    assert rule in rules(document, files.cda.replace(before, after), files.pdf)


@pytest.mark.parametrize(
    ("before", "after", "rule"),
    [
        (b"%PDF-1.4", b"%PDF-1.7", "pdf_version"),
        (b"<pdfaid:part>1<", b"<pdfaid:part>3<", "pdfa_1b_not_declared"),
        (b"/OutputIntents", b"/OutputIntent_", "output_intent_missing"),
        (b"%%EOF", b"/Encrypt 1 0 R %%EOF", "forbidden_entry"),
    ],
)
def test_a_spoilt_pdf_is_found(good, before, after, rule):
    document, files = good
    assert before in files.pdf
    assert rule in rules(document, files.cda, files.pdf.replace(before, after))


@pytest.mark.dsr("RIS.INS.37")
def test_a_matricule_in_the_document_of_an_unqualified_patient_is_found(samples, good):
    _, files = good
    unqualified = samples.document(identity=samples.identity(qualified=False))
    found = rules(unqualified, files.cda, files.pdf)
    assert {"ins_of_unqualified_identity", "matricule_of_unqualified_identity"} <= found


@pytest.mark.dsr("RIS.INS.37")
@pytest.mark.parametrize("level", ["N1", "N3"])
@pytest.mark.parametrize("shown", ["284053818504213", "2 84 05 38 185 042 | 13", "2\u00a084\u00a005 38 185 042 13"])
def test_a_matricule_typed_into_the_text_of_an_unqualified_patient_is_found(samples, workshop, level, shown):
    content = samples.content(findings=f"Scanner normal.\nN° de sécurité sociale {shown}.")
    qualified = samples.document(content=content, site=samples.site(cda_level=level))
    assert workshop.make(qualified).findings == ()
    unqualified = dataclasses.replace(qualified, patient=samples.identity(qualified=False))
    assert ("matricule_of_unqualified_identity", "content/findings") in {
        (one.rule, one.path) for one in workshop.make(unqualified).findings
    }


def test_another_signatory_than_the_one_who_signed_is_found(samples, good, make_rpps):
    document, files = good
    other = files.cda.replace(("8" + document.signature.signatory.rpps).encode(), ("8" + make_rpps(77)).encode())
    assert "rpps_of_the_signatory" in rules(document, other, files.pdf)


def test_test_identities_may_leave_outside_production_only(samples):
    document = samples.document(
        identity=samples.identity(ins=Ins(matricule=samples.identity().ins.matricule, oid="1.2.250.1.213.1.4.10"))
    )
    production, sandbox = (Workshop(notice="x", production=value) for value in (True, False))
    assert {one.rule for one in production.make(document).findings} == {"test-oid-in-production"}
    assert sandbox.make(document).findings == ()


def test_what_cannot_be_composed_is_a_finding_that_quotes_nothing(samples, workshop):
    made = workshop.make(samples.document(identity=samples.identity(birth_name="ÉXEMPLE")))
    (finding,) = made.findings
    assert (finding.rule, finding.path) == ("format", "datamatrix/S4")
    assert "EXEMPLE" not in str(finding)


def test_a_fault_of_ours_holds_the_report_instead_of_stopping_the_others(samples, workshop, monkeypatch):
    monkeypatch.setattr(
        "navette_report.adapters.workshop.build_cda", lambda *_: (_ for _ in ()).throw(KeyError("MATRICULE"))
    )
    (finding,) = workshop.make(samples.document()).findings
    assert (finding.rule, finding.path) == ("composition_error", "KeyError")
