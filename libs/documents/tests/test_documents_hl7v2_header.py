"""The header of a message whose rest cannot be taken apart, and what of it operators may see."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from navette_documents.hl7v2 import header_of, word_of


def test_the_header_is_read_however_broken_the_rest_is() -> None:
    data = b"\r\n MSH|^~\\&|RIS|CH|||1||ORU^R01|N1|P|2.5\rOBX|" + b"^" * 100_000 + b"\x00"
    header = header_of(data)
    assert header is not None
    assert (header.control_id, header.message_type, header.event) == ("N1", "ORU", "R01")


@given(st.binary(max_size=300))
def test_no_bytes_break_it(data: bytes) -> None:
    header_of(data)


@pytest.mark.parametrize("data", [b"", b"PID|1", b"MSH", b"MSH|||"])
def test_without_a_header_there_is_none(data: bytes) -> None:
    assert header_of(data) is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("RIS-A 1.2/x", "RIS-A 1.2/x"),
        ("", ""),
        ("284053818504213", "?"),
        ("Élise", "?"),
        ("a" * 65, "?"),
        ("\x1b[2J", "?"),
    ],
)
def test_only_plain_words_are_shown(text: str, shown: str) -> None:
    assert word_of(text) == shown
