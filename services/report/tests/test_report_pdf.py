"""The report on paper: what a reader finds on it, and that it is a PDF/A-1b."""

from __future__ import annotations

import dataclasses
import io
import os
import re
import shutil
import subprocess
from pathlib import Path

import pikepdf
import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from navette_documents.errors import InvalidValue
from navette_report.adapters.pdf import PdfCompiler
from navette_report.adapters.pdf.view import pdf_view
from navette_report.domain.document import FormerVersion
from navette_report.domain.ins_datamatrix import payload
from navette_report.domain.repertoire import PRINTABLE
from navette_report.settings import PATIENT_NOTICE
from PIL import Image
from pypdf import PdfReader

_HERE = Path(__file__).parent
_VERAPDF = "verapdf-1.26.1"


@pytest.fixture(scope="session")
def compiler() -> PdfCompiler:
    return PdfCompiler(notice=PATIENT_NOTICE)


@pytest.fixture(scope="session")
def verapdf() -> list[str]:
    """Command that validates PDF/A-1b files with veraPDF, fetched once by Maven."""
    java, maven = shutil.which("java"), shutil.which("mvn")
    if java is None or maven is None:
        pytest.skip("veraPDF needs Java and Maven")
    base = os.environ.get("NAVETTE_SANDBOX_CACHE") or Path.home() / ".cache" / "navette-sandbox"
    jars = Path(base) / _VERAPDF
    if not any(jars.glob("validation-model-*.jar")):
        command = [maven, "-B", "-q", "-f", str(_HERE / "verapdf" / "pom.xml")]
        command += ["org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"]
        try:
            subprocess.run([*command, f"-DoutputDirectory={jars}"], capture_output=True, timeout=200, check=True)
        except subprocess.SubprocessError:
            shutil.rmtree(jars, ignore_errors=True)
            pytest.skip("Maven cannot fetch veraPDF")
    return [java, "-Xmx256m", "-cp", f"{jars}/*", str(_HERE / "verapdf" / "Check.java")]


def text_of(pdf: bytes) -> str:
    pages = [page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages]
    return re.sub(r"[\s\u00a0\u202f]+", " ", "\n".join(pages))


def many_documents(samples):
    """Reports that differ in what the template must cope with."""
    long = "\n\n".join(f"Segment {n} : aspect homogène de 12 mm.\n- point a\n- point b" for n in range(30))
    acts = (samples.act(), samples.act(modality="US", laterality="right", ccam_code=None, ccam_label=None))
    crowd = tuple(samples.requester(recipient_id=f"corr-{n}", role="requester" if n == 0 else "copy") for n in range(6))
    yield samples.document()
    yield samples.document(identity=samples.identity(qualified=False))
    yield samples.document(content=samples.content(findings=long, acts=acts, correspondents=crowd))
    yield samples.document(content=samples.content(indication="", technique="", comparison="", correspondents=()))
    yield samples.document(
        identity=samples.identity(qualified=False), hidden_from_professionals=True, content=samples.content()
    )
    yield samples.document(
        site=samples.site(
            letterhead_color="#7a1f5c",
            lines=(),
            image_link="https://images.demo.example/view?studyUID={study_instance_uid}",
        ),
        identity=samples.identity(birth_name="D'EXEMPLE-DE-LA-TRES-LONGUE-MAISON", used_name=None),
    )


@pytest.mark.dsr("RIS.CRR.01")
def test_the_report_says_validated_when_and_by_whom_with_the_rpps(samples, compiler):
    text = text_of(compiler.compose(samples.document()))
    assert "Validé le 20 novembre 2026 à 14 h 32 par le Dr Dominique FICTIF-DURAND" in text
    assert f"RPPS {samples.document().signature.signatory.rpps}" in text


