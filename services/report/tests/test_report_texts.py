"""French typography, blocks of text, the datamatrix payload."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from navette_contracts.events import Ins
from navette_documents.errors import InvalidValue
from navette_report.domain.ins_datamatrix import grouped, payload
from navette_report.domain.repertoire import PRINTABLE
from navette_report.domain.typography import blocks, french


@pytest.mark.parametrize(
    ("written", "printed"),
    [
        ("L'aspect est stable ; nodule de 12 mm :", "L’aspect est stable\u202f; nodule de 12\u00a0mm\u00a0:"),
        ('Signe du "halo" ?', "Signe du «\u00a0halo\u00a0»\u202f?"),
        ("à 14:30, rapport 3/5", "à 14:30, rapport 3/5"),
        ("BI-RADS 2!", "BI-RADS 2\u202f!"),
        ("Dr Exemple, n° 4", "Dr\u00a0Exemple, n°\u00a04"),
        ('diamètre 3" et 4 x 5', 'diamètre 3" et 4 x 5'),
    ],
)
def test_french_text_gets_its_spaces_and_quotes(written, printed):
    assert french(written) == printed


@given(st.text(st.sampled_from(sorted(PRINTABLE)), max_size=200))
def test_typography_never_changes_a_word_or_a_figure(text):
    def essence(value: str) -> str:
        for char in (" ", "\u00a0", "\u202f", '"', "«", "»", "'", "’"):
            value = value.replace(char, "")
        return value

    assert essence(french(text)) == essence(text)


def test_lines_become_paragraphs_and_lists():
    text = "Premier.\nSuite.\n\nSecond :\n- un\n- deux\nFin."
    assert blocks(text) == [
        {"kind": "p", "lines": ["Premier.", "Suite."]},
        {"kind": "p", "lines": ["Second\u00a0:"]},
        {"kind": "list", "items": ["un", "deux"]},
        {"kind": "p", "lines": ["Fin."]},
    ]


def specification_example(samples, oid: str):
    return samples.identity(
        ins=Ins(matricule="284053818504213", oid=oid),
        birth_name="EXEMPLE",
        birth_given_names="ALIX MARIE-LOU",
    )


@pytest.mark.dsr("RIS.INS.54")
def test_the_payload_is_the_one_of_the_specification(samples):
    # spec/ins.md §8.3: an OID of 20 characters is full and takes no separator, one of 19 does.
    head = "IS01" + "0" * 22 + "S1284053818504213"
    tail = "S3ALIX MARIE-LOU\x1dS4EXEMPLE\x1dS5FS612-05-1984S738185"
    assert payload(specification_example(samples, "1.2.250.1.213.1.4.10")) == (head + "S21.2.250.1.213.1.4.10" + tail)
    assert payload(specification_example(samples, "1.2.250.1.213.1.4.8")) == (head + "S21.2.250.1.213.1.4.8\x1d" + tail)


def test_a_full_list_of_given_names_is_cut_and_takes_no_separator(samples):
    names = "A" * 60 + " " + "B" * 60
    assert "S3" + names[:100] + "S4EXEMPLE\x1d" in payload(samples.identity(birth_given_names=names))


@pytest.mark.dsr("RIS.INS.37")
def test_an_unqualified_identity_has_no_datamatrix(samples):
    with pytest.raises(InvalidValue, match="unqualified_identity"):
        payload(samples.identity(qualified=False))


def test_a_name_the_datamatrix_cannot_hold_is_refused_without_being_quoted(samples):
    with pytest.raises(InvalidValue, match=r"^datamatrix/S4: format$"):
        payload(samples.identity(birth_name="ÉXEMPLE"))


def test_a_matricule_is_shown_in_groups():
    assert grouped("284053818504213") == "2 84 05 38 185 042 | 13"
