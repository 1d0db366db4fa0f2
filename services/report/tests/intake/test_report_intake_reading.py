"""What a message of an old system says: the forms of spec/hl7v2.md §4.3, the tolerances of §2 and §10."""

from __future__ import annotations

import base64
import re
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from navette_documents.hl7v2 import parse
from navette_report.domain.intake import cda
from navette_report.domain.intake.bodies import decoded
from navette_report.domain.intake.claims import Doing, Form, ReceivedReport, Unfit
from navette_report.domain.intake.reading import read_report
from navette_report.domain.intake.rtf import text_of_rtf
from navette_report.domain.intake.sections import cut
from navette_report.domain.intake.senders import Sender

PARIS = ZoneInfo("Europe/Paris")


@pytest.fixture
def sender(make_rpps: Any) -> Sender:
    return Sender(
        name="ancien-ris",
        application="OLDRIS",
        facility="CH-TEST",
        site_id="site-nord",
        authority="CH-TEST",
        authority_id="990000019",
        professionals={"899700000027": make_rpps(27), "899700000001": make_rpps(1), "801234564895": make_rpps(48)},
    )


@pytest.fixture
def read(sender: Sender) -> Any:
    def reading(data: bytes, *, production: bool = False) -> ReceivedReport:
        report = read_report(parse(data), sender, ipp_oid="1.2.250.1.999.7.1.5", zone=PARIS, production=production)
        return cda.opened(report, zone=PARIS)

    return reading


def test_lines_of_text_are_joined_in_the_order_of_their_numbers(read: Any, reference: Any) -> None:
    data = reference("oru_r01_legacy_text")
    head, lines = data.split(b"OBX|", 1)
    shuffled = head + b"".join(b"OBX|" + one for one in reversed(lines.split(b"OBX|")))
    for one in (read(data), read(shuffled)):
        assert one.body.form is Form.TEXT
        assert dict(one.body.sections) == {
            "indication": "dyspnée",
            "findings": "pas d'anomalie pleuro-parenchymateuse.",
            "conclusion": "examen normal.",
        }


def test_the_examination_its_author_and_its_requester_are_read(read: Any, reference: Any, make_rpps: Any) -> None:
    one = read(reference("oru_r01_legacy_text"))
    assert (one.exam.accession_number, one.exam.placer_number) == ("ACN778", "PL778")
    assert one.exam.codes == ("TDMTHO",)
    assert one.exam.modality == "CT"
    assert one.exam.started_at == datetime(2026, 11, 6, 9, 30, tzinfo=PARIS)
    assert (one.author.rpps, one.author.name) == (make_rpps(27), "CHARLIE RADIOLOGUE")
    assert [(person.rpps, person.role.value) for person in one.correspondents] == [(make_rpps(1), "requester")]
    assert one.document_id == "filler:ACN778"


@pytest.mark.dsr("DB/RIS.08")
def test_each_request_that_the_message_answers_is_read_once(read: Any, reference: Any) -> None:
    data = reference("oru_r01_legacy_text")
    (first,) = [line for line in data.split(b"\r") if line.startswith(b"OBR|")]
    second = first.replace(b"PL778", b"PL779").replace(b"ACN778", b"ACN779")
    exam = read(data.replace(first, b"\r".join((first, first, second)))).exam
    assert (exam.accession_number, exam.placer_number) == ("ACN778", "PL778")
    assert exam.further == (("ACN779", "PL779"),)


@pytest.mark.dsr("DB/RIS.08")
def test_the_other_requests_that_a_cda_names_are_read_too(read: Any, reference: Any) -> None:
    data = reference("mdm_t02_init_full")
    (sent,) = re.findall(rb"Base64\^([A-Za-z0-9+/=]{9000,})", data)
    (order,) = re.findall(rb"<inFulfillmentOf.*?</inFulfillmentOf>", base64.b64decode(sent), re.S)
    known = read(data).exam
    other = order.replace(known.accession_number.encode(), b"ACN779").replace(known.placer_number.encode(), b"PL779")
    document = base64.b64decode(sent).replace(order, order + other)
    exam = read(data.replace(sent, base64.b64encode(document))).exam
    assert (exam.accession_number, exam.placer_number) == (known.accession_number, known.placer_number)
    assert (known.further, exam.further) == ((), (("ACN779", "PL779"),))


