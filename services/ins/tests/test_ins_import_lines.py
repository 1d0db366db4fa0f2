"""Lines of a file to import: what is read, every rule that is broken, and never a value in what is told."""

from __future__ import annotations

import csv
import io
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from navette_ins.adapters.import_file import fingerprint, format_of, read_lines
from navette_ins.domain.import_lines import COLUMNS, MAX_LINE, HeaderRefused, Line, differences

TODAY = date(2026, 11, 22)
HEADER = "local_id;birth_name;first_birth_given_name;birth_given_names;birth_date;sex;birth_place_code;used_name"
GOOD = "IPP-1;DUVAL-FICTIF;CAMILLE;CAMILLE ROSE;1968-04-17;F;38185;"


def read(tmp_path: Path, *lines: str | bytes, name: str = "base.csv", after: int = 0) -> list[Line]:
    path = tmp_path / name
    path.write_bytes(b"\n".join(one if isinstance(one, bytes) else one.encode() for one in lines))
    form = format_of(path)
    assert form is not None
    return list(read_lines(path, form, after=after, today=TODAY))


def broken(line: Line) -> list[tuple[str, str]]:
    return [(one.field, one.rule) for one in line.broken]


@pytest.mark.parametrize("separator", [";", ","])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_line_of_csv_is_read_as_on_the_document(tmp_path: Path, separator: str, mark: str) -> None:
    (line,) = read(tmp_path, (mark + HEADER).replace(";", separator), GOOD.replace(";", separator))
    assert (line.number, line.broken) == (2, ())
    assert line.traits is not None
    assert (line.traits.local_id, line.traits.birth_given_names) == ("IPP-1", "CAMILLE ROSE")
    assert line.traits.used_name is None


def test_a_line_of_json_is_read_and_blank_lines_do_not_count(tmp_path: Path) -> None:
    person = {"local_id": "9", "birth_name": "ÉTÉ", "first_birth_given_name": "Zoé", "birth_date": "1968-01-01"}
    person |= {"sex": "F", "birth_place_code": "38185", "birth_date_on_document": "1968-00-01"}
    whole = json.dumps(person | {"birth_date_completed": True})
    lines = read(tmp_path, whole, "", whole.replace('"9"', '"10"'), name="base.jsonl")
    assert [(one.number, one.broken) for one in lines] == [(1, ()), (3, ())]
    assert lines[0].traits is not None
    assert lines[0].traits.birth_given_names == "Zoé"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (GOOD + ";more", [("line", "columns")]),
        ('IPP-1;"DUVAL', [("line", "csv")]),
        (GOOD.replace("DUVAL-FICTIF", ""), [("birth_name", "missing_column")]),
        (GOOD.replace("IPP-1", ""), [("local_id", "missing_column")]),
        (GOOD.replace(";F;", ";X;"), [("sex", "format")]),
        (GOOD.replace("04-17", "02-30"), [("birth_date", "impossible")]),
        (
            GOOD.replace("38185", "3818").replace("04-17", "13-01"),
            [("birth_date", "impossible"), ("birth_place_code", "cog")],
        ),
        (GOOD.replace("DUVAL", "DUV4L"), [("birth_name", "character")]),
        (GOOD.encode().replace(b"DUVAL", b"D\xe9VAL"), [("birth_name", "character")]),
        ("x" * (MAX_LINE + 50), [("line", "too_long")]),
    ],
)
def test_a_bad_line_names_its_fields_and_rules_and_the_next_one_is_read(
    tmp_path: Path, line: str | bytes, said: list[tuple[str, str]]
) -> None:
    bad, good = read(tmp_path, HEADER, line, GOOD)
    assert (bad.number, broken(bad)) == (2, said)
    assert (good.number, good.broken) == (3, ())
    assert "DUV" not in repr(bad) + str(bad.broken)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", ("line", "json")),
        ("[]", ("line", "json")),
        ("[" * 5000, ("line", "json")),
        ('{"matricule": "1"}', ("line", "unknown_field")),
        ('{"local_id": 7}', ("birth_name", "missing_column")),
        (
            json.dumps(dict.fromkeys(COLUMNS[:6], "X") | {"birth_date_completed": "peut-être"}),
            ("birth_date_completed", "format"),
        ),
        (json.dumps(dict.fromkeys(COLUMNS[:6], "X") | {"sex": "F", "local_id": 7}), ("local_id", "format")),
    ],
)
def test_a_bad_line_of_json_is_named(tmp_path: Path, line: str, said: tuple[str, str]) -> None:
    (bad,) = read(tmp_path, line, name="base.jsonl")
    assert broken(bad) == [said]


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        ("local_id;birth_name", "manquante"),
        (HEADER + ";birth_name", "répétée"),
        (HEADER + ";matricule", "position 9"),
        ("DUVAL-FICTIF;CAMILLE", "position 1, 2"),
        ("", "position 1"),
    ],
)
def test_a_header_that_is_not_documented_stops_the_import_before_it_begins(
    tmp_path: Path, header: str, sentence: str
) -> None:
    with pytest.raises(HeaderRefused, match=sentence) as refused:
        read(tmp_path, header, GOOD)
    assert "DUVAL" not in str(refused.value)


def test_reading_goes_on_after_a_line(tmp_path: Path) -> None:
    lines = read(tmp_path, HEADER, *(GOOD.replace("IPP-1", f"IPP-{number}") for number in range(5)), after=4)
    assert [line.number for line in lines] == [5, 6]


def test_the_same_content_for_the_same_site_is_the_same_import(tmp_path: Path) -> None:
    one, two = tmp_path / "a.csv", tmp_path / "b.csv"
    one.write_text("x")
    two.write_text("x")
    assert fingerprint(one, "lilas") == fingerprint(two, "lilas") != fingerprint(one, "rives")
    two.write_text("y")
    assert fingerprint(one, "lilas") != fingerprint(two, "lilas")
    assert (format_of(one), format_of(tmp_path / "a.ndjson"), format_of(tmp_path / "a.xls")) == ("csv", "jsonl", None)


def test_only_what_the_line_says_can_differ_from_the_record(traits: Any) -> None:
    known = traits(used_name="MARTIN", birth_place_code="38185")
    assert differences(known, traits(birth_name="Duval Fictif")) == ()
    assert differences(known, traits(birth_date="1968-04-18", sex="M")) == ("birth_date", "sex")
    assert differences(traits(), traits(used_name="MARTIN")) == ("used_name",)


def test_quotes_may_hold_a_separator(tmp_path: Path) -> None:
    text = io.StringIO()
    csv.writer(text, delimiter=",").writerow([*GOOD.split(";")[:7], "D'ÉTÉ, LE"])
    (line,) = read(tmp_path, HEADER.replace(";", ","), text.getvalue().strip())
    assert broken(line) == [("used_name", "character")]
