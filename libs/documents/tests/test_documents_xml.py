"""XML from outside: each attack is refused by name, before it costs anything."""

import pytest
from navette_documents import xml
from navette_documents.xml import XmlRefused, parse_xml


def refused(data: bytes, **limits: int) -> str:
    with pytest.raises(XmlRefused) as refusal:
        parse_xml(data, **limits)
    return refusal.value.rule


def test_a_plain_document_is_read() -> None:
    assert parse_xml("<a>é</a>".encode()).text == "é"


def test_a_document_type_is_refused_even_an_empty_one() -> None:
    assert refused(b"<!DOCTYPE a><a/>") == "dtd"


def test_entity_expansion_is_refused_before_it_expands() -> None:
    lines = [b'<!ENTITY e0 "ha">']
    lines += [b'<!ENTITY e%d "%s">' % (i, b"&e%d;" % (i - 1) * 10) for i in range(1, 12)]
    assert refused(b"<!DOCTYPE a [" + b"".join(lines) + b"]><a>&e11;</a>") == "dtd"


def test_an_external_entity_is_refused() -> None:
    assert refused(b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><a>&x;</a>') == "dtd"


def test_a_remote_dtd_is_refused_without_a_request() -> None:
    assert refused(b'<!DOCTYPE a SYSTEM "http://192.0.2.1/a.dtd"><a/>') == "dtd"


def test_a_dtd_hidden_in_another_encoding_is_refused() -> None:
    assert refused('<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE a><a/>'.encode("utf-16")) == "dtd"


def test_an_undeclared_entity_is_refused() -> None:
    assert refused(b"<a>&unknown;</a>") == "syntax"


def test_a_document_over_the_size_is_refused() -> None:
    assert refused(b"<a>" + b"x" * 100 + b"</a>", max_bytes=100) == "size"


def test_a_document_too_deep_is_refused() -> None:
    assert parse_xml(b"<a>" * 10 + b"</a>" * 10, max_depth=10) is not None
    assert refused(b"<a>" * 11 + b"</a>" * 11, max_depth=10) == "depth"
    assert refused(b"<a>" * 100_000) == "depth"


@pytest.mark.parametrize("data", [b"", b"  \n"])
def test_nothing_is_refused_as_empty(data: bytes) -> None:
    assert refused(data) == "empty"


def test_a_refusal_never_quotes_the_document() -> None:
    with pytest.raises(XmlRefused) as refusal:
        parse_xml(b"<name>DUPONT</nom>")
    assert "DUPONT" not in str(refusal.value)
    assert refusal.value.__cause__ is None


def test_a_large_pdf_in_base64_is_no_attack() -> None:
    text = b"QUJD" * 3_000_000
    assert parse_xml(b"<a>" + text + b"</a>").text == text.decode()


@pytest.mark.parametrize("many", [b"<a/>", b"<!---->", b"<?p?>", b"<a b='c'/>"])
def test_a_document_of_very_many_nodes_is_refused_before_a_tree_is_built(
    many: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert parse_xml(b"<d>" + many * 400 + b"</d>", max_nodes=1_000).tag == "d"
    monkeypatch.setattr(xml.etree, "fromstring", lambda *_: pytest.fail("the tree was built"))
    with pytest.raises(XmlRefused, match="nodes"):
        parse_xml(b"<d>" + many * 1_001 + b"</d>", max_nodes=1_000)