def test_escapes_of_formatted_text_become_lines(read: Any, reference: Any) -> None:
    one = read(reference("mdm_t02_legacy_text"))
    assert dict(one.body.sections) == {"findings": "examen normal.", "conclusion": "normal & sans particularité."}
    assert one.document_id == "document:DOC778"
    assert one.authenticated


def test_repetitions_of_a_text_field_are_lines_and_empty_ones_blank_lines(read: Any, reference: Any) -> None:
    one = read(reference("mdm_t02_legacy_text", OBX_5="Premier~~Second"))
    assert one.body.sections["findings"] == "Premier\n\nSecond"


@pytest.mark.parametrize(
    ("request_says", "parts_say", "doing", "final"),
    [
        ("", "FFFF", Doing.FILE, True),
        ("", "FFPF", Doing.FILE, False),
        ("F", "FFRF", Doing.FILE, False),
        ("P", "FFFF", Doing.FILE, False),
        ("", "PPCP", Doing.CORRECT, False),
        ("", "FFFC", Doing.CORRECT, True),
        ("C", "FFFF", Doing.CORRECT, True),
        ("C", "FFFP", Doing.CORRECT, False),
        ("", "DFFF", Doing.FILE, True),
        ("", "FWFF", Doing.FILE, True),
        ("", "DXWD", Doing.CANCEL, True),
        ("X", "FFFF", Doing.CANCEL, True),
    ],
)
def test_the_least_final_part_says_how_final_the_report_is(
    read: Any, reference: Any, request_says: str, parts_say: str, doing: Doing, final: bool
) -> None:
    head, *lines = reference("oru_r01_legacy_text", OBR_25=request_says).split(b"OBX|")
    said = [line.replace(b"|F\r", f"|{one}\r".encode()) for line, one in zip(lines, parts_say, strict=True)]
    # What an indicator says of itself says nothing of the report.
    indicator = b"5|CE|MASQUE_PS^x^MetaDMPMSS||N||||||P\r"
    one = read(b"OBX|".join((head, *said, indicator)))
    assert (one.doing, one.final) == (doing, final)


@pytest.mark.parametrize(
    "field",
    [
        "^application^pdf^Base64^{}",
        "^AP^PDF^Base64^{}",
        "^^pdf^Base64^{}",
        "OLDRIS^PDF^^Base64^{}",
        "^application^pdf^base64^{}",
    ],
)
def test_a_pdf_is_known_by_what_it_is_not_by_its_label(read: Any, reference: Any, field: str) -> None:
    data = base64.b64encode(b"%PDF-1.4\nfictif").decode()
    one = read(reference("oru_r01_legacy_pdf", OBX_5=field.format(data)))
    assert one.body.form is Form.PDF
    assert one.body.original == b"%PDF-1.4\nfictif"
    assert "text_to_write" in one.remarks


@pytest.mark.parametrize("size", range(1, 7))
def test_base64_without_padding_or_with_line_breaks_is_read(size: int) -> None:
    data = bytes(range(size))
    text = base64.b64encode(data).decode()
    assert decoded(text.rstrip("=")) == data
    assert decoded("\r\n".join(text)) == data


@pytest.mark.parametrize("text", ["A", "AAAAA", "é===", "%PDF-"])
def test_base64_of_impossible_length_or_alphabet_is_refused(text: str) -> None:
    with pytest.raises(Unfit, match="document_unreadable"):
        decoded(text)


