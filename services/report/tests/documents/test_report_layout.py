"""Everything a long report holds is on its pages, inside their margins."""

from __future__ import annotations

import io

import pytest
from navette_report.adapters.pdf import PdfCompiler
from pypdf import PdfReader

FOOT = 60
"""Points from the lower edge of a page to the rule above the notice, rounded down."""


@pytest.fixture(scope="module")
def compiler():
    return PdfCompiler(notice="Mention d'information.")


def lines(pdf):
    """Lines of all pages, as (distance from the lower edge in points, text); runs of one line are joined."""
    found = []
    for page in PdfReader(io.BytesIO(pdf)).pages:
        rows: dict[float, str] = {}

        def note(text, matrix, place, font, size, rows=rows):
            if text.strip():
                # typst draws from the upper edge down: its own matrix turns that round.
                height = round(matrix[5] + matrix[3] * place[5], 1)
                rows[height] = rows.get(height, "") + text

        page.extract_text(visitor_text=note)
        found += rows.items()
    return found


@pytest.mark.dsr("RIS.DOC.04")
def test_a_list_of_recipients_longer_than_a_page_goes_on_on_the_next(gallery, compiler):
    people = [
        gallery.samples.requester(
            recipient_id=f"corr-{n}",
            role="copy",
            rpps=gallery.rpps(100 + n),
            family_name=f"EXEMPLE-{n:02d} " + "DE LA TRES LONGUE MAISON " * 4,
            organization="Hôpital fictif du très long nom " * 5,
        )
        for n in range(20)
    ]
    printed = lines(compiler.compose(gallery.document("N1", correspondents=people)))
    for n in range(20):
        heights = [height for height, text in printed if f"EXEMPLE-{n:02d}" in text]
        assert heights, n
        assert min(heights) > FOOT, n


def test_a_word_longer_than_a_line_is_printed_to_its_end(gallery, compiler):
    word = "ACGT" * 100
    printed = lines(compiler.compose(gallery.document("N1", findings=word, title=word[:200])))
    rows = [text for _, text in printed if "ACGTACGT" in text]
    assert "".join(rows).count("ACGT") >= 150
    assert max(len(text) for text in rows) < 120
