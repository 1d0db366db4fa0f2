"""The CDA R2 N1, before the conformance rules of the ANS and with its exact values."""

from __future__ import annotations

import dataclasses
import io
import json
import re
import subprocess
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from lxml import etree
from navette_contracts.events import IdentityAttribute, IdentityStatus, Ins
from navette_documents.cda_header import read_header
from navette_documents.codes import MODALITIES, PRACTICE_SETTINGS, RADIOLOGY_SPECIALTIES, REGIONS
from navette_report.adapters.workshop import Workshop
from navette_report.domain.cda import build_cda
from pypdf import PdfReader

_NS = {"h": "urn:hl7-org:v3", "d": "urn:dicom-org:ps3-20"}
_NIR, _NIA = "1.2.250.1.213.1.4.8", "1.2.250.1.213.1.4.9"

# Codes of jdv-code-document-imagerie-cisis: the lint of the validator compares them with the value set.
_ACTS = (
    ("30657-1", "RM cerveau sans contraste", "ACQN001", "Remnographie [IRM] du crâne", "MR"),
    ("24627-2", "TDM thorax", "ZBQK001", "Scanographie du thorax", "CT"),
    ("24558-9", "Echo abdomen", "ZCQM008", "Échographie transcutanée de l'abdomen", "US"),
    ("30746-2", "RX thorax", "ZBQK002", "Radiographie du thorax", "DX"),
    ("24606-6", "Mammographie", "QEQK001", "Mammographie bilatérale", "MG"),
)


@pytest.fixture(scope="session")
def workshop():
    return Workshop(notice="Mention d'information.", production=True)


def validated(validator, tmp_path, documents):
    """Findings per file name, from one call of the validator."""
    for name, cda in documents.items():
        (tmp_path / name).write_bytes(cda)
    paths = [str(tmp_path / name) for name in documents]
    told = subprocess.run(
        [*validator, "--json", "--lint-fails", *paths], capture_output=True, text=True, timeout=280, check=False
    )
    assert told.stdout, told.stderr[-2000:]
    return told.returncode, [json.loads(line) for line in told.stdout.splitlines() if line.startswith("{")]


def corsican_key(error):
    """The lint of the validator expects the letter of a Corsican NIR one place too early (spec/ins.md §9.2)."""
    return error["id"] == "lint/ins-key" and re.search(r"INS '\d{5}2[AB]\d{8}'", error["message"]) is not None


def names():
    part = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=2, max_size=14)
    return st.builds(
        lambda first, rest: first + "".join(rest),
        st.one_of(part, part.map(lambda one: f"D'{one}"), part.map(lambda one: f"DE LA {one}")),
        st.lists(st.tuples(st.sampled_from(["-", " ", "'"]), part).map("".join), max_size=3),
    )


@st.composite
def inputs(draw, samples, make_matricule):
    """Identity, content and site of a report, from the simplest to the awkward."""
    place = draw(st.sampled_from(["38185", "2A004", "2B033", "97411", "99109", "99350", "99999"]))
    year, month = draw(st.integers(1920, 2026)), draw(st.integers(1, 12))
    sex = draw(st.sampled_from("MFI"))
    digit = "2" if sex == "F" else "1"
    department = place[:2] if not place.startswith("97") else "97"
    body = f"{digit}{year % 100:02d}{month:02d}{department}{draw(st.integers(0, 999999)):06d}"
    given_names = draw(st.lists(names().map(lambda one: one[:20]), min_size=1, max_size=4))
    identity = samples.identity(
        ins=Ins(matricule=make_matricule(body), oid=draw(st.sampled_from([_NIR, _NIA]))),
        birth_name=draw(names())[:90],
        first_birth_given_name=given_names[0],
        birth_given_names=" ".join(given_names)[:200],
        birth_date=f"{year:04d}-{month:02d}-{draw(st.integers(1, 28)):02d}",
        birth_place_code=place,
        sex=sex,
        used_name=draw(st.none() | names()),
        used_given_name=draw(st.none() | names()),
        local_id=draw(st.none() | st.from_regex(r"[A-Z0-9]{1,20}", fullmatch=True)),
    )
    acts = tuple(
        samples.act(
            loinc_code=loinc, loinc_label=label, ccam_code=ccam, ccam_label=act, modality=modality,
            region=draw(st.sampled_from(sorted(REGIONS))),
            laterality=draw(st.sampled_from([None, "left", "right", "bilateral"])),
        )
        for loinc, label, ccam, act, modality in draw(
            st.lists(st.sampled_from(_ACTS), min_size=1, max_size=3, unique_by=lambda one: one[0])
        )
    )  # fmt: skip
    correspondents = tuple(
        samples.requester(
            recipient_id=f"corr-{n}",
            role="requester" if n == 0 else "copy",
            family_name=draw(names())[:60],
            given_name=draw(st.none() | names().map(lambda one: one[:30])),
            civility=draw(st.sampled_from([None, "M", "MME"])),
            title=draw(st.sampled_from([None, "DR", "PR"])),
            mss_address=draw(st.none() | st.just("exemple@medecin.mssante.example")),
            finess=draw(st.none() | st.just("999900024")),
            organization=draw(st.none() | st.just("Cabinet d'exemple <&>")),
        )
        for n in range(draw(st.integers(0, 4)))
    )
    content = samples.content(
        title=draw(st.sampled_from(["IRM cérébrale", "Scanner thoracique & abdominal", "Écho <1> d'une fille"])),
        acts=acts,
        correspondents=correspondents,
        exam=samples.content().exam.model_dump()
        | {
            "order_placer_number": draw(st.none() | st.just("OPN/2026-17")),
            "ended_at": draw(st.none() | st.just(datetime(2026, 11, 20, 10, tzinfo=UTC))),
        },
    )
    facility, setting = draw(
        st.sampled_from([("SA08", "AMBULATOIRE"), ("SA01", "ETABLISSEMENT"), ("SA05", "AMBULATOIRE")])
    )
    assert setting in PRACTICE_SETTINGS
    return samples.document(
        content=content,
        identity=identity,
        site=samples.site(facility_type=facility, practice_setting=setting),
        announcement_needed=draw(st.booleans()),
    )


