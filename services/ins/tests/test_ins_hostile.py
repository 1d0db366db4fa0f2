"""Whatever comes from outside is read or refused with a word, and nothing of it is quoted: no other error exists."""

from __future__ import annotations

import json
import random
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from navette_documents.hl7v2 import Hl7Error, parse
from navette_ins.adapters.import_file import format_of, read_lines
from navette_ins.domain.datamatrix import decode
from navette_ins.domain.errors import RuleBroken
from navette_ins.domain.import_lines import COLUMNS, HeaderRefused
from navette_ins.domain.insi.reply import FaultReply, Result, Unreadable, read_reply
from navette_ins.domain.pam.reading import acceptable_ins, read, traits_of
from navette_ins.domain.pam.senders import Sender, Trust

TODAY = date(2026, 11, 22)
SECRET = "SECRET"
REPLY = b"""<RESULTAT xmlns="http://www.cnamts.fr/INSiResultat"><CR><CodeCR>00</CodeCR></CR><INDIVIDU><INSACTIF><IdIndividu>
<NumIdentifiant>2751263220749</NumIdentifiant><Cle>74</Cle></IdIndividu><OID>1.2.250.1.213.1.4.8</OID></INSACTIF><TIQ>
<NomNaissance>SECRET</NomNaissance><ListePrenom>ZOE</ListePrenom><Sexe>F</Sexe><DateNaissance>1975-12-31</DateNaissance>
<LieuNaissance>63220</LieuNaissance></TIQ></INDIVIDU></RESULTAT>"""
MESSAGE = (
    b"MSH|^~\\&|GAM|CH|RIS|A|20260101||ADT^A28^ADT_A05|1|T|2.5^FRA^2.11|||||FRA|UNICODE UTF-8|FR\r"
    b"PID|1||100200^^^CH&990000019&M^PI~268043818590119^^^A&1.2.250.1.213.1.4.8&ISO^INS||SECRET^ALIX^ALIX^^^^L~U^^^^^^D"
    b"||19840512|F|||1 RUE^^VILLE^^38000^FRA^H~^^^^^FRA^BDL^^38185||||||||||||||||||||||VALI\r"
    b"ZFD||||N|INSI|20260302|CN|20310101\r"
)
CODE = "IS010000000000000000000000S1284053818504213S21.2.250.1.213.1.4.10S3ALIX\x1dS4SECRET\x1dS5FS612-05-1984S738185"
LINE = "IPP1;SECRET;ANNE;1968-03-04;F;38185"
HEADER = "local_id;birth_name;first_birth_given_name;birth_date;sex;birth_place_code"
SENDER = Sender(name="gam", application="GAM", facility="CH", site_id="lilas", authority="CH", trust=Trust.OWN_DOMAIN)
slow_machine = settings(
    deadline=None, derandomize=True, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def broken(sound: bytes, seed: int) -> bytes:
    """The same with some bytes changed, cut out, doubled or put elsewhere."""
    chance, data = random.Random(seed), bytearray(sound)
    for _ in range(chance.randrange(1, 15)):
        at = chance.randrange(len(data))
        act = chance.randrange(4)
        if act == 0:
            data[at] = chance.randrange(256)
        elif act == 1:
            del data[at : at + chance.randrange(1, 9)]
        elif act == 2:
            data[at:at] = data[at : at + chance.randrange(1, 40)]
        else:
            data[at:at] = bytes(chance.randrange(256) for _ in range(chance.randrange(1, 5)))
        data = data or bytearray(b"x")
    return bytes(data)


@slow_machine
@given(st.integers(0, 10**9))
def test_a_reply_of_insi_is_an_answer_a_fault_or_unreadable(seed: int) -> None:
    answer = read_reply(broken(REPLY, seed))
    assert isinstance(answer, Result | FaultReply | Unreadable)
    assert SECRET not in repr(answer)


@pytest.mark.parametrize(
    "hostile",
    [
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        b'<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;">]><a>&y;</a>',
        b'<?xml version="1.0"?><!DOCTYPE a SYSTEM "http://127.0.0.1:1/x.dtd"><a/>',
        b"<a>" * 100_000,
        b"<a " + b" ".join(b'b%d="1"' % number for number in range(5000)) + b"/>",
        b"\xff\xfe<\x00a\x00/\x00>\x00",
        b"<a>" + b"x" * 2_000_000 + b"</a>",
        b"",
    ],
)
def test_a_reply_that_attacks_the_reader_is_no_answer(hostile: bytes) -> None:
    assert isinstance(read_reply(hostile), Unreadable)


@slow_machine
@given(st.integers(0, 10**9))
def test_a_message_is_read_or_refused_with_its_place(seed: int) -> None:
    said = ""
    try:
        reading = read(parse(broken(MESSAGE, seed)), SENDER)
        acceptable_ins(reading, production=True)
        traits_of(reading, None, SENDER, today=TODAY)
    except Hl7Error as error:
        said = f"{error} {error.rule} {error.location}"
    assert SECRET not in said
    assert "268043818590119" not in said


@slow_machine
@given(
    st.one_of(
        st.text(max_size=400), st.integers(0, 10**9).map(lambda one: broken(CODE.encode(), one).decode("latin-1"))
    )
)
def test_a_scanned_code_is_read_or_refused_by_its_field(payload: str) -> None:
    said = ""
    try:
        decode(payload, production=False)
    except RuleBroken as refused:
        said = str(refused)
    assert SECRET not in said


@slow_machine
@given(st.integers(0, 10**9))
def test_a_file_to_import_is_read_to_its_end_whatever_its_lines_hold(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "base.csv"
    lines = b"\n".join(broken(LINE.encode(), seed + number).replace(b"\n", b"") for number in range(5))
    path.write_bytes(HEADER.encode() + b"\n" + lines + b"\n" + LINE.encode() + b"\n")
    form = format_of(path)
    assert form is not None
    read_back = list(read_lines(path, form, after=0, today=TODAY))
    assert read_back[-1].traits is not None, "the sound line at the end is read"
    assert SECRET not in repr([one.broken for one in read_back])


@pytest.mark.parametrize(
    "line",
    [
        b"[]",
        b"{",
        b"null",
        b'{"birth_name": {"$gt": ""}}',
        b'{"local_id": "\\ud800", "birth_name": "A"}',
        b"[" * 100_000,
        b'{"birth_name": ' + b"9" * 5000 + b"}",
        b"\xff\xfe\x00",
        json.dumps(dict.fromkeys(COLUMNS, 1)).encode(),
        json.dumps({name: ["x"] for name in COLUMNS}).encode(),
        json.dumps(dict.fromkeys(COLUMNS, "\x00")).encode(),
    ],
)
def test_a_line_of_json_that_is_no_person_is_rejected_and_the_next_one_read(tmp_path: Path, line: bytes) -> None:
    sound: dict[str, Any] = dict(zip(HEADER.split(";"), LINE.split(";"), strict=True))
    path = tmp_path / "base.jsonl"
    path.write_bytes(line + b"\n" + json.dumps(sound).encode() + b"\n")
    first, second = read_lines(path, "jsonl", after=0, today=TODAY)
    assert first.broken
    assert not second.broken


@pytest.mark.parametrize("header", [b"", b"\x00", b"a;b", b"\xff\xfe", HEADER.encode() + b";" + HEADER.encode()])
def test_a_file_with_another_header_is_refused_whole(tmp_path: Path, header: bytes) -> None:
    path = tmp_path / "base.csv"
    path.write_bytes(header + b"\n" + LINE.encode() + b"\n")
    with pytest.raises(HeaderRefused):
        list(read_lines(path, "csv", after=0, today=TODAY))