@pytest.mark.parametrize(
    ("phone", "printed"),
    [("0199001234", "01 99 00 12 34"), ("01.99.00.12.34", "01 99 00 12 34"), ("+33 1 99 00", "+33 1 99 00")],
)
def test_the_letterhead_holds_the_site_and_its_phone(samples, compiler, phone, printed):
    text = text_of(compiler.compose(samples.document(site=samples.site(phone=phone))))
    assert f"Tél. {printed}" in text
    assert "Imagerie Médicale du Canal" in text
    assert "12 bis rue du Canal Imaginaire" in text
    assert "FINESS 999900016" in text


@pytest.mark.dsr("RIS.DOC.04")
def test_the_report_lists_everyone_it_is_sent_to(samples, compiler):
    copy = samples.requester(recipient_id="corr-2", role="copy", title="PR", family_name="AUTRE-EXEMPLE")
    document = samples.document(content=samples.content(correspondents=(samples.requester(), copy)))
    text = text_of(compiler.compose(document))
    assert "Dr Camille EXEMPLE-MARTIN, Cabinet médical des Tilleuls (médecin demandeur) – MSSanté" in text
    assert "Pr Camille AUTRE-EXEMPLE" in text
    assert "Dossier médical partagé du patient" in text
    assert "Patient – messagerie de Mon espace santé" in text


def test_who_will_not_receive_it_is_not_listed(samples, compiler):
    withheld = text_of(compiler.compose(samples.document(withheld_from_dmp=True, withheld_from_patient=True)))
    assert "Dossier médical partagé du patient" not in withheld
    assert "Patient – messagerie" not in withheld
    nobody = samples.document(identity=samples.identity(qualified=False), hidden_from_professionals=True)
    assert "Aucun envoi prévu" in text_of(compiler.compose(nobody))


@pytest.mark.dsr("RIS.DOC.06")
def test_the_information_of_patients_is_at_the_foot_of_every_page(samples, compiler):
    content = samples.content(findings="\n\n".join(["Paragraphe assez long pour remplir une page."] * 90))
    reader = PdfReader(io.BytesIO(compiler.compose(samples.document(content=content))))
    assert len(reader.pages) >= 2
    for page in reader.pages:
        assert "Les données de ce compte rendu sont traitées" in re.sub(r"\s+", " ", page.extract_text())


@pytest.mark.dsr("RIS.INS.52")
def test_a_qualified_patient_is_printed_with_all_traits_and_the_matricule(samples, compiler):
    text = text_of(compiler.compose(samples.document()))
    for expected in ("EXEMPLE ALIX", "ALIX MARIE-LOU", "12/05/1984", "38185", "Féminin", "IPP000123"):
        assert expected in text
    assert "2 84 05 38 185 042 | 13 – NIR" in text
    assert "INS à scanner" in text


@pytest.mark.dsr("RIS.INS.37", "RIS.INS.52")
def test_an_unqualified_patient_is_printed_with_traits_only(samples, compiler):
    pdf = compiler.compose(samples.document(identity=samples.identity(qualified=False)))
    text = text_of(pdf)
    assert "EXEMPLE ALIX" in text
    assert "Identité non qualifiée" in text
    assert "INS à scanner" not in text
    assert not list(PdfReader(io.BytesIO(pdf)).pages[0].images)


@pytest.mark.dsr("RIS.INS.54", "RIS.DOC.03")
def test_another_reader_finds_the_ins_payload_in_the_printed_datamatrix(samples, compiler):
    document = samples.document()
    (picture,) = PdfReader(io.BytesIO(compiler.compose(document))).pages[0].images
    image = Image.open(io.BytesIO(picture.data)).convert("L")
    scaled = image.resize((image.width * 8, image.height * 8), Image.Resampling.NEAREST)
    (code,) = zxingcpp.read_barcodes(scaled)
    assert code.format in (zxingcpp.BarcodeFormat.DataMatrix,)
    assert code.bytes == payload(document.patient).encode("ascii")