def test_an_unreadable_mail_body_is_no_reason_to_lose_the_report(read: Any, reference: Any) -> None:
    """CORPSMAIL_PS of most ORU has an impossible length: it says how to send, not what the report says."""
    assert b"CORPSMAIL_PS" in reference("oru_r01_init_n3_segur")
    assert read(reference("oru_r01_init_n3_segur")).body.form is Form.CDA
    only_text = (
        reference("oru_r01_legacy_text") + b"OBX|9|ED|CORPSMAIL_PS^Corps^MetaDMPMSS||^TEXT^^Base64^AAAAA||||||F\r"
    )
    assert read(only_text).body.sections["conclusion"] == "examen normal."


def test_a_cda_brings_its_pdf_and_what_the_message_does_not_say(read: Any, reference: Any, make_rpps: Any) -> None:
    one = read(reference("mdm_t02_init_full"))
    assert one.body.form is Form.PDF
    assert one.body.original.startswith(b"%PDF-")
    assert one.exam.accession_number == "7252295367250056"
    assert one.exam.study_instance_uid.startswith("1.3.6.1.4.1.5962.")
    assert one.exam.codes == ("18748-4", "69536005")
    assert one.author.rpps == make_rpps(48)
    assert one.document_id == "document:1.2.250.1.71.4.2.2.120456789.71024000081"


def test_the_second_component_of_a_document_id_does_not_count(read: Any, reference: Any) -> None:
    one = read(reference("mdm_t10_replace_full"))
    assert one.doing is Doing.CORRECT
    assert one.document_id == "document:1.2.250.1.71.4.2.2.120456789.71024000082"
    assert one.replaces_id == "document:1.2.250.1.71.4.2.2.120456789.71024000081"


def test_a_cda_about_another_patient_is_never_attached(read: Any, reference: Any) -> None:
    for name in ("oru_r01_delete_n3_segur", "oru_r01_delete_n1_n3_full"):
        with pytest.raises(Unfit, match="cda_patient_differs"):
            read(reference(name))
    other = reference("mdm_t02_init_full", PID_5="AUTRE^DOMINIQUE^DOMINIQUE^^^^L")
    with pytest.raises(Unfit, match="cda_patient_differs"):
        read(other)
    number = reference("mdm_t02_init_full", PID_3="X1^^^CH-TEST&990000019&M^PI")
    with pytest.raises(Unfit, match="cda_patient_differs"):
        read(number)


@pytest.mark.parametrize("name", ["mdm_t02_init_short", "oru_r01_init_old-codes", "oru_r01_init_n1_n3_short"])
def test_a_placeholder_in_place_of_a_cda_is_refused(read: Any, reference: Any, name: str) -> None:
    with pytest.raises(Unfit, match="document_unreadable"):
        read(reference(name))


def test_a_document_relayed_from_a_mail_is_known_as_such(read: Any, folder: Any) -> None:
    one = read((folder / "lps-mss-1.1" / "mdm_t02_init_full.er7").read_bytes())
    assert one.relayed
    assert one.body.form is Form.PDF


def test_a_cancellation_is_known_by_any_of_its_marks(read: Any, reference: Any, folder: Any) -> None:
    assert read((folder / "lps-mss-1.1" / "mdm_t04_delete_full.er7").read_bytes()).doing is Doing.CANCEL
    for change in ({"ORC_1": "CA"}, {"OBR_25": "X"}, {"OBX_11": "D"}, {"OBX_11": "W"}):
        assert read(reference("oru_r01_legacy_pdf", **change)).doing is Doing.CANCEL, change


@pytest.mark.parametrize("participation", ["SB^^participation", "SB^Send by^HL70912", "SB^Send by^participation"])
@pytest.mark.parametrize("telecom", ["^^X.400^a@b.mssante.example", "^NET^^a@b.mssante.example"])
@pytest.mark.parametrize("authority", ["ASIP-SANTE- PS", "ASIP-SANTE-PS"])
def test_the_sender_of_a_document_is_its_author_however_it_is_labelled(
    read: Any, reference: Any, make_rpps: Any, participation: str, telecom: str, authority: str
) -> None:
    person = f"801234564895^Eric^Thomas^^^^^^{authority}&1.2.250.1.71.4.2.1&ISO^D^^^IDNPS"
    sender = f"PRT||UC||{participation}|{person}||||||||||{telecom}\r"
    data = reference("lps-mss-1.1/mdm_t04_delete_full", PRT_4=None, TXA_22="")
    assert read(data).author.rpps == ""
    assert read(data + sender.encode()).author.rpps == make_rpps(48)


