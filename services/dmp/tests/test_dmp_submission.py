"""From a composed document to ITI-41: what is refused before sending, and what is sent."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from navette_dmp.domain import names
from navette_dmp.domain.names import q
from navette_dmp.domain.publication import Publication
from navette_dmp.domain.refusals import who_acts_on
from navette_dmp.domain.registry import get_documents, provide_and_register
from navette_dmp.domain.signer import Signer
from navette_dmp.domain.submission import Document, SubmissionRules, build_submission, check_document
from navette_documents.errors import InvalidValue
from navette_documents.sites import Site
from navette_documents.xds import Submission

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
UNIQUE_ID = "1.2.250.1.999.7.1.1001"
OLD_ENTRY = "urn:uuid:11111111-2222-4333-8444-555555555555"
R = {"rim": names.RIM}

Build = Callable[..., tuple[Submission, dict[str, bytes]]]


@pytest.fixture
def build(document: Document, site: Site, rules: SubmissionRules, signer: Signer) -> Build:
    def make(**changes: Any) -> tuple[Submission, dict[str, bytes]]:
        values = {"site": site, "rules": rules, "signer": signer, "now": NOW, "replaced_entry": None}
        return build_submission(document, **{**values, **changes})

    return make


def request_of(submission: Submission) -> etree._Element:
    return provide_and_register(submission, {e.object_id: f"cid:{e.object_id}@x" for e in submission.entries})


def refusal(call: Callable[[], object]) -> InvalidValue:
    with pytest.raises(InvalidValue) as caught:
        call()
    return caught.value


# --- checks before sending


@pytest.mark.parametrize("oid", ["1.2.250.1.213.1.4.10", "1.2.250.1.213.1.4.11"])
def test_a_test_identity_never_leaves_in_production(
    make_cda: Any, make_publication: Any, site: Site, rules: SubmissionRules, oid: str
) -> None:
    cda = make_cda(ins_oid=oid)
    check = lambda rules: check_document(cda, make_publication(cda), site, rules, signer_structure="1990000002")  # noqa: E731
    assert refusal(lambda: check(rules)).rule == "test-oid-in-production"
    assert check(replace(rules, production=False)).entry.patient_id.endswith(f"&{oid}&ISO^NH")


@pytest.mark.parametrize(
    ("changes", "field", "who"),
    [
        ({"sha256": "0" * 64}, "document", "operator"),
        ({"size": 1}, "document", "operator"),
        ({"hidden_from_professionals": True, "hidden_from_patient": True}, "confidentialityCode", "radiologist"),
    ],
)
def test_what_does_not_match_the_announcement_is_refused(
    make_cda: Any,
    make_publication: Any,
    site: Site,
    rules: SubmissionRules,
    changes: dict[str, Any],
    field: str,
    who: str,
) -> None:
    cda = make_cda()
    publication = make_publication(cda, **changes)
    refused = refusal(lambda: check_document(cda, publication, site, rules, signer_structure="1990000002"))
    assert refused.field == field
    assert who_acts_on(refused).value == who


@pytest.mark.dsr("RIS.DMP.07")
def test_a_connexion_secrete_is_said_in_the_vihf_and_never_sent_as_an_ordinary_deposit(
    make_cda: Any, make_publication: Any, site: Site, rules: SubmissionRules
) -> None:
    cda = make_cda()
    secret = make_publication(cda, secret_connection=True, hidden_from_representatives=True)
    off = refusal(lambda: check_document(cda, secret, site, rules, signer_structure="1990000002"))
    assert (off.field, off.rule, who_acts_on(off).value) == ("secret_connection", "off", "administrator")
    on = replace(rules, secret_connection="essai")
    document = check_document(cda, secret, site, on, signer_structure="1990000002")
    assert document.subject.secret_connection == "essai"
    ordinary = check_document(cda, make_publication(cda), site, on, signer_structure="1990000002")
    assert ordinary.subject.secret_connection is None
    seen = make_publication(cda, secret_connection=True)
    shown = refusal(lambda: check_document(cda, seen, site, on, signer_structure="1990000002"))
    assert shown.rule == "visible to representatives"


def test_another_document_than_announced_is_refused(
    make_cda: Any, make_publication: Any, site: Site, rules: SubmissionRules
) -> None:
    cda = make_cda()
    for unique_id in ("1.2.3.4", "1.2.3.4^1"):
        publication = make_publication(cda, unique_id)
        refused = refusal(lambda p=publication: check_document(cda, p, site, rules, signer_structure="1990000002"))
        assert refused.field == "uniqueId"


def test_a_document_without_ins_is_refused_and_the_secretary_must_act(
    make_cda: Any, make_publication: Any, site: Site, rules: SubmissionRules
) -> None:
    cda = make_cda(ins_oid="1.2.250.1.999.4")
    publication = make_publication(cda)
    refused = refusal(lambda: check_document(cda, publication, site, rules, signer_structure="1990000002"))
    assert (refused.field, who_acts_on(refused).value) == ("ins", "secretary")


def test_a_document_over_the_limit_is_refused(
    make_cda: Any, make_publication: Any, site: Site, rules: SubmissionRules
) -> None:
    cda = make_cda()
    small = replace(rules, max_document_bytes=len(cda) - 1)
    refused = refusal(lambda: check_document(cda, make_publication(cda), site, small, signer_structure="1990000002"))
    assert refused.rule == "too large"


def test_a_seal_of_another_structure_is_refused_and_the_administrator_must_act(
    make_cda: Any, make_publication: Any, site: Site, rules: SubmissionRules
) -> None:
    cda = make_cda()
    publication = make_publication(cda)
    refused = refusal(lambda: check_document(cda, publication, site, rules, signer_structure="1920008059"))
    assert (refused.field, who_acts_on(refused).value) == ("certificate", "administrator")


def test_the_structure_of_the_vihf_is_a_setting(
    make_cda: Any, make_publication: Any, site: Site, rules: SubmissionRules
) -> None:
    cda = make_cda()
    own = replace(rules, structure="site")
    legal = check_document(cda, make_publication(cda), site, rules, signer_structure="1990000002")
    geographic = check_document(cda, make_publication(cda), site, own, signer_structure="1990000002")
    assert legal.subject.structure == "1990000002"
    assert legal.institution.startswith("GROUPE IMAGERIE DES RIVES^")
    assert geographic.subject.structure == "1990000001"
    assert geographic.institution.startswith("IMAGERIE DES LILAS^")


# --- the lot


def test_a_lot_carries_the_report_and_its_signature(build: Build, document: Document) -> None:
    submission, files = build()
    report, signature = submission.entries
    assert files == {"Document01": document.cda, "Signature01": files["Signature01"]}
    assert report.unique_id == UNIQUE_ID
    assert (signature.size, signature.title, signature.language) == (len(files["Signature01"]), "Source", "art")
    assert [code.code for code in signature.confidentiality] == ["N", "MASQUE_PS", "INVISIBLE_PATIENT"]
    assert signature.source_patient_id == report.patient_id
    assert (signature.type_code.code, signature.type_code.system) == ("E1762", "ASTM")
    assert signature.format_code.code == "http://www.w3.org/2000/09/xmldsig#"
    assert signature.class_code.code == "urn:oid:1.3.6.1.4.1.19376.1.2.1.1.1"
    assert [code.code for code in signature.event_codes] == ["1.2.840.10065.1.12.1.14"]
    kinds = [(a.kind.value.rpartition(":")[2], a.source, a.target) for a in submission.associations]
    assert kinds == [
        ("HasMember", "SubmissionSet01", "Document01"),
        ("HasMember", "SubmissionSet01", "Signature01"),
        ("signs", "Signature01", "SubmissionSet01"),
    ]


def test_the_lot_signature_has_a_switch(build: Build, rules: SubmissionRules) -> None:
    submission, files = build(rules=replace(rules, lot_digest=None))
    assert [entry.object_id for entry in submission.entries] == ["Document01"]
    assert list(files) == ["Document01"]


def test_a_resend_is_recognisable_by_its_lot_but_its_signature_is_new(build: Build) -> None:
    first, _ = build()
    again, _ = build(now=NOW + timedelta(seconds=30))
    assert first.lot.unique_id == again.lot.unique_id
    assert first.entries[0] == again.entries[0]
    assert first.entries[1].unique_id != again.entries[1].unique_id


def test_a_replacement_points_to_the_entry_in_the_registry(build: Build) -> None:
    submission, _ = build(replaced_entry=OLD_ENTRY)
    (link,) = request_of(submission).findall(
        ".//rim:Association[@associationType='urn:ihe:iti:2007:AssociationType:RPLC']", R
    )
    assert (link.get("sourceObject"), link.get("targetObject")) == ("Document01", OLD_ENTRY)


def test_the_author_of_the_lot_belongs_to_the_structure_of_the_vihf(build: Build, document: Document) -> None:
    submission, _ = build()
    assert submission.lot.author.institutions == (
        "GROUPE IMAGERIE DES RIVES^^^^^&1.2.250.1.71.4.2.2&ISO^IDNST^^^1990000002",
    )
    assert document.subject.structure == "1990000002"
    assert submission.lot.patient_id == document.subject.patient


def test_names_with_separators_and_markup_are_made_harmless(build: Build) -> None:
    submission, _ = build()
    info = submission.entries[0].source_patient_info
    assert "PID-5|D'EXEMPLE FILS^LOUISE^^^^^D" in info
    etree.fromstring(etree.tostring(request_of(submission)))


@pytest.mark.dsr("RIS.DMP.07")
def test_masks_reach_the_metadata(make_cda: Any, make_publication: Any, site: Site, rules: SubmissionRules) -> None:
    cda = make_cda()
    publication: Publication = make_publication(cda, hidden_from_patient=True)
    document = check_document(cda, publication, site, rules, signer_structure="1990000002")
    assert [code.code for code in document.entry.confidentiality] == ["N", "INVISIBLE_PATIENT"]


def test_each_document_is_referenced_by_the_id_of_its_sheet(build: Build) -> None:
    submission, _ = build()
    request = request_of(submission)
    sheets = [e.get("id") for e in request.iter(q(names.RIM, "ExtrinsicObject"))]
    documents = [e.get("id") for e in request.iter(q(names.XDSB, "Document"))]
    assert sheets == documents == ["Document01", "Signature01"]
    assert [e.get("href") for e in request.iter(q(names.XOP, "Include"))] == [
        "cid:Document01@x",
        "cid:Signature01@x",
    ]


@pytest.mark.conformance
@pytest.mark.parametrize("replaced", [None, OLD_ENTRY])
def test_the_body_is_valid_against_the_ihe_schema(build: Build, conformance: Path, replaced: str | None) -> None:
    submission, _ = build(replaced_entry=replaced)
    request = etree.fromstring(etree.tostring(request_of(submission)))
    for include in list(request.iter(q(names.XOP, "Include"))):
        parent = include.getparent()
        assert parent is not None
        parent.remove(include)
        parent.text = "QUJD"  # the schema wants base64Binary where XOP puts a reference
    etree.XMLSchema(etree.parse(conformance / "xds/xsd/XDS.b_DocumentRepository.xsd")).assertValid(request)


@pytest.mark.conformance
def test_the_query_is_valid_against_the_oasis_schema(conformance: Path) -> None:
    query = get_documents("1.2.3")
    etree.XMLSchema(etree.parse(conformance / "xds/xsd/query.xsd")).assertValid(query)
    assert query.findtext(".//rim:Value", namespaces=R) == "('1.2.3')"
    (adhoc,) = query.findall("rim:AdhocQuery", R)
    assert adhoc.get("id") == "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4"


def test_a_publication_survives_its_storage(make_cda: Any, make_publication: Any) -> None:
    publication = make_publication(make_cda(), replaces_unique_id="1.2.3")
    assert Publication.from_payload(publication.to_payload()) == publication