@pytest.mark.parametrize(
    "hostile",
    [
        "#set page(fill: red)",
        '#import "/etc/passwd": *',
        '#read("report.typ")',
        "$ x^2 $ et \\u{1F600}",
        "@reference <label> *gras* _italique_ `code` ```bloc```",
        '"; panic("x") //',
        "= Titre\n== Sous-titre\n+ un\n/ terme : valeur",
        "\\ \\# \\$ ~ -- --- ...",
    ],
)
def test_text_is_printed_as_it_was_written_never_interpreted(samples, compiler, hostile):
    document = samples.document(content=samples.content(findings=hostile, title="#strong[x] $y$"))
    text = text_of(compiler.compose(document))
    view = pdf_view(document, "x")
    for block in view["sections"][-1]["blocks"]:
        for line in block["lines"]:
            assert re.sub(r"[\s\u00a0\u202f]+", " ", line) in text
    assert "#strong[x] $y$" in text


@settings(max_examples=40, deadline=None)
@given(text=st.text(st.sampled_from(sorted(PRINTABLE | {"\n"})), min_size=1, max_size=400))
def test_any_printable_text_composes(samples, compiler, text):
    if text.strip():
        document = samples.document(content=samples.content(findings="x" + text, conclusion="y" + text))
        assert compiler.compose(document).startswith(b"%PDF-1.4")


@pytest.mark.parametrize("name", ["漢字", "EXEMPLE\u0007"])
def test_a_name_that_cannot_be_printed_is_refused_rather_than_left_out(samples, compiler, name):
    document = samples.document(identity=samples.identity(qualified=False, birth_name=name))
    with pytest.raises(InvalidValue, match=r"^pdf: unprintable_character$"):
        compiler.compose(document)


def test_a_name_in_decomposed_form_is_printed_with_its_accents(samples, compiler):
    document = samples.document(identity=samples.identity(qualified=False, used_name="Exemple\u0301"))
    assert "Exemplé" in text_of(compiler.compose(document))


def test_the_same_document_gives_the_same_bytes(samples, compiler):
    assert compiler.compose(samples.document()) == compiler.compose(samples.document())


def test_a_replacing_edition_says_so_at_the_top(samples, compiler):
    document = samples.document()
    object.__setattr__(document, "replaces_unique_id", "1.2.3")
    object.__setattr__(document, "version_number", 2)
    assert "Édition n° 2 du même compte rendu, contenu inchangé" in text_of(compiler.compose(document))
    assert "Édition n°" not in text_of(compiler.compose(samples.document()))


@pytest.mark.dsr("RIS.MSS.15")
def test_a_new_version_says_which_version_it_annuls_and_replaces(samples, compiler):
    document = samples.document()
    object.__setattr__(document, "former", FormerVersion(1, document.signature.signed_at))
    assert "Annule et remplace la version 1 du 20 novembre 2026" in text_of(compiler.compose(document))
    assert "Annule et remplace" not in text_of(compiler.compose(samples.document()))


@pytest.mark.dsr("RIS.INS.53")
def test_a_site_decides_which_further_traits_stand_on_paper_and_the_compulsory_ones_always_do(samples, compiler):
    strict = ("EXEMPLE ALIX", "12/05/1984", "Féminin", "2 84 05 38 185 042 | 13 – NIR", "INS à scanner")
    further = {
        "given_names": "ALIX MARIE-LOU", "used_name": "ALIX MODELE", "birth_place": "38185", "local_id": "IPP000123",
    }  # fmt: skip
    for chosen in ((), ("local_id",), ("given_names", "birth_place")):
        text = text_of(compiler.compose(samples.document(site=samples.site(paper_traits=chosen))))
        assert all(one in text for one in strict)
        assert {name for name, shown in further.items() if shown in text} == set(chosen)


@pytest.mark.dsr("RIS.DOC.01")
def test_the_file_follows_the_rules_of_pdf_a_1b_that_can_be_read_in_it(samples, compiler):
    for document in many_documents(samples):
        pdf = compiler.compose(document)
        with pikepdf.open(io.BytesIO(pdf)) as opened:
            assert opened.pdf_version == "1.4"
            assert not opened.is_encrypted
            assert opened.Root.OutputIntents[0].S == "/GTS_PDFA1"
            metadata = opened.open_metadata()
            assert (metadata["pdfaid:part"], metadata["pdfaid:conformance"]) == ("1", "B")
            assert opened.Root.MarkInfo.Marked
            assert opened.Root.Lang == "fr-FR"
            assert opened.Root.StructTreeRoot.K, "tags for a screen reader"
            assert str(opened.docinfo["/Title"]) == metadata["dc:title"] != ""
            for item in opened.objects:
                if isinstance(item, pikepdf.Dictionary):
                    assert "/SMask" not in item or item.SMask == "/None"
                    assert item.get("/S") not in ("/JavaScript", "/Launch")
                    if item.get("/Type") == "/FontDescriptor":
                        assert {"/FontFile", "/FontFile2", "/FontFile3"} & set(item.keys())