@pytest.mark.parametrize("profile", ["1.1^CISIS_CDA_HL7_LPS", "1.1^ CISIS_CDA_HL7_LPS", "1.0^CISIS_CDA_HL7_LPS"])
def test_a_relayed_document_is_known_by_its_profile_blank_or_not(read: Any, reference: Any, profile: str) -> None:
    assert read(reference("lps-mss-1.1/mdm_t02_init_full", MSH_21=profile)).relayed


def test_a_deletion_that_also_names_a_former_document_deletes_its_own(read: Any, folder: Any) -> None:
    one = read((folder / "lps-mss-1.1" / "mdm_t04_delete_full.er7").read_bytes())
    assert one.doing is Doing.CANCEL
    assert one.document_id == "document:1.2.250.1.71.4.2.2.120456789.71024000082"


@pytest.mark.parametrize(("change", "final"), [({"OBR_25": "P"}, False), ({"OBX_11": "P"}, False), ({}, True)])
def test_a_preliminary_report_is_known(read: Any, reference: Any, change: dict[str, str], *, final: bool) -> None:
    assert read(reference("oru_r01_legacy_text", **change)).final is final


@pytest.mark.parametrize("status", ["DI", "DO", "IN", "PA"])
def test_a_document_that_is_not_authenticated_is_preliminary(read: Any, reference: Any, status: str) -> None:
    one = read(reference("mdm_t02_legacy_text", TXA_17=status))
    assert not one.final
    assert not one.authenticated


def test_a_corrected_status_is_a_correction(read: Any, reference: Any) -> None:
    assert read(reference("oru_r01_legacy_text", OBR_25="C")).doing is Doing.CORRECT


def test_indicators_old_and_new_become_choices(read: Any, folder: Any, reference: Any) -> None:
    extra = (
        b"OBX|5|CE|MASQUE_PS^x^MetaDMPMSS||N^^expandedYes-NoIndicator||||||F\r"
        b"OBX|6|CE|INVISIBLE_PATIENT||Y||||||F\rOBX|7|CE|INVISIBLE_REPRESENTANTS_LEGAUX||Y||||||F\r"
        b"OBX|8|CE|DESTDMP||N||||||F\rOBX|9|CE|DESTMSSANTEPAT||N||||||F\rOBX|10|CE|COMP_LOT||1.2^X||||||F\r"
    )
    assert read(reference("oru_r01_legacy_text") + extra).choices == {
        "hidden_from_patient": True,
        "hidden_from_representatives": True,
        "withheld_from_dmp": True,
        "withheld_from_patient": True,
    }


def test_an_address_is_never_fetched(read: Any, reference: Any) -> None:
    with pytest.raises(Unfit, match="body_by_reference"):
        read(reference("oru_r01_legacy_pdf", OBX_2="RP", OBX_5=r"\E\\E\serveur\E\cr.pdf"))


def test_a_message_without_text_is_unfit(read: Any, reference: Any) -> None:
    with pytest.raises(Unfit, match="body_missing"):
        read(reference("mdm_t02_legacy_text", OBX_5=""))
    with pytest.raises(Unfit, match="document_id_missing"):
        read(reference("oru_r01_legacy_text", OBR_3="", ORC_3=""))


# --- identity ---------------------------------------------------------------------------------------------------------


def test_the_ipp_counts_under_the_authority_of_the_sender_only(read: Any, reference: Any) -> None:
    assert read(reference("oru_r01_legacy_text")).patient.local_id == "100200"
    other = "100200^^^AUTRE&999999999&M^PI"
    assert read(reference("oru_r01_legacy_text", PID_3=other)).patient.local_id == ""
    by_oid = "100200^^^&1.2.250.1.999.7.1.5&ISO^PI"
    assert read(reference("oru_r01_legacy_text", PID_3=by_oid)).patient.local_id == "100200"


