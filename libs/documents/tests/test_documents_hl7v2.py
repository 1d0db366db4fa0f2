"""HL7 v2: nothing received is lost, French senders are understood, what cannot be taken is refused with its place."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from navette_documents.hl7v2 import (
    AckError,
    Hl7Error,
    Limits,
    Location,
    MessageError,
    build_ack,
    cx,
    parse,
    read_ack,
    read_identifiers,
    read_ins,
    read_pid,
    read_proofs,
    repeat,
    sub,
    unreadable_ack,
    write_message,
    xpn,
)
from navette_documents.hl7v2.escapes import escape, unescape

AT = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
HEADER = "MSH|^~\\&|GAM|CH-TEST|RIS|LILAS|20261105091500||ADT^A28^ADT_A05|P1|T|2.5^FRA^2.11|||||FRA|UNICODE UTF-8\r"
Read = Callable[[str], bytes]

_FOLDER = Path(os.environ.get("NAVETTE_CONFORMANCE_DIR", "../shared/conformance")) / "hl7v2"
MESSAGES = sorted(one for one in _FOLDER.rglob("*") if one.suffix in (".er7", ".hl7"))


def pid(text: str, more: str = "") -> bytes:
    return (HEADER + text + "\r" + more).encode()


@pytest.mark.conformance
@pytest.mark.parametrize("path", MESSAGES, ids=lambda one: f"{one.parent.name}/{one.name}")
def test_every_reference_message_is_written_again_byte_for_byte(path: Path) -> None:
    data = path.read_bytes()
    message = parse(data)
    assert message.serialise() == data
    assert message.message_type in {"ADT", "MDM", "ORU", "ORM", "OMI", "ACK", "ZAM"}
    assert b"\n" not in message.canonical().replace(b"\r\n", b"\r")
    assert [one.text for one in parse(message.canonical())] == [one.text for one in message]


@pytest.mark.conformance
@pytest.mark.dsr("RIS.INS.57")
def test_a_message_in_8859_15_keeps_its_ligatures_and_its_escapes(conformance: Path) -> None:
    message = parse((conformance / "hl7v2/pam-fr-synthetic/adt_a28_iso8859-15.hl7").read_bytes())
    assert message.charset == "8859/15"
    assert read_pid(message).birth_name is not None
    record = message.require("PID")
    assert record.first(5).component(1) == "LŒUVEN"
    assert record.first(11).component(1) == "12 RUE DU CŒUR & DE L ŒUVRE^BÂT. A"
    assert message.require("NTE").value(3) == "Reste à charge : 12 €"
    answer = build_ack(message, "AA", own_id="X1", at=AT)
    assert parse(answer).msh.value(18) == "8859/15"


def test_utf_8_under_another_charset_is_read_as_utf_8_and_the_mismatch_is_told() -> None:
    data = HEADER.replace("UNICODE UTF-8", "8859/15").encode() + "PID|1||1||LŒUVEN\r".encode()
    message = parse(data)
    assert (message.charset, message.decoded.mismatch) == ("UNICODE UTF-8", True)
    assert message.require("PID").value(5) == "LŒUVEN"
    assert message.serialise() == data


def test_latin_bytes_under_utf_8_are_read_as_8859_15() -> None:
    data = HEADER.encode() + "PID|1||1||LŒUVEN €\r".encode("iso8859-15")
    message = parse(data)
    assert (message.charset, message.decoded.mismatch) == ("8859/15", True)
    assert message.require("PID").value(5) == "LŒUVEN €"
    assert message.serialise() == data


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_any_line_end_is_understood_and_cr_is_written(end: str) -> None:
    data = (HEADER + "PID|1||7\rZXY|a|b||\r").replace("\r", end).encode()
    message = parse(data)
    assert [one.name for one in message] == ["MSH", "PID", "ZXY"]
    assert message.serialise() == data
    assert message.canonical().count(b"\r") == 3
    assert b"\n" not in message.canonical()


def test_a_line_break_inside_a_field_stays_in_its_field() -> None:
    message = parse((HEADER + "NTE|1||first\nsecond line|x\rPID|1\r\r\n").encode())
    assert message.require("NTE").value(3) == "first\nsecond line"
    assert message.require("NTE").raw(4) == "x"
    assert message.require("PID").raw(1) == "1"


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["PID", "ZZZ", "OBX"]), st.text(st.characters(codec="utf-8", exclude_characters="\x00"))
        ),
        max_size=8,
    ),
    st.sampled_from(["\r", "\n", "\r\n"]),
)
def test_whatever_segments_hold_is_written_again_as_received(segments: list[tuple[str, str]], end: str) -> None:
    data = (HEADER.rstrip("\r") + end + "".join(f"{name}|{text}{end}" for name, text in segments)).encode()
    message = parse(data, Limits(fields=10_000, parts=10_000))
    assert message.serialise() == data


@given(st.text(st.characters(codec="utf-8", exclude_characters="\x00")))
def test_what_is_escaped_reads_back_as_it_was(text: str) -> None:
    assert unescape(escape(text)) == text
    assert not set(escape(text)) & set("|^~&\r\n")


@pytest.mark.parametrize(
    ("declared", "codec", "understood"),
    [
        ("8859/15", "utf-8", "UNICODE UTF-8"),
        ("8859/15", "iso8859-15", "8859/15"),
        ("UNICODE UTF-8", "iso8859-15", "8859/15"),
        ("WINDOWS-1252", "iso8859-15", "8859/15"),
        ("8859/1", "ascii", "8859/1"),
        ("", "utf-8", "UNICODE UTF-8"),
    ],
)
def test_an_answer_names_the_charset_it_is_written_in(declared: str, codec: str, understood: str) -> None:
    name = "CH-ÉTÉ" if codec != "ascii" else "CH-ETE"
    data = f"MSH|^~\\&|A|{name}|C|D|1||ADT^A28|1|P|2.5||||||{declared}\r".encode(codec)
    answer = build_ack(parse(data), "AA", own_id="1", at=datetime(2026, 12, 1, tzinfo=UTC))
    read = parse(answer)
    assert (read.msh.value(18), read.msh.value(6), read.decoded.mismatch) == (understood, name, False)


def test_three_capitals_alone_on_a_line_of_a_text_are_text() -> None:
    """A sender that does not escape its line ends: "RAS" and "IRM" are words, a segment would have fields."""
    data = (
        b"MSH|^~\\&|A|B|C|D|1||ORU^R01|1|P|2.5\rPV1\rOBX|1|TX|c||Poumons :\rRAS\rIRM\rfin.||||||F\rPV1\rNTE|1||mot\rRAS"
    )
    message = parse(data)
    assert [one.name for one in message] == ["MSH", "PV1", "OBX", "PV1", "NTE"]
    assert message.require("OBX").raw(5) == "Poumons :\rRAS\rIRM\rfin."
    assert message.require("NTE").raw(3) == "mot\rRAS"
    assert message.serialise() == data


def test_a_text_of_very_many_such_words_is_read_line_by_line_and_not_anew_for_each() -> None:
    message = parse(b"MSH|^~\\&|A|B|C|D|1||ORU^R01|1|P|2.5\rOBX|1|TX|c||" + b"RAS\r" * 200_000)
    assert len(message.require("OBX").raw(5).split("\r")) == 200_000


@pytest.mark.parametrize("code", [".sp999", ".br999", ".ce999", ".sp+999"])
def test_no_escape_becomes_longer_than_it_is_written(code: str) -> None:
    bomb = f"\\{code}\\" * 1_000
    assert len(unescape(bomb)) <= len(bomb)


def test_layout_of_formatted_text_leaves_the_words_apart() -> None:
    text = r"\.in4\Poumons\.ti-2\clairs\.sp2\.\.ce\Conclusion\.fi\normale\.nf\."
    assert unescape(text).split() == ["Poumons", "clairs", ".", "Conclusion", "normale", "."]
    assert unescape(r"a\.sp3\b\.ce\c") == "a\n\n\nb\nc"


def test_unknown_escapes_stay_and_hexadecimal_and_breaks_are_read() -> None:
    assert unescape(r"a\Zq\b\.br\c\XC3A9\d\E\\T") == "a\\Zq\\b\ncéd\\\\T"


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "no_msh"),
        (b"GET / HTTP/1.1\r\n\r\n", "no_msh"),
        (b"MSH", "delimiters"),
        (b"MSH|^^\\&|a\r", "delimiters"),
        (b"MSHABCDE|x\r", "delimiters"),
        (HEADER.encode() + b"PID|\x00\r", "null_byte"),
        (HEADER.encode() + b"PID" + b"|" * 500 + b"\r", "too_many_fields"),
        (HEADER.encode() + b"PID|1||" + b"~" * 5000 + b"\r", "too_many_parts"),
        (HEADER.encode() + b"PID|1||" + b"a&" * 5000 + b"\r", "too_many_parts"),
        (HEADER.encode() + b"PID|1\r" * 30_000, "too_many_segments"),
        (HEADER.encode() + b"x" * 2_000_000, "message_too_large"),
    ],
)
def test_what_cannot_be_a_message_is_refused_by_its_rule(data: bytes, rule: str) -> None:
    with pytest.raises(Hl7Error) as refused:
        parse(data, Limits(message_bytes=1_000_000))
    assert refused.value.rule == rule


def test_a_million_blank_lines_cost_no_more_than_their_length() -> None:
    assert len(parse(HEADER.encode() + b"\n" * 1_000_000).segments) == 1


def test_the_place_of_an_error_is_told_as_hl7_counts() -> None:
    with pytest.raises(Hl7Error) as refused:
        parse(HEADER.encode() + b"PID|1\rPID|1||a" + b"^" * 3000 + b"\r")
    assert str(refused.value.location) == "PID^2^3"
    assert str(Location("PID", 1, 3, 2, 4)) == "PID^1^3^2^4"


@pytest.mark.dsr("RIS.INS.55", "RIS.INS.56")
def test_other_delimiters_are_those_of_the_header() -> None:
    message = parse(b"MSH#*!%$#A#B#C#D#1##ADT*A28#77#P#2.5\rPID#1##9***X$1.2$ISO*PI\r")
    assert (message.message_type, message.event, message.control_id) == ("ADT", "A28", "77")
    assert read_pid(message).identifiers[0].authority_id == "1.2"


def test_the_event_of_an_old_sender_is_read_in_evn() -> None:
    assert parse(b"MSH|^~\\&|A|B|C|D|1||ADT|1|P|2.3\rEVN|A28|1\r").event == "A28"


@pytest.mark.conformance
@pytest.mark.dsr("RIS.INS.57")
def test_an_identity_is_read_with_both_names_birth_place_and_status(conformance: Path) -> None:
    message = parse((conformance / "hl7v2/pam-fr-synthetic/adt_a28_create_qualified.hl7").read_bytes())
    record = read_pid(message)
    assert record.birth_name is not None
    assert record.used_name is not None
    assert (record.birth_name.family, record.birth_name.given_list) == ("EXEMPLE", "ALIX MARIE-LOU")
    assert record.used_name.family == "MODELE"
    assert (record.birth_date, record.sex, record.birth_place_code) == ("1984-05-12", "F", "38185")
    assert record.statuses == ("VALI",)
    ins = read_ins(record.identifiers)
    assert ins is not None
    assert (ins.matricule, ins.oid, ins.sound) == ("284053818504213", "1.2.250.1.213.1.4.10", True)
    local = record.identifier("PI", "CH-TEST", "990000019")
    assert local is not None
    assert local.value == "100200"
    assert (read_proofs(message).document, read_proofs(message).mode) == ("CN", "INSI")
    assert "284053818504213" not in repr(record) + repr(ins) + repr(message)


OID = "1.2.250.1.213.1.4"


@pytest.mark.parametrize(
    ("identifiers", "matricule"),
    [
        (f"284053818504213^^^ASIP&{OID}.8&ISO^INS-NIR", "284053818504213"),
        (f"284053818504213^^^ASIP-SANTE-INS-NIR&{OID}.8&ISO^INS^^20101207", "284053818504213"),
        (f"~~284053818504213^^^X&{OID}.10&ISO^INS~~", "284053818504213"),
        (f"284053818504213^^^ASIP-SANTE-NIR&{OID}.8&ISO^NH", None),
        (f"284053818504213^^^ASIP-SANTE-INS-C&{OID}.2&ISO^INS-C", None),
        (f'""^^^ASIP-SANTE-INS-NIR&{OID}.10&ISO^INS', None),
        ("100200^^^CH-TEST&990000019&M^PI", None),
    ],
)
@pytest.mark.dsr("RIS.INS.57")
def test_only_a_matricule_ins_is_taken_for_one(identifiers: str, matricule: str | None) -> None:
    found = read_ins(read_pid(parse(pid(f"PID|1||{identifiers}"))).identifiers)
    assert (found.matricule if found else None) == matricule


def test_of_nia_and_nir_the_nir_counts_and_a_wrong_key_is_told() -> None:
    both = f"184053818504213^^^A&{OID}.9&ISO^INS~284053818504299^^^A&{OID}.8&ISO^INS"
    found = read_ins(read_pid(parse(pid(f"PID|1||{both}"))).identifiers)
    assert found is not None
    assert (found.oid, found.sound) == (f"{OID}.8", False)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("EXEMPLE^ALIX^ALIX,MARIE-LOU^^^^L", ("EXEMPLE", "ALIX MARIE-LOU")),
        ("EXEMPLE^ALIX^ALIX MARIE-LOU^^^Mme^^L", ("EXEMPLE", "ALIX MARIE-LOU")),
        ("MODELE^ALIX^^^^^D~EXEMPLE^ALIX^ALIX^^Mme^^L", ("EXEMPLE", "ALIX")),
        ("EXEMPLE&DE^ALIX", ("EXEMPLE", "")),
    ],
)
def test_names_are_read_as_senders_write_them(name: str, expected: tuple[str, str]) -> None:
    found = read_pid(parse(pid(f"PID|1||1||{name}"))).birth_name
    assert found is not None
    assert (found.family, found.given_list) == expected


def test_a_birth_date_with_a_time_is_a_date_and_a_partial_one_is_not() -> None:
    assert read_pid(parse(pid("PID|1||1||X^Y||19840512083000+0100"))).birth_date == "1984-05-12"
    partial = read_pid(parse(pid("PID|1||1||X^Y||198405")))
    assert (partial.birth_date, partial.birth_date_full) == ("198405", False)


def test_an_acknowledgement_swaps_the_sides_and_says_where_and_why() -> None:
    message = parse(pid("PID|1"))
    error = AckError(MessageError.REQUIRED_FIELD, "identifiant local absent", Location("PID", 1, 3))
    answer = parse(build_ack(message, "AE", own_id="N1", at=AT, errors=[error]))
    assert [answer.msh.value(number) for number in (3, 4, 5, 6)] == ["RIS", "LILAS", "GAM", "CH-TEST"]
    assert answer.msh.raw(9) == "ACK^A28^ACK"
    assert answer.msh.raw(12) == "2.5^FRA^2.11"
    assert (answer.msh.value(17), answer.msh.value(18), answer.msh.raw(21)) == ("FRA", "UNICODE UTF-8", "")
    assert answer.require("ERR").raw(2) == "PID^1^3"
    said = read_ack(answer.serialise())
    assert (said.code, said.control_id, said.conditions) == ("AE", "P1", ("101",))


def test_bytes_without_a_header_are_answered_without_a_reference() -> None:
    said = read_ack(unreadable_ack(own_id="N1", at=AT, rule="no_msh"))
    assert (said.code, said.control_id, said.conditions) == ("AR", "", ("199",))


def test_a_forged_header_cannot_write_segments_into_the_answer() -> None:
    message = parse(HEADER.replace("|P1|", r"|P1\X0D\MSA\F\AA|").encode())
    answer = build_ack(message, "AE", own_id="N1", at=AT)
    assert [one.name for one in parse(answer)] == ["MSH", "MSA"]


@pytest.mark.parametrize("data", [b"MSH|^~\\&|A|B|C|D|1||ACK|1|P|2.5\r", HEADER.encode() + b"MSA|OK|1\r"])
def test_what_is_no_acknowledgement_is_refused(data: bytes) -> None:
    with pytest.raises(Hl7Error):
        read_ack(data)


def test_written_values_read_back_whatever_they_hold() -> None:
    fields = {
        3: repeat(cx("A|B", sub("N&M", "1.2.3", "ISO"), "PI"), cx('""', sub("INS", "1.2", "ISO"), "INS")),
        5: repeat(xpn("D'ŒIL^X", "LÉA", "LÉA ZOÉ", "L"), ""),
    }
    message = parse(
        write_message([("MSH", {9: "ADT^A28", 10: "1", 18: "8859/15"}), ("PID", fields)], charset="8859/15")
    )
    record = read_pid(message)
    assert [one.value for one in read_identifiers(message.require("PID"), 3)] == ["A|B", '""']
    assert record.identifiers[0].authority == "N&M"
    assert record.identifiers[1].deletes
    assert record.birth_name is not None
    assert record.birth_name.family == "D'ŒIL^X"


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_any_bytes_are_read_back_exactly_or_refused_and_never_break_the_reader(noise: bytes, pid: bytes) -> None:
    for data in (
        noise,
        HEADER.encode() + noise,
        HEADER.encode() + b"PID|1||" + pid + b"\rMRG|" + noise + b"\rZFD|" + pid,
    ):
        try:
            message = parse(data)
        except Hl7Error:
            continue
        assert message.serialise() == data
        build_ack(message, "AE", own_id="1", at=AT)
        read_proofs(message)
        if message.get("PID") is not None:
            read_ins(read_pid(message).identifiers)


def test_a_warning_says_that_the_message_was_taken_all_the_same() -> None:
    error = AckError(MessageError.APPLICATION, "ins_key", Location("PID", 1, 3), severity="W")
    answer = parse(build_ack(parse(pid("PID|1")), "AA", own_id="N1", at=AT, errors=[error]))
    assert (answer.require("MSA").value(1), answer.require("ERR").value(4)) == ("AA", "W")
