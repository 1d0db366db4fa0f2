"""The mail that leaves: subject, headers, body, attachments (spec/mss.md §12, T1 to T4, T9)."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from xml.etree import ElementTree as ET  # independent of the library that writes the archive

import pytest
from navette_documents.cda_header import read_header
from navette_documents.errors import InvalidValue
from navette_documents.sites import Site
from navette_documents.xds import Visibility
from navette_mss.domain import addresses, identity, names
from navette_mss.domain.archive import Software, build_archive
from navette_mss.domain.mail import MailPlan, build_mail

MOMENT = datetime(2026, 11, 22, 9, 15, tzinfo=UTC)
MAILBOX = "comptes-rendus@imagerie-des-rives.mssante.example"
RIM = "{urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0}"
Cda = Callable[..., bytes]


def plan(*, to_patient: bool = False, replaces: bool = False, key: str = "doc-1:r1") -> MailPlan:
    return MailPlan(key, identity.mail_ids(key, MAILBOX), MAILBOX, to_patient, replaces, MOMENT, "DEV000000")


def archive_of(cda: bytes, site: Site, key: str = "doc-1:r1") -> bytes:
    return build_archive(
        read_header(cda),
        cda,
        site=site,
        visibility=Visibility(),
        lot_key=key,
        moment=MOMENT,
        software=Software("Navette", "0.1"),
    )


def mail_of(cda: bytes, pdf: bytes, site: Site, **kind: bool) -> EmailMessage:
    raw = raw_mail(cda, pdf, site, **kind)
    parsed = message_from_bytes(raw, policy=default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def raw_mail(cda: bytes, pdf: bytes, site: Site, **kind: bool) -> bytes:
    xdm = archive_of(cda, site)
    return build_mail(plan(**kind), "x.y@z.mssante.example", read_header(cda), site=site, xdm=xdm, pdf=pdf)


def metadata(archive: bytes) -> ET.Element:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return ET.fromstring(opened.read("IHE_XDM/SUBSET01/METADATA.XML"))


def slot(element: ET.Element, name: str) -> list[str | None]:
    path = f"./{RIM}Slot[@name='{name}']/{RIM}ValueList/{RIM}Value"
    return [value.text for value in element.findall(path)]


@pytest.mark.dsr("RIS.MSS.19")
def test_the_archive_has_the_layout_and_describes_its_document(cda: Cda, site: Site, matricule: str) -> None:
    document = cda()
    archive = archive_of(document, site)
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        assert opened.namelist() == [
            "INDEX.HTM",
            "README.TXT",
            "IHE_XDM/SUBSET01/METADATA.XML",
            "IHE_XDM/SUBSET01/DOC0001.XML",
        ]
        assert opened.testzip() is None
        assert all(entry.flag_bits == 0 for entry in opened.infolist())
        assert opened.read("IHE_XDM/SUBSET01/DOC0001.XML") == document
        index = ET.fromstring(opened.read("INDEX.HTM"))
    links = [link.get("href") for link in index.iter("{http://www.w3.org/1999/xhtml}a")]
    assert links == ["README.TXT", "IHE_XDM/SUBSET01/DOC0001.XML"]
    entry = next(metadata(archive).iter(f"{RIM}ExtrinsicObject"))
    assert slot(entry, "URI") == ["DOC0001.XML"]
    assert slot(entry, "hash") == [hashlib.sha1(document).hexdigest()]
    assert slot(entry, "size") == [str(len(document))]
    ids = {one.get("value") for one in metadata(archive).iter(f"{RIM}ExternalIdentifier")}
    assert {"1.2.250.1.999.7.1.1.77", f"{matricule}^^^&1.2.250.1.213.1.4.8&ISO^NH"} <= ids


def test_an_archive_of_an_unqualified_patient_holds_the_local_number_only(cda: Cda, site: Site) -> None:
    archive = archive_of(cda(ins=None), site)
    ids = {str(one.get("value")) for one in metadata(archive).iter(f"{RIM}ExternalIdentifier")}
    assert "IPP-1^^^&1.2.250.1.999.7.2&ISO^PI" in ids
    assert not any("1.2.250.1.213.1.4" in one for one in ids)


def test_the_same_report_gives_the_same_bytes_and_another_key_another_lot(cda: Cda, site: Site, pdf: bytes) -> None:
    document = cda()
    assert raw_mail(document, pdf, site) == raw_mail(document, pdf, site)
    assert archive_of(document, site, "doc-1:r1") != archive_of(document, site, "doc-1:r2")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "XDM/1.0/DDM+CR d'imagerie médicale DUVAL-FICTIF CAMILLE 17/04/1968"),
        (
            {"birth_name": "Éœuf d’Ær-Łuk", "first_name": "Zoë"},
            "XDM/1.0/DDM+CR d'imagerie médicale EOEUF D'AER-LUK Zoe 17/04/1968",
        ),
        (
            {"label": "Un libellé de type de document beaucoup trop long"},
            "XDM/1.0/DDM+Un libellé de type de document beaucoup DUVAL-FICTIF CAMILLE 17/04/1968",
        ),
        ({"first_name": None}, "XDM/1.0/DDM+CR d'imagerie médicale DUVAL-FICTIF CAMILLE 17/04/1968"),
        ({"birth_date": "19680000"}, "XDM/1.0/DDM+CR d'imagerie médicale DUVAL-FICTIF CAMILLE"),
    ],
)
@pytest.mark.dsr("MSS/CONF.25")
def test_the_subject_survives_its_encoding(
    cda: Cda, site: Site, pdf: bytes, changes: dict[str, str], expected: str
) -> None:
    raw = raw_mail(cda(**changes), pdf, site)
    assert raw.split(b"\r\n\r\n")[0].isascii()
    assert mail_of(cda(**changes), pdf, site)["Subject"] == expected


@pytest.mark.dsr("RIS.MSS.08", "MSS/CONF.15", "MSS/CONF.16")
@pytest.mark.dsr("RIS.MSS.13")
@pytest.mark.dsr("RIS.MSS.17")
def test_a_doctor_gets_the_headers_of_a_professional(cda: Cda, site: Site, pdf: bytes) -> None:
    mail = mail_of(cda(), pdf, site)
    assert mail["From"] == f"Centre d'imagerie des Rives <{MAILBOX}>"
    assert mail["Reply-To"] == "secretariat@imagerie-des-rives.mssante.example"
    assert mail["To"] == "x.y@z.mssante.example"
    assert mail["Message-ID"] == identity.mail_ids("doc-1:r1", MAILBOX).message_id
    assert mail["X-MSS-NIL"] == "DEV000000"
    assert mail["X-MSS-CODECDA"] == "18748-4"
    assert mail["X-MSS-INS"] == "O"
    assert mail["Disposition-Notification-To"] == MAILBOX
    for absent in ("X-MSS-MES", "Cc", "Bcc", "Sender"):
        assert mail[absent] is None


@pytest.mark.dsr("RIS.MSS.22", "MSS/CONF.21")
def test_a_patient_is_not_asked_for_a_receipt_nor_an_answer(cda: Cda, site: Site, pdf: bytes) -> None:
    mail = mail_of(cda(), pdf, site, to_patient=True)
    assert mail["X-MSS-MES"] == "FIN"
    assert mail["Disposition-Notification-To"] is None


@pytest.mark.parametrize("changes", [{"ins": None}, {"first_name": None}])
@pytest.mark.dsr("MSS/CONF.14")
def test_without_a_complete_qualified_ins_the_header_says_so(
    cda: Cda, site: Site, pdf: bytes, changes: dict[str, None]
) -> None:
    assert mail_of(cda(**changes), pdf, site)["X-MSS-INS"] == "N"


@pytest.mark.dsr("RIS.INS.37")
def test_no_matricule_leaves_with_an_unqualified_patient(cda: Cda, site: Site, pdf: bytes, matricule: str) -> None:
    document = cda(ins=None)
    mail = mail_of(document, pdf, site)
    for part in mail.walk():
        content = part.get_payload(decode=True)
        assert matricule.encode() not in (content if isinstance(content, bytes) else b"")
    assert matricule.encode() not in raw_mail(document, pdf, site)


@pytest.mark.dsr("RIS.MSS.10")
@pytest.mark.dsr("RIS.MSS.11")
def test_the_body_is_plain_french_without_medical_data(cda: Cda, site: Site, pdf: bytes) -> None:
    for kind in ({}, {"to_patient": True}):
        mail = mail_of(cda(), pdf, site, **kind)
        body = next(mail.iter_parts())
        assert body.get_content_type() == "text/plain"
        text = body.get_content()
        assert "Ce message a été généré automatiquement." in text
        assert site.phone in text
        assert "DUVAL" not in text
        assert "IRM" not in text


@pytest.mark.dsr("RIS.MSS.15")
def test_a_replacement_says_so_in_the_body_first_and_after_the_label(cda: Cda, site: Site, pdf: bytes) -> None:
    mail = mail_of(cda(), pdf, site, replaces=True)
    assert mail["Subject"].startswith("XDM/1.0/DDM+CR d'imagerie médicale Annule et remplace DUVAL-FICTIF")
    assert next(mail.iter_parts()).get_content().startswith("ANNULE ET REMPLACE")
    plain = mail_of(cda(), pdf, site)
    assert "emplace" not in plain["Subject"]
    assert "REMPLACE" not in next(plain.iter_parts()).get_content()


@pytest.mark.dsr("RIS.DOC.01", "MSS/CONF.23")
def test_the_attachments_are_the_archive_and_the_pdf_unchanged(cda: Cda, site: Site, pdf: bytes) -> None:
    _, zipped, report = mail_of(cda(birth_name="D'Argent/Essai"), pdf, site).iter_parts()
    assert (zipped.get_content_type(), zipped.get_filename()) == ("application/zip", "IHE_XDM.zip")
    assert zipped.get_param("name") == "IHE_XDM.zip"
    assert report.get_content_type() == "application/pdf"
    assert report.get_filename() == "20261121_CR d'imagerie médicale_D'ARGENT ESSAI_CAMILLE.pdf"
    assert report.get_content() == pdf
    assert {part.get_content_disposition() for part in (zipped, report)} == {"attachment"}


def test_a_code_cannot_smuggle_a_header(cda: Cda, site: Site, pdf: bytes) -> None:
    document = cda().replace(b'code code="18748-4"', b'code code="18748-4&#10;Bcc: x@y.example"')
    with pytest.raises(InvalidValue):
        raw_mail(document, pdf, site)


def test_ids_come_from_the_delivery_key_alone() -> None:
    first, again = identity.mail_ids("doc-1:r1", MAILBOX), identity.mail_ids("doc-1:r1", MAILBOX)
    other = identity.mail_ids("doc-1:r2", MAILBOX)
    assert first == again
    assert first.message_id.endswith("@imagerie-des-rives.mssante.example>")
    assert len({first.message_id, other.message_id, first.envelope_id, other.envelope_id}) == 4


@pytest.mark.dsr("RIS.MSS.12")
def test_the_patient_address_comes_from_the_qualified_matricule(cda: Cda, matricule: str) -> None:
    header = read_header(cda())
    address = addresses.patient_address(header, "patient.mssante.fr", production=True)
    assert address == f"{matricule}@patient.mssante.fr"


@pytest.mark.dsr("RIS.MSS.12")
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"ins": None}, "ins-not-qualified"),
        ({"first_name": None}, "ins-incomplete"),
        ({"ins": "268043818590118"}, "ins-invalid"),
        ({"ins": "26804381859011900000"}, "ins-invalid"),
        ({"oid": "1.2.250.1.213.1.4.10"}, "ins-invalid"),
    ],
)
def test_no_address_without_a_valid_qualified_ins(cda: Cda, changes: dict[str, str], code: str) -> None:
    with pytest.raises(addresses.AddressRefused) as refused:
        addresses.patient_address(read_header(cda(**changes)), "patient.mssante.fr", production=True)
    assert refused.value.code == code


def test_a_test_matricule_is_accepted_outside_production(cda: Cda, matricule: str) -> None:
    header = read_header(cda(oid="1.2.250.1.213.1.4.10"))
    assert addresses.patient_address(header, "p.example", production=False) == f"{matricule}@p.example"


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("docteur@gmail.com", "domain-not-trusted"),
        ("docteur@mssante.fr.attaquant.example", "domain-not-trusted"),
        ("docteur@faux-mssante.fr", "domain-not-trusted"),
        ("pas une adresse", "address-malformed"),
        ("a@b@c.mssante.fr", "address-malformed"),
        ("a\r\nBcc: x@y.mssante.fr", "address-malformed"),
        ("@c.mssante.fr", "address-malformed"),
    ],
)
def test_an_address_outside_the_trusted_space_is_refused(address: str, code: str) -> None:
    with pytest.raises(addresses.AddressRefused) as refused:
        addresses.check_domain(address, ("*.mssante.fr", "mssante.fr"))
    assert refused.value.code == code
    assert address not in str(refused.value)


def test_an_address_of_the_trusted_space_is_accepted() -> None:
    assert addresses.check_domain("A.B@Medecin.MSSante.fr", ("*.mssante.fr",)) == "A.B@Medecin.MSSante.fr"


def test_accents_go_and_hyphens_stay() -> None:
    assert names.without_accents("Jean–Noël  d’Œuvre") == "Jean-Noel d'OEuvre"
