"""Our own presentation of a received CDA: every word of it, and nothing it could do."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from lxml import etree, html
from navette_report.adapters.workshop import Workshop
from navette_report.domain.received.narrative import read_body

_NS = {"h": "urn:hl7-org:v3"}
_ALLOWED = {
    *("div", "p", "span", "small", "table", "thead", "tbody", "tfoot", "tr", "th", "td", "caption", "col", "colgroup"),
    *("ul", "ol", "li", "br", "sub", "sup", "a", "img"),
}


@pytest.fixture(scope="module")
def workshop() -> Workshop:
    return Workshop(notice="Mention d'information.", production=False)


def n3(narrative: str, entries: str = "") -> bytes:
    return (
        '<ClinicalDocument xmlns="urn:hl7-org:v3"><component><structuredBody><component><section><title>Résultats'
        f"</title><text>{narrative}</text>{entries}</section></component></structuredBody></component>"
        "</ClinicalDocument>"
    ).encode()


def shown(cda: bytes) -> str:
    return "".join(one.html for one in read_body(cda, parts="parts").sections)


def words(text: str) -> list[str]:
    return text.split()


def words_of_narratives(cda: bytes) -> list[str]:
    """What every title and every narrative block says, in document order."""
    root = etree.fromstring(cda)
    blocks = root.xpath("//h:section/h:title | //h:section/h:text", namespaces=_NS)
    return [word for block in blocks for word in words("".join(block.itertext("*")))]


def words_of_page(cda: bytes) -> list[str]:
    said: list[str] = []
    for section in read_body(cda, parts="parts").sections:
        body = html.fromstring(section.html or "<div></div>")
        for link in body.xpath("//a[starts-with(@href, 'parts/')]"):
            link.text = ""  # ours, not the document's
        said += words(section.title) + words("".join(body.itertext()))
    return said


@pytest.mark.dsr("CDA/INT.16", "CDA/VISU.01")
def test_every_word_of_every_narrative_is_shown(gallery: Any, workshop: Any) -> None:
    for name, model in gallery.varied("N3").items():
        cda = workshop.make(model).cda
        assert words_of_page(cda) == words_of_narratives(cda), name


@pytest.mark.conformance
@pytest.mark.dsr("CDA/VISU.01")
def test_the_published_structured_example_is_shown_whole(samples: Any) -> None:
    path: Path = samples.conformance / "cda" / "exemples" / "IMG_CR_IMG_2024.01.xml"
    if not path.is_file():
        pytest.skip("NAVETTE_CONFORMANCE_DIR names no conformance data")
    cda = path.read_bytes()
    assert words_of_page(cda) == words_of_narratives(cda)
    assert len(words_of_page(cda)) > 300


def test_lists_tables_and_styles_look_like_what_they_are() -> None:
    made = shown(
        n3(
            '<list listType="ordered"><caption>Lésions</caption><item>une</item></list>'
            '<table><tbody><tr><td colspan="2"><content styleCode="Bold">gras</content><br/>suite</td></tr></tbody>'
            "</table>"
        )
    )
    assert '<p class="caption">Lésions</p><ol><li>une</li></ol>' in made
    assert '<td colspan="2"><span class="bold">gras</span><br>suite</td>' in made


@pytest.mark.parametrize(
    "narrative",
    [
        "<script>alert(1)</script>",
        '<paragraph onclick="alert(1)" style="position:fixed">texte</paragraph>',
        '<linkHtml href="javascript:alert(1)">texte</linkHtml>',
        '<linkHtml href=" JAVASCRIPT:alert(1)">texte</linkHtml>',
        '<linkHtml href="data:text/html,x">texte</linkHtml>',
        '<x:iframe xmlns:x="http://www.w3.org/1999/xhtml" src="https://ailleurs.example">texte</x:iframe>',
        '<content styleCode="Bold&quot;onload=alert(1)">texte</content>',
        '<td colspan="2&quot; onclick=&quot;alert(1)">texte</td>',
        "&lt;img src=x onerror=alert(1)&gt;",
        "<br>mot</br>",
        "avant<!-- rien -->après<?rien ?>fin",
    ],
)
def test_nothing_of_a_hostile_narrative_can_act_and_none_of_its_words_is_lost(narrative: str) -> None:
    cda = n3(narrative)
    assert words_of_page(cda) == words_of_narratives(cda)
    for element in html.fromstring(shown(cda)).iter():
        assert element.tag in _ALLOWED
        assert set(element.attrib) <= {"class", "colspan", "rowspan", "href", "rel", "src", "alt"}
        assert element.get("href", "https://").startswith(("https://", "http://"))
        assert element.get("class", "bold") in ("bold", "media", "caption")


def test_a_picture_is_shown_and_what_only_says_it_is_one_is_offered_as_a_file() -> None:
    png = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"0" * 20).decode()
    page = base64.b64encode(b"<html><script>alert(1)</script></html>").decode()
    media = '<entry><observationMedia ID="{}"><value mediaType="image/png" representation="B64">{}</value></observationMedia></entry>'  # noqa: E501
    made = shown(n3('<renderMultiMedia referencedObject="A B C"/>', media.format("A", png) + media.format("B", page)))
    assert made.count("<img") == 1
    assert f'src="data:image/png;base64,{png}"' in made
    assert '<a href="parts/1">Ouvrir la pièce jointe</a>' in made


@pytest.mark.parametrize(
    ("text", "said", "attached"),
    [
        ('<text mediaType="text/plain">Compte rendu &lt;b&gt;simple&lt;/b&gt;</text>', "Compte rendu <b>simple</b>", 0),
        ('<text mediaType="text/plain" representation="B64">w6l0w6k=</text>', "été", 0),
        ('<text mediaType="application/pdf" representation="B64">JVBERi0xLjQ=</text>', "", 1),
        ('<text mediaType="application/pdf" representation="B64">%%%</text>', "", 1),
    ],
)
def test_a_level_1_body_is_text_or_a_file(text: str, said: str, attached: int) -> None:
    body = f"<component><nonXMLBody>{text}</nonXMLBody></component>"
    cda = f'<ClinicalDocument xmlns="urn:hl7-org:v3">{body}</ClinicalDocument>'
    reading = read_body(cda.encode(), parts="parts")
    assert (reading.text, len(reading.attachments)) == (said, attached)