@pytest.mark.conformance
@pytest.mark.dsr("RIS.DOC.02")
def test_every_specialty_of_a_signatory_passes_the_conformance_kit(samples, validator, workshop, tmp_path):
    made = {}
    for code in RADIOLOGY_SPECIALTIES:
        document = samples.document()
        signatory = document.signature.signatory.model_copy(update={"specialty": code})
        signature = document.signature.model_copy(update={"signatory": signatory})
        files = workshop.make(dataclasses.replace(document, signature=signature))
        assert files.findings == ()
        assert files.cda.count(f'code="{code}"'.encode()) == 3  # author, legal authenticator, performer
        made[f"{code.rpartition('/')[2]}.xml"] = files.cda
    code, results = validated(validator, tmp_path, made)
    assert [one for result in results for one in result["errors"]] == []
    assert not code


@pytest.mark.conformance
@pytest.mark.dsr("RIS.DOC.02", "RIS.CRR.07", "RIS.DOC.03")
def test_generated_reports_pass_every_layer_of_the_conformance_kit(
    samples, make_matricule, validator, workshop, tmp_path
):
    made = {}

    @seed(20261122)
    @settings(
        max_examples=40, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(inputs(samples, make_matricule))
    def generate(document):
        files = workshop.make(document)
        assert files.findings == ()
        made[f"report-{len(made)}.xml"] = files.cda

    generate()
    assert len(made) >= 40
    code, results = validated(validator, tmp_path, made)
    assert len(results) == len(made)
    assert [one for result in results for one in result["errors"] if not corsican_key(one)] == []
    assert not code or any(corsican_key(one) for result in results for one in result["errors"])


@pytest.mark.conformance
@pytest.mark.dsr("RIS.INS.37")
def test_a_report_without_qualified_identity_passes_with_the_missing_ins_as_only_remark(
    samples, validator, workshop, tmp_path
):
    files = workshop.make(samples.document(identity=samples.identity(qualified=False, local_id=None)))
    _, (result,) = validated(validator, tmp_path, {"unqualified.xml": files.cda})
    assert [one["id"] for one in result["errors"]] == ["lint/no-ins"]
    assert result["remarks"] == []


@pytest.mark.dsr("RIS.INS.37")
@pytest.mark.parametrize("status", [one for one in IdentityStatus if one is not IdentityStatus.QUALIFIEE])
def test_the_matricule_is_nowhere_when_the_identity_is_not_qualified(samples, workshop, status):
    # An INS that is known but may not be used: the hardest case.
    known = samples.identity()
    files = workshop.make(samples.document(identity=dataclasses.replace(known, status=status)))
    assert files.findings == ()
    assert_no_trace_of(known.ins.matricule, files)


@pytest.mark.dsr("RIS.INS.37")
def test_the_matricule_is_nowhere_when_the_identity_is_doubtful(samples, workshop):
    known = samples.identity(attributes=(IdentityAttribute.DOUTEUSE,))
    assert_no_trace_of(known.ins.matricule, workshop.make(samples.document(identity=known)))


def assert_no_trace_of(matricule, files):
    assert matricule.encode() not in files.cda
    assert b"1.2.250.1.213.1.4." not in files.cda
    assert b"patient.mssante.fr" not in files.cda
    reader = PdfReader(io.BytesIO(files.pdf))
    printed = "".join(page.extract_text() for page in reader.pages) + str(reader.metadata)
    assert matricule not in re.sub(r"[^0-9AB]", "", printed)
    assert not [image for page in reader.pages for image in page.images]


@pytest.mark.dsr("RIS.CRR.07", "RIS.DOC.02", "RIS.DOC.05", "DB/RIS.08")
def test_the_header_holds_the_values_of_the_specification(samples):
    document = samples.document()
    root = etree.fromstring(build_cda(document, b"%PDF-1.4"))

    def value(path):
        return root.xpath(f"string({path})", namespaces=_NS)

    assert [one.get("root") for one in root.findall("h:templateId", _NS)] == [
        "2.16.840.1.113883.2.8.2.1", "1.2.250.1.213.1.1.1.1", "1.3.6.1.4.1.19376.1.2.20",
    ]  # fmt: skip
    assert value("h:code/@code") == "18748-4"
    assert value("h:code/h:translation/@code") == "30657-1"
    assert value("h:title") == "CR d'imagerie médicale - IRM cérébrale"
    assert value("h:effectiveTime/@value") == "20261120143204+0100"
    assert value("h:legalAuthenticator/h:time/@value") == "20261120143200+0100"
    assert value("h:legalAuthenticator//h:id/@extension") == "8" + document.signature.signatory.rpps
    assert value("h:custodian//h:id/@extension") == "1999900016"
    assert value("h:recordTarget//h:id[1]/@extension") == document.patient.ins.matricule
    assert value("h:recordTarget//h:county") == "38185"
    assert value("h:recordTarget//h:telecom/@value") == f"mailto:{document.patient.ins.matricule}@patient.mssante.fr"
    assert value("h:participant[@typeCode='REF']//h:telecom/@value") == (
        "mailto:camille.exemple-martin@medecin.mssante.example"
    )
    assert value("h:informationRecipient//h:telecom/@value").startswith("mailto:camille")
    assert value("h:inFulfillmentOf/h:order/h:id/@extension") == "OPN-2026-0917"
    assert value("h:inFulfillmentOf/h:order/d:accessionNumber/@extension") == "ACN-2026-004211"
    event = "h:documentationOf/h:serviceEvent"
    assert value(f"{event}/h:id/@root") == document.content.exam.study_instance_uid
    assert not value(f"{event}/h:id/@extension")
    systems = [one.get("codeSystem") for one in root.findall(f"{event}/h:code/h:translation", _NS)]
    assert systems == ["1.2.250.1.215.300.1", "1.2.840.10008.2.16.4", "2.16.840.1.113883.6.96"]
    assert value("h:componentOf//h:healthCareFacility/h:code/@code") == "SA08"


def test_identifiers_are_the_same_when_a_composition_is_repeated(samples):
    first, again = samples.document(), samples.document()
    assert (first.unique_id, first.set_id, first.document_id) == (again.unique_id, again.set_id, again.document_id)
    assert first.unique_id != first.set_id
    assert len(first.unique_id) <= 64


def test_a_later_edition_replaces_the_earlier_one_in_the_same_set(samples):
    document = samples.document()
    object.__setattr__(document, "replaces_unique_id", "1.2.250.1.999.7.1.1.42")
    object.__setattr__(document, "version_number", 2)
    header = read_header(build_cda(document, b"%PDF-1.4"))
    assert [one.root for one in header.replaces] == ["1.2.250.1.999.7.1.1.42"]
    assert header.version_number == 2
    assert header.set_id.root == document.set_id


@pytest.mark.dsr("DB/RIS.08")
def test_every_modality_and_region_of_the_tables_can_be_written(samples):
    for modality, region in zip(sorted(MODALITIES) * 1, sorted(REGIONS) * 2, strict=False):
        acts = (samples.act(modality=modality, region=region),)
        header = read_header(build_cda(samples.document(content=samples.content(acts=acts)), b"%PDF-1.4"))
        assert header.acts[0].modalities[0].code == modality
        assert header.acts[0].regions[0].code == region


@pytest.mark.dsr("RIS.DOC.04")
def test_who_will_not_receive_it_is_no_recipient_of_the_document(samples):
    header = read_header(build_cda(samples.document(hidden_from_professionals=True), b"%PDF"))
    assert header.recipients == ()
    # Who asked for the examination asked for it, whoever may read the answer.
    assert [one.type_code for one in header.participants] == ["REF"]
    assert len(read_header(build_cda(samples.document(), b"%PDF")).recipients) == 1


@pytest.mark.conformance
def test_a_birth_date_known_in_part_is_written_as_far_as_it_is_known(samples, workshop, validator, tmp_path):
    known = {"1992-00-00": "1992", "1992-05-00": "199205", "1992-00-15": "1992", "1992-02-31": "199202"}
    documents = {}
    for written, expected in known.items():
        document = samples.document(identity=samples.identity(qualified=False, birth_date=written))
        made = workshop.make(document)
        assert made.findings == ()
        assert f'<birthTime value="{expected}"/>'.encode() in made.cda
        documents[f"{written}.xml"] = made.cda
    _, results = validated(validator, tmp_path, documents)
    # The lint asks for an INS, which an identity that is not qualified must not show.
    assert [error for one in results for error in one["errors"] if error["id"] != "lint/no-ins"] == []