@pytest.mark.peers
@pytest.mark.dsr("RIS.DOC.01")
def test_verapdf_finds_every_report_conformant(samples, compiler, verapdf, tmp_path):
    files = []
    for number, document in enumerate(many_documents(samples)):
        files.append(tmp_path / f"report-{number}.pdf")
        files[-1].write_bytes(compiler.compose(document))
    broken = tmp_path / "broken.pdf"
    broken.write_bytes(files[0].read_bytes().replace(b"pdfaid:part>1<", b"pdfaid:part>9<"))
    assert _verdicts(verapdf, "1b", [*files, broken]) == [*(f"PASS {file}" for file in files), f"FAIL {broken}"]


@pytest.mark.peers
@pytest.mark.dsr("RIS.DOC.01")
def test_verapdf_finds_the_tags_of_every_report_good_enough_for_pdf_a_1a(samples, verapdf, tmp_path):
    compiler, files = PdfCompiler(notice=PATIENT_NOTICE, standard="a-1a"), []
    for number, document in enumerate(many_documents(samples)):
        files.append(tmp_path / f"report-{number}.pdf")
        files[-1].write_bytes(compiler.compose(document))
    assert _verdicts(verapdf, "1a", files) == [f"PASS {file}" for file in files]


def _verdicts(verapdf, flavour, files):
    told = subprocess.run(
        [*verapdf, flavour, *map(str, files)], capture_output=True, text=True, timeout=280, check=True
    )
    return [line for line in told.stdout.splitlines() if not line.startswith(" ")]


def test_the_head_of_each_page_names_the_patient_however_long_the_names(samples, compiler):
    long = "\n\n".join(f"Segment {n} : aspect homogène." for n in range(60))
    name = "D'EXEMPLE-DE-LA-TRES-LONGUE-MAISON-DES-RIVES-ET-DES-COTEAUX-FICTIFS"
    identity = samples.identity(birth_name=name, first_birth_given_name="MARIE-CHARLOTTE-ANTOINETTE")
    title = "Examen tomodensitométrique thoraco-abdomino-pelvien avec injection, contrôle à trois mois d'un traitement"
    pdf = compiler.compose(samples.document(identity=identity, content=samples.content(findings=long, title=title)))
    second = PdfReader(io.BytesIO(pdf)).pages[1]
    at = []
    second.extract_text(visitor_text=lambda text, cm, tm, _font, _size: at.append((text, tm[5] * cm[3] + cm[5])))
    head = [(text.strip(), y) for text, y in at if "EXEMPLE" in text or "tomodensitom" in text]
    assert head, "the head of the page is missing"
    # Nothing of it stands outside the sheet or in the body: A4 is 842 points high, the margin 17 mm.
    assert all(842 - 17 * 72 / 25.4 < y < 842 - 10 for _, y in head), head
    shown = re.sub(r"\s+", "", second.extract_text())
    assert name.replace("'", "’") in shown or name in shown
    assert "contrôleàtroismois" not in shown


def test_a_copy_of_a_withdrawn_report_says_so_across_the_page(samples, compiler):
    document = dataclasses.replace(samples.document(), withdrawn_at=samples.signature().signed_at)
    assert "RETIRÉ le 20 novembre 2026 à 14 h 32 : ce compte rendu ne doit plus être utilisé" in text_of(
        compiler.compose(document)
    )
    assert "RETIRÉ" not in text_of(compiler.compose(samples.document()))
