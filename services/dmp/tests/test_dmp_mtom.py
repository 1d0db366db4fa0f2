"""multipart/related out and in: bytes survive, and every form of answer is read."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from navette_dmp.domain.mtom import MtomError, Part, inline, pack, unpack
from navette_dmp.domain.names import XOP

ROOT = b'<?xml version="1.0"?><r/>'


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=3))
def test_documents_travel_byte_for_byte(contents: list[bytes]) -> None:
    parts = [Part(f"doc{i}@x", "text/xml", data) for i, data in enumerate(contents)]
    content_type, body = pack(ROOT, parts, action="urn:a", boundary="MIMEBoundary_7f3e")
    root, found = unpack(content_type, body)
    assert root == ROOT
    assert [found[part.content_id] for part in parts] == contents


@pytest.mark.parametrize("data", [b"\r\n", b"\n", b"a\r\n--", b"\r\n\r\n", b"--MIMEBoundary", b"\x00\xff" * 9])
def test_line_ends_and_near_boundaries_survive(data: bytes) -> None:
    content_type, body = pack(ROOT, [Part("d@x", "text/xml", data)], action="urn:a", boundary="MIMEBoundary_7f")
    assert unpack(content_type, body)[1]["d@x"] == data


def test_the_headers_are_those_of_mtom() -> None:
    content_type, body = pack(ROOT, [Part("d@x", "text/xml", b"<a/>")], action="urn:act", boundary="B1")
    assert content_type == (
        'multipart/related; boundary="B1"; type="application/xop+xml"; start="<root@navette>"; '
        'start-info="application/soap+xml"; action="urn:act"'
    )
    assert body.startswith(
        b'--B1\r\nContent-Type: application/xop+xml; charset=UTF-8; type="application/soap+xml"\r\n'
        b"Content-Transfer-Encoding: binary\r\nContent-ID: <root@navette>\r\n\r\n<?xml"
    )
    assert body.endswith(b"\r\n--B1--\r\n")


def test_a_boundary_found_in_a_document_is_refused() -> None:
    with pytest.raises(MtomError, match="boundary"):
        pack(ROOT, [Part("d@x", "text/xml", b"..B1..")], action="urn:a", boundary="B1")


def test_a_reference_is_percent_encoded_where_needed() -> None:
    assert Part("a b:c@x", "text/xml", b"").href == "cid:a%20b%3Ac@x"


def answer(*parts: tuple[str, bytes], boundary: str = '"b:1"', start: str | None = "<root@repo>") -> tuple[str, bytes]:
    bare = boundary.strip('"').encode()
    body = b"".join(b"--" + bare + b"\r\n" + h.encode() + b"\r\n\r\n" + d + b"\r\n" for h, d in parts)
    content_type = f"multipart/related; boundary={boundary}"
    if start is not None:
        content_type += f'; type="application/xop+xml"; start="{start}"'
    return content_type, body + b"--" + bare + b"--\r\n"


ROOT_PART = ("Content-Type: application/xop+xml\r\nContent-ID: <root@repo>", ROOT)
DOC_PART = ("Content-Type: text/xml\r\nContent-ID: <0b1c-1@urn:ihe:iti:xds-b:2007>", b"<cda/>")


def test_the_root_may_come_last() -> None:
    assert unpack(*answer(DOC_PART, ROOT_PART))[0] == ROOT


def test_without_start_the_first_part_is_the_root() -> None:
    assert unpack(*answer(ROOT_PART, DOC_PART, start=None))[0] == ROOT


@pytest.mark.parametrize("boundary", ['"uuid:resp-0001"', "uuid_resp-0001"])
def test_boundaries_come_quoted_or_bare(boundary: str) -> None:
    assert unpack(*answer(ROOT_PART, boundary=boundary))[0] == ROOT


def test_a_part_in_base64_is_decoded() -> None:
    encoded = ("Content-ID: <root@repo>\r\nContent-Transfer-Encoding: base64", base64.encodebytes(ROOT))
    assert unpack(*answer(encoded))[0] == ROOT


def test_a_percent_encoded_reference_finds_its_part() -> None:
    document = etree.fromstring(
        f'<d xmlns:xop="{XOP}"><xop:Include href="cid:0b1c-1@urn%3Aihe%3Aiti%3Axds-b%3A2007"/></d>'
    )
    _, parts = unpack(*answer(ROOT_PART, DOC_PART))
    inline(document, parts)
    assert base64.b64decode(document.text or "") == b"<cda/>"


def test_a_reference_to_nothing_is_refused() -> None:
    document = etree.fromstring(f'<d xmlns:xop="{XOP}"><xop:Include href="cid:ghost"/></d>')
    with pytest.raises(MtomError, match="missing attachment"):
        inline(document, {})


def test_a_start_that_names_no_part_is_refused() -> None:
    with pytest.raises(MtomError, match="no root part"):
        unpack(*answer(DOC_PART))


@pytest.mark.parametrize("content_type", ["multipart/related", 'multipart/related; boundary="zz"'])
def test_a_multipart_without_parts_is_refused(content_type: str) -> None:
    with pytest.raises(MtomError):
        unpack(content_type, b"nothing here")


def test_a_plain_body_is_its_own_root() -> None:
    assert unpack("application/soap+xml; charset=UTF-8", ROOT) == (ROOT, {})