def test_an_ins_counts_only_when_it_is_validated_and_sound(read: Any, reference: Any) -> None:
    whole = read(reference("oru_r01_legacy_text")).patient
    assert (whole.matricule, whole.ins_oid) == ("284053818504213", "1.2.250.1.213.1.4.10")
    for change in ({"PID_32": "PROV"}, {"PID_32": ""}, {"PID_3": _ins("284053818504299")}):
        assert read(reference("oru_r01_legacy_text", **change)).patient.matricule == "", change
    assert read(reference("oru_r01_legacy_text"), production=True).patient.matricule == ""


def test_of_nia_and_nir_the_nir_counts(read: Any, reference: Any) -> None:
    both = f"{_ins('284053818504213', oid='1.2.250.1.213.1.4.9')}~{_ins('284053818504213', oid='1.2.250.1.213.1.4.8')}"
    assert read(reference("oru_r01_legacy_text", PID_3=both)).patient.ins_oid == "1.2.250.1.213.1.4.8"


def test_a_billing_number_is_no_ins(read: Any, reference: Any) -> None:
    billing = "284053818504213^^^ASIP-SANTE-NIR&1.2.250.1.213.1.4.8&ISO^NH"
    assert read(reference("oru_r01_legacy_text", PID_3=billing)).patient.matricule == ""


def test_the_type_of_a_name_may_stand_one_component_too_far(read: Any, reference: Any) -> None:
    one = read(reference("oru_r01_legacy_text", PID_5="MODELE^ALIX^^^^^^D~EXEMPLE^ALIX^ALIX MARIE-LOU^^^Mme^^L"))
    assert one.patient.birth_name == "EXEMPLE"


def _ins(value: str, *, oid: str = "1.2.250.1.213.1.4.10") -> str:
    return f"{value}^^^ASIP-SANTE-INS-NIR&{oid}&ISO^INS"


# --- writing of messages ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n"])
def test_any_line_end_and_blank_lines_before_the_header(read: Any, reference: Any, end: bytes) -> None:
    data = b"\r\n\n" + end.join(reference("oru_r01_legacy_text").rstrip(b"\r").split(b"\r"))
    assert read(data).body.sections["conclusion"] == "examen normal."


def test_a_line_break_inside_a_field_stays_in_it(read: Any, reference: Any) -> None:
    data = reference("mdm_t02_legacy_text").replace(b"normal \\T\\ sans particularit\xc3\xa9.", b"premier\nsecond")
    assert read(data).body.sections["conclusion"] == "premier\nsecond"


def test_8859_15_has_its_oe_and_its_euro(read: Any, reference: Any) -> None:
    text = reference("oru_r01_legacy_text").decode("utf-8", "surrogateescape").replace("examen normal.", "§")
    data = text.encode("iso8859-15", "surrogateescape").replace(b"\xa7", b"\xbcsophage, 12 \xa4")
    assert read(data).body.sections["conclusion"] == "Œsophage, 12 €"


def test_utf_8_under_another_declared_charset_is_read_and_told(read: Any, reference: Any) -> None:
    data = reference("mdm_t02_legacy_text", MSH_18="8859/15")
    one = read(data)
    assert one.body.sections["conclusion"] == "normal & sans particularité."
    assert "charset_mismatch" in one.remarks


def test_other_delimiters_are_taken_from_the_header(read: Any, reference: Any) -> None:
    data = reference("oru_r01_legacy_text").replace(b"|", b"#")
    assert read(data).body.sections["conclusion"] == "examen normal."


def test_an_event_only_in_evn_and_unusable_dates_do_no_harm(read: Any, reference: Any) -> None:
    one = read(reference("mdm_t02_legacy_text", MSH_7="284053818504213", TXA_4="hier"))
    assert one.exam.started_at is None


