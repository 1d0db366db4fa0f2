"""The INS datamatrix: payload to the byte, refusals, and images read back by software nobody here wrote."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import zxingcpp
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from navette_documents.identifiers.nir import nir_key
from navette_ins.adapters.datamatrix_image import QUIET, png, svg
from navette_ins.domain.datamatrix import HEADER, InsCode, code_of, decode, encode
from navette_ins.domain.errors import Forbidden, RuleBroken
from PIL import Image, ImageDraw

TEST_OID = (
    "IS010000000000000000000000S1284053818504213S21.2.250.1.213.1.4.10S3ALIX MARIE-LOU\x1d"
    "S4EXEMPLE\x1dS5FS612-05-1984S738185"
)
NIR_OID = TEST_OID.replace("1.4.10S3", "1.4.8\x1dS3")
MOMENT = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


def code(**changes: Any) -> InsCode:
    values = {
        "matricule": "284053818504213",
        "oid": "1.2.250.1.213.1.4.10",
        "birth_given_names": "ALIX MARIE-LOU",
        "birth_name": "EXEMPLE",
        "sex": "F",
        "birth_date": "1984-05-12",
        "birth_place_code": "38185",
    }
    return InsCode(**(values | changes))


@pytest.mark.dsr("RIS.INS.54")
@pytest.mark.parametrize(("oid", "payload"), [("1.2.250.1.213.1.4.10", TEST_OID), ("1.2.250.1.213.1.4.8", NIR_OID)])
def test_the_payload_is_that_of_the_specification_to_the_byte(oid: str, payload: str) -> None:
    assert encode(code(oid=oid)) == payload
    assert decode(payload, production=False) == code(oid=oid)


def test_a_place_that_is_not_said_ends_the_payload_with_the_date() -> None:
    payload = encode(code(birth_place_code=None))
    assert payload.endswith("S612-05-1984")
    assert decode(payload, production=False).birth_place_code is None


def test_a_full_block_has_no_separator_and_a_longer_list_is_cut() -> None:
    full, longer = "A" * 100, "A" * 99 + " BERTHE"
    assert f"S3{full}S4" in encode(code(birth_given_names=full))
    assert decode(encode(code(birth_given_names=longer)), production=False).birth_given_names == longer[:100]


_NAMES = st.from_regex(r"[A-Z][A-Z' -]{0,99}", fullmatch=True)


@given(
    names=st.tuples(_NAMES, _NAMES),
    oid=st.sampled_from([f"1.2.250.1.213.1.4.{last}" for last in (8, 9, 10, 11)]),
    number=st.integers(0, 999_999),
    place=st.sampled_from([None, "38185", "2A004", "99350"]),
    day=st.dates(),
)
def test_what_is_written_is_what_is_read(
    names: tuple[str, str], oid: str, number: int, place: str | None, day: Any
) -> None:
    body = f"2840{number % 9 + 1}{place if place and place[0] != '9' else '99350'}{number % 1000:03d}"
    written = code(
        matricule=body + nir_key(body),
        oid=oid,
        birth_name=names[0],
        birth_given_names=names[1],
        birth_place_code=place,
        birth_date=day.isoformat(),
    )
    assert decode(encode(written), production=False) == written


@pytest.mark.parametrize(
    ("payload", "field", "rule"),
    [
        ("", "payload", "not_ins"),
        ("DC04" + TEST_OID, "payload", "not_ins"),
        (TEST_OID.replace("IS01", "IS02"), "payload", "version"),
        (TEST_OID.replace("IS010", "IS011"), "payload", "version"),
        (TEST_OID + "S8X", "payload", "unknown_block"),
        (TEST_OID + "\x1d", "payload", "unknown_block"),
        (TEST_OID + "S738185", "S7", "repeated"),
        (HEADER, "S1", "missing"),
        (TEST_OID.replace("S5F", ""), "S5", "missing"),
        (TEST_OID[:-2], "S7", "truncated"),
        (TEST_OID.replace("S5F", "S5I"), "S5", "format"),
        (TEST_OID.replace("EXEMPLE", "Exémple"), "S4", "format"),
        (TEST_OID.replace("12-05-1984", "1984-05-12"), "S6", "format"),
        (TEST_OID.replace("04213", "04214"), "S1", "key"),
        (TEST_OID.replace("1.4.10", "1.4.13"), "S2", "unknown"),
        # A writer that forgot the separator after a short OID: the next block is eaten, and seen.
        (TEST_OID.replace("1.4.10S3", "1.4.8S3"), "payload", "unknown_block"),
    ],
)
def test_what_is_not_understood_whole_is_refused_whole(payload: str, field: str, rule: str) -> None:
    with pytest.raises(RuleBroken) as refused:
        decode(payload, production=False)
    assert (refused.value.field, refused.value.rule) == (field, rule)


def test_a_code_of_the_test_base_is_refused_in_production() -> None:
    assert decode(NIR_OID, production=True).matricule == "284053818504213"
    with pytest.raises(RuleBroken, match="test-oid-in-production"):
        decode(TEST_OID, production=True)


def test_a_date_no_calendar_knows_is_read_and_said() -> None:
    read = decode(TEST_OID.replace("12-05-1984", "00-00-1984"), production=False)
    assert (read.birth_date, read.birth_date_exists) == ("1984-00-00", False)


def test_a_name_the_code_cannot_hold_is_refused_without_being_quoted() -> None:
    with pytest.raises(RuleBroken, match=r"^S4: format$"):
        encode(code(birth_name="Élan"))


@pytest.mark.dsr("RIS.INS.37")
def test_only_a_qualified_identity_has_a_code(identity: Callable[..., Any]) -> None:
    recovery = {
        "matricule": "284053818504213",
        "oid": "1.2.250.1.213.1.4.8",
        "search_id": "s",
        "at": MOMENT,
        "accepted_by": "user-1",
    }
    check = {"document_kind": "CN", "at": MOMENT, "by": "user-1"}
    for facts in ({}, {"recovery": recovery}, {"check": check}):
        with pytest.raises(Forbidden, match="not_qualified"):
            code_of(identity(**facts))
    assert code_of(identity(recovery=recovery, check=check)).matricule == "284053818504213"


@pytest.mark.parametrize("payload", [TEST_OID, NIR_OID])
def test_another_reader_finds_the_payload_in_the_bitmap(payload: str) -> None:
    image = Image.open(io.BytesIO(png(payload)))
    (found,) = zxingcpp.read_barcodes(image.convert("L"))
    assert found.format == zxingcpp.BarcodeFormat.DataMatrix
    assert bytes(found.bytes) == payload.encode("ascii")
    assert image.getpixel((0, 0)) == 255


def test_another_reader_finds_the_payload_in_the_drawing() -> None:
    drawing = etree.fromstring(svg(TEST_OID))
    box = [int(value) for value in drawing.get("viewBox", "").split()]
    image = Image.new("L", (box[2] * 6, box[3] * 6), 255)
    pen = ImageDraw.Draw(image)
    shape = drawing.find("{*}path")
    assert shape is not None
    for part in str(shape.get("d")).split("M")[1:]:
        x, y = (int(value) for value in part.split("h")[0].split(" "))
        width = int(part.split("h")[1].split("v")[0])
        assert x >= QUIET
        pen.rectangle([x * 6, y * 6, (x + width) * 6 - 1, y * 6 + 5], fill=0)
    (found,) = zxingcpp.read_barcodes(image)
    assert bytes(found.bytes) == TEST_OID.encode("ascii")
    assert "INS à scanner" in "".join(str(text) for text in drawing.itertext())
