"""What the report says beside its prose: products, dose, history, teleradiology, the way to the images."""

from __future__ import annotations

import io
import re
from urllib.parse import parse_qs, urlsplit

import pytest
import zxingcpp
from navette_report.adapters.pdf import PdfCompiler
from navette_report.settings import PATIENT_NOTICE
from PIL import Image
from pydantic import ValidationError
from pypdf import PdfReader


@pytest.fixture(scope="session")
def compiler() -> PdfCompiler:
    return PdfCompiler(notice=PATIENT_NOTICE)


def text_of(pdf):
    pages = [page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages]
    return re.sub(r"[\s\u00a0\u202f]+", " ", "\n".join(pages))


def scanner(samples, **changes):
    return samples.act(
        modality="CT", region="67734004", body_site="181216001", laterality="left",
        contrast=[{"name": "PRODUIT FICTIF 350", "volume_ml": "80.5", "lot_number": "L-1"}],
        exposure={"pregnancy": "none", "measures": [{"quantity": "113813", "value": "1140.26"}]},
        **changes,
    )  # fmt: skip


@pytest.mark.dsr("RIS.CRR.07")
def test_products_and_dose_are_printed_with_the_side_the_route_and_the_lot(gallery, compiler):
    document = gallery.document("N1", acts=[scanner(gallery.samples)])
    text = text_of(compiler.compose(document))
    assert "Tomodensitométrie – poumon entier, côté gauche – CCAM ACQN001" in text
    assert "PRODUIT FICTIF 350, 80,5 mL, voie intraveineuse, lot L-1" in text
    assert "PDL Total : 1140,26 mGy.cm" in text
    assert "Grossesse : absence de grossesse" in text


def test_with_several_irradiating_acts_each_dose_names_its_site(gallery, compiler):
    chest = gallery.samples.act(
        modality="DX",
        region="67734004",
        exposure={"pregnancy": "not_applicable", "measures": [{"quantity": "113722", "value": "0.25"}]},
    )
    text = text_of(compiler.compose(gallery.document("N1", acts=[scanner(gallery.samples), chest])))
    assert "PDL Total : 1140,26 mGy.cm (poumon entier, côté gauche)" in text
    assert "PDS Total : 0,25 Gy.cm² (thorax entier)" in text


def test_a_dose_nobody_can_give_is_said_not_to_be_available(gallery, compiler):
    content = gallery.samples.content(acts=[gallery.samples.act(modality="CT", region="67734004")])
    assert content.dose_missing
    said = content.without_dose()
    assert not said.dose_missing
    text = text_of(compiler.compose(gallery.document("N1", acts=[act.model_dump() for act in said.acts])))
    assert "Dose : non disponible" in text
    with pytest.raises(ValidationError, match="dose_given_or_not_expected"):
        gallery.samples.content(acts=[gallery.samples.act(dose_unavailable=True)])


def test_history_contraindications_complications_and_screening_are_printed(gallery, compiler):
    act = gallery.samples.act(complications="Malaise vagal bref.")
    content = {
        "acts": [act], "medical_history": "Asthme.", "surgical_history": "Appendicectomie.",
        "contraindications": ["MED-1116"], "screening": True,
    }  # fmt: skip
    text = text_of(compiler.compose(gallery.document("N1", **content)))
    for words in ("Asthme.", "Appendicectomie.", "Malaise vagal bref.", "Examen de dépistage"):
        assert words in text
    assert "Patient porteur d’une pompe implantée" in text


def test_what_was_not_given_leaves_no_heading(gallery, compiler):
    text = text_of(compiler.compose(gallery.document("N1")))
    for title in ("Produits administrés", "Exposition aux rayonnements", "Complications", "Antécédents"):
        assert title not in text


def test_a_report_read_at_a_distance_names_the_reader_and_the_doctor_who_answers(gallery, compiler):
    text = text_of(compiler.compose(gallery.document("N1", teleradiology=gallery.teleradiology())))
    assert "Lu à distance Dr Dominique FICTIF-DURAND, Télé-imagerie fictive" in text
    assert f"Responsable Dr Maël SUR-PLACE-FICTIF – RPPS {gallery.rpps(7)}" in text


@pytest.mark.dsr("DB/RIS.11")
def test_another_reader_finds_the_link_to_the_images_in_the_printed_code(gallery, compiler):
    document = gallery.document("N1")
    pdf = compiler.compose(document)
    found = []
    for picture in PdfReader(io.BytesIO(pdf)).pages[0].images:
        image = Image.open(io.BytesIO(picture.data)).convert("L")
        scaled = image.resize((image.width * 8, image.height * 8), Image.Resampling.NEAREST)
        found += zxingcpp.read_barcodes(scaled)
    (code,) = [one for one in found if one.format == zxingcpp.BarcodeFormat.QRCode]
    query = parse_qs(urlsplit(code.text).query)
    assert query == {"requestType": ["STUDY"], "studyUID": [document.content.exam.study_instance_uid]}
    links = [note.get_object()["/A"]["/URI"] for note in PdfReader(io.BytesIO(pdf)).pages[0]["/Annots"]]
    assert set(links) == {code.text}


def test_a_site_without_image_link_prints_no_code(gallery, compiler):
    pdf = compiler.compose(gallery.document("N1", site={"image_link": None}))
    assert "Images de l’examen" not in text_of(pdf)
    assert len(PdfReader(io.BytesIO(pdf)).pages[0].images) == 1  # the datamatrix


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"contrast": [{"name": "X", "atc_code": "V08AB11"}]}, "atc_code_and_label_go_together"),
        ({"body_site": "1"}, "unknown_body_site"),
        ({"exposure": {"measures": [{"quantity": "113813", "value": 1}]}}, "modality_without_radiation"),
        ({"modality": "CT", "exposure": {"pregnancy": "none"}}, "measure_or_radiopharmaceutical_required"),
        ({"modality": "CT", "exposure": {"measures": [{"quantity": "1", "value": 1}]}}, "unknown_dose_quantity"),
        ({"modality": "CT", "exposure": {"measures": [{"quantity": "113813", "value": -1}]}}, "greater than 0"),
        ({"modality": "CT", "exposure": {"measures": [{"quantity": "113813", "value": "NaN"}]}}, "finite"),
    ],
)
def test_an_act_that_makes_no_sense_is_refused_by_its_rule(gallery, change, rule):
    with pytest.raises(ValidationError, match=rule):
        gallery.samples.content(acts=[gallery.samples.act(**change)])


def test_an_unknown_contraindication_is_refused(gallery):
    with pytest.raises(ValidationError, match="unknown_contraindication"):
        gallery.samples.content(contraindications=["none"])