def test_z_segments_and_unknown_ones_may_stand_anywhere(read: Any, reference: Any) -> None:
    data = reference("oru_r01_legacy_text").replace(b"\rOBX|2|", b"\rZXX|1|x\rSPM|1\rOBX|2|", 1)
    assert read(data).body.sections["conclusion"] == "examen normal."


# --- texts ------------------------------------------------------------------------------------------------------------


def test_a_word_in_capitals_on_a_line_of_its_own_is_kept_or_told(read: Any, reference: Any) -> None:
    kept = read(reference("mdm_t02_legacy_text", OBX_5="Poumons :\rRAS\rCONCLUSION : normal"))
    assert dict(kept.body.sections) == {"findings": "Poumons :\nRAS", "conclusion": "normal"}
    assert "partly_taken" not in kept.remarks
    # With fields behind it, it cannot be told from a segment.
    for odd in (reference("mdm_t02_legacy_text", OBX_5="Poumons :\rRAS"), reference("oru_r01_legacy_text") + b"RAS\r"):
        assert "partly_taken" in read(odd).remarks


def test_what_is_small_on_the_wire_and_huge_in_memory_waits_with_its_reason(read: Any, reference: Any) -> None:
    empty = b"<?xml version='1.0'?><ClinicalDocument xmlns='urn:hl7-org:v3'>" + b"<a/>" * 400_000
    for document in (b"{\\rtf1" + b"{" * 100_000, empty + b"</ClinicalDocument>"):
        field = f"^TEXT^XML^Base64^{base64.b64encode(document).decode()}"
        with pytest.raises(Unfit, match="document_too_complex"):
            read(reference("oru_r01_legacy_pdf", OBX_5=field))
    blank = read(reference("mdm_t02_legacy_text", OBX_5="Un" + "\\.sp999\\" * 5_000 + "deux"))
    assert len(blank.body.sections["findings"]) < 50_000


def test_rtf_loses_its_form_and_keeps_its_words(read: Any, reference: Any) -> None:
    rtf = (
        rb"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0 Arial;}}{\*\generator Old;}\f0\b R\'e9sultat : \b0 \'9cdeme.\par "
        rb"CONCLUSION : \u8804? 5 mm \{sic\}\par}"
    )
    assert text_of_rtf(rtf) == "Résultat : œdeme.\nCONCLUSION : ≤ 5 mm {sic}"
    escaped = rtf.decode("latin-1").replace("\\", "\\E\\").replace("é", "\\X E9\\")
    in_text = read(reference("mdm_t02_legacy_text", OBX_5=escaped))
    in_base64 = read(reference("oru_r01_legacy_pdf", OBX_5=f"^TEXT^RTF^Base64^{base64.b64encode(rtf).decode()}"))
    for one in (in_text, in_base64):
        assert one.body.form is Form.RTF
        assert dict(one.body.sections) == {"findings": "œdeme.", "conclusion": "≤ 5 mm {sic}"}
        assert "converted_from_rtf" in one.remarks


@given(st.binary(max_size=400))
def test_no_bytes_break_the_reading_of_rtf(data: bytes) -> None:
    text_of_rtf(b"{\\rtf1" + data)


@given(st.lists(st.text(alphabet="abcé AZ:.-", max_size=20), max_size=12))
def test_no_word_is_lost_when_a_text_is_cut(lines: list[str]) -> None:
    sections = cut("\n".join(lines))
    assert sorted(" ".join(sections.values()).split()) == sorted(" ".join(lines).split())


def test_headings_stand_before_a_colon_or_alone_in_capitals() -> None:
    text = (
        "COMPTE RENDU\nTechnique : hélicoïdale\nRESULTATS\nPas d'anomalie.\n"
        "la conclusion : reste à voir\nAu total : normal"
    )
    assert cut(text) == {
        "technique": "hélicoïdale",
        "findings": "Pas d'anomalie.\nla conclusion : reste à voir",
        "conclusion": "normal",
    }
