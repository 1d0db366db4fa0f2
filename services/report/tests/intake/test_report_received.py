"""Documents of others: relayed from a mail or brought by a person, filed with the right patient or kept."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Any

import pytest
from navette_chassis import UnitOfWork
from navette_chassis.testing import until
from navette_contracts.events import AccessRecorded, Ins
from navette_report.adapters.received_documents import DOCUMENTS
from navette_report.adapters.workshop import Workshop

TROIS = {
    "birth_name": "PAT-TROIS",
    "first_birth_given_name": "DOMINIQUE",
    "birth_given_names": "DOMINIQUE",
    "birth_date": "1979-03-28",
    "birth_place_code": "63220",
    "local_id": None,
    "ins": Ins(matricule="279035121518989", oid="1.2.250.1.213.1.4.10"),
}
"""The person of the documents that the reference messages carry."""
SITE, OTHER_SITE, FOREIGN_SITE = "site-nord", "site-sud", "site-ailleurs"
STYLE = """<xsl:stylesheet xmlns:xsl="http://www.w3.org/1999/XSL/Transform" version="1.0" xmlns:h="urn:hl7-org:v3">
<xsl:output method="html" encoding="ISO-8859-1"/>
<xsl:template match="/"><html><body><h1>À la façon de l'émetteur</h1><xsl:value-of select="h:ClinicalDocument/h:title"/>
</body></html></xsl:template></xsl:stylesheet>"""


@pytest.fixture(scope="session")
def made(samples: Any) -> Callable[..., bytes]:
    """A CDA about the person of `samples`, as a correspondent could have written it."""
    original = Workshop(notice="Mention.", production=False).make(samples.document()).cda.decode()

    def make(unique_id: str, *, replaces: str = "", changes: dict[str, str] | None = None) -> bytes:
        text = re.sub(r'<id root="[^"]*"', f'<id root="{unique_id}"', original, count=1)
        if replaces:
            related = f'<relatedDocument typeCode="RPLC"><parentDocument><id root="{replaces}"/></parentDocument></relatedDocument>'  # noqa: E501
            text = text.replace("<componentOf>", f"{related}<componentOf>", 1)
        for old, new in (changes or {}).items():
            assert old in text
            text = text.replace(old, new)
        return text.encode()

    return make


def b64(data: bytes | str) -> str:
    return base64.b64encode(data if isinstance(data, bytes) else data.encode()).decode()


async def person(links: Any, samples: Any, **changes: Any) -> str:
    """The qualified patient of `samples`."""
    identity = samples.identity()
    return str(await links.identify(**({"local_id": "IPP000123", "ins": identity.ins} | changes)))


async def bring(links: Any, cda: bytes, patient_id: str | None, **more: Any) -> Any:
    body = {"site_id": SITE, "patient_id": patient_id, "cda": b64(cda)} | more
    async with links.caller("secretary") as http:
        return await http.post("/received-documents", json=body)


async def from_service(links: Any, name: str, path: str, body: dict[str, Any]) -> Any:
    async with links.caller(kind="service", sub=name, sites=[]) as http:
        return await http.post(path, json=body)


async def file_of(links: Any, patient_id: str, **query: str) -> list[dict[str, Any]]:
    found = await links.ask("GET", "/received-documents", params={"patient_id": patient_id} | query)
    return list(found["documents"])


@pytest.fixture
def accesses(monkeypatch: pytest.MonkeyPatch) -> list[AccessRecorded]:
    """Every line of the audit stream, as it is promised."""
    seen: list[AccessRecorded] = []
    original = UnitOfWork.emit

    async def emit(self: Any, event: Any, **more: Any) -> None:
        if isinstance(event, AccessRecorded):
            seen.append(event)
        await original(self, event, **more)

    monkeypatch.setattr(UnitOfWork, "emit", emit)
    return seen


async def page(links: Any, path: str, **claims: Any) -> Any:
    async with links.caller("secretary", **claims) as http:
        return await http.get(path)


async def act(links: Any, path: str, **fields: str) -> Any:
    async with links.caller("secretary") as http:
        return await http.post(path, data=fields)


@pytest.mark.dsr("CDA/INT.08", "CDA/INT.15", "MSS/UX.07")
async def test_a_document_relayed_from_a_mail_is_filed_with_its_qualified_patient(links: Any, reference: Any) -> None:
    patient_id = await links.identify(**TROIS)
    row = await links.take(reference("lps-mss-1.1/mdm_t02_init_full"), "filed")
    assert row["reason"] is None
    (document,) = await file_of(links, patient_id)
    assert (document["origin_label"], document["standing_label"]) == ("MSSanté", "Classé")
    assert document["type_code"] == "18748-4"
    assert document["hidden_from"] == ["hidden_from_patient", "hidden_from_representatives"]
    opened = await page(links, f"/pages/received/{document['document_id']}")
    assert "Son auteur ne le montre pas au patient" in opened.text
    async with links.caller("radiologist") as http:
        kept = await http.get(f"/received-documents/{document['document_id']}/cda")
    assert b"<ClinicalDocument" in kept.content
    assert document["size"] == len(kept.content)
    assert await links.reports() == []
    again = await links.take(reference("lps-mss-1.1/mdm_t02_init_full", MSH_10="016"), "duplicate")
    assert again["reason"] is None
    assert len(await file_of(links, patient_id)) == 1


@pytest.mark.dsr("MSS/UX.09", "RIS.INS.46", "RIS.INS.47")
async def test_a_document_of_somebody_not_qualified_here_waits_and_files_itself_later(
    links: Any, reference: Any
) -> None:
    await links.take(reference("lps-mss-1.1/mdm_t02_init_full"), "filed")
    (waiting,) = (await links.ask("GET", "/received-documents/to-file"))["documents"]
    assert (waiting["reason"], waiting["who_must_act"]) == ("patient_unknown", "secretary")
    listed = await page(links, "/pages/received")
    assert "1</strong> document de correspondants attend une personne" in listed.text
    patient_id = await links.identify(**(TROIS | {"ins": None}))
    assert await file_of(links, patient_id) == []
    await links.identify(patient_id, revision=2, **TROIS)
    (document,) = await file_of(links, patient_id)
    assert document["document_id"] == waiting["document_id"]
    assert (await links.ask("GET", "/received-documents/to-file"))["documents"] == []


async def test_what_waits_to_be_filed_comes_in_parts_the_oldest_first(links: Any, made: Callable[..., bytes]) -> None:
    brought = {"site_id": SITE, "origin": "mss"}
    waiting = []
    for number in "123":
        answer = await from_service(
            links, "mss", "/received-documents", brought | {"cda": b64(made(f"1.2.3.{number}"))}
        )
        waiting.append(answer.json()["document_id"])
    listed = (await page(links, "/pages/received?limit=2")).text
    assert "2</strong> documents de correspondants attendent une personne" in listed
    assert "d’autres suivent" in listed
    part = await links.ask("GET", "/received-documents/to-file?limit=2")
    rest = await links.ask("GET", f"/received-documents/to-file{part['next']}")
    assert [one["document_id"] for one in part["documents"] + rest["documents"]] == waiting
    assert [(one["complete"], len(one["documents"])) for one in (part, rest)] == [(False, 2), (True, 1)]
    assert rest["next"] is None
    last = (await page(links, f"/pages/received{part['next']}")).text
    assert [one in last for one in waiting] == [False, False, True]


@pytest.mark.dsr("RIS.INS.47")
async def test_a_relayed_document_of_other_traits_is_never_filed_by_itself(links: Any, reference: Any) -> None:
    patient_id = await links.identify(**(TROIS | {"birth_date": "1979-03-29"}))
    await links.take(reference("lps-mss-1.1/mdm_t02_init_full"), "filed")
    assert await file_of(links, patient_id) == []
    (waiting,) = (await links.ask("GET", "/received-documents/to-file"))["documents"]
    assert waiting["reason"] == "traits_differ"
    refused = await act(links, f"/pages/received/{waiting['document_id']}/file", patient_id=patient_id)
    assert refused.status_code == 409
    assert "Les traits d’identité du document et du patient diffèrent" in refused.text
    assert await file_of(links, patient_id) == []
    aside = await links.ask("POST", f"/received-documents/{waiting['document_id']}/set-aside")
    assert (aside["standing"], aside["decisions"][0]["by"]) == ("set_aside", "user-1")


@pytest.mark.dsr("CDA/DD.05")
async def test_what_its_author_deletes_is_told_at_the_patients_and_stays_until_a_person_decides(
    links: Any, reference: Any
) -> None:
    patient_id = await links.identify(**TROIS)
    await links.take(reference("lps-mss-1.1/mdm_t04_delete_full", MSH_10="020"), "waiting")
    first = reference("lps-mss-1.1/mdm_t04_delete_full", MSH_9="MDM^T02^MDM_T02", MSH_10="021", ORC_1="NW")
    await links.take(first.replace(b"||||||D|", b"||||||F|"), "filed")
    (document,) = await file_of(links, patient_id)
    assert document["news"] is None
    await links.take(reference("lps-mss-1.1/mdm_t04_delete_full", MSH_10="022"), "filed")
    opened = await page(links, f"/pages/patients/{patient_id}/documents")
    assert "Son auteur a supprimé ce document." in opened.text
    address = f"/pages/received/{document['document_id']}"
    assert "Garder ce document tel quel" in (await page(links, address)).text
    assert (await act(links, f"{address}/news", accept="true")).status_code == 303
    (kept,) = await file_of(links, patient_id)
    assert (kept["standing_label"], kept["news"]) == ("Supprimé par son auteur", None)
    assert [(one["what"], one["by"]) for one in kept["decisions"]] == [("accept", "user-1")]
    assert (await act(links, f"{address}/news", accept="true")).status_code == 409


async def test_a_relayed_document_masked_to_professionals_is_shown_to_none(links: Any, reference: Any) -> None:
    patient_id = await links.identify(**TROIS)
    masked = reference("lps-mss-1.1/mdm_t02_init_full").replace(
        b"MASQUE_PS^Masqu\xc3\xa9 aux professionnels de Sant\xc3\xa9^MetaDMPMSS||N", b"MASQUE_PS^x^MetaDMPMSS||Y"
    )
    assert b"||Y^" in masked
    row = await links.take(masked, "waiting")
    assert row["reason"] == "masked_from_professionals"
    assert await file_of(links, patient_id) == []


@pytest.mark.dsr("CDA/DD.04")
async def test_a_document_brought_twice_is_kept_once_and_its_copy_is_shown(links: Any, samples: Any, made: Any) -> None:
    patient_id = await person(links, samples)
    first = await bring(links, made("1.2.3.1"), patient_id)
    assert (first.status_code, first.json()["standing"], first.json()["already_here"]) == (201, "filed", "")
    again = await bring(links, made("1.2.3.1"), patient_id)
    assert again.status_code == 200
    assert again.json()["document_id"] == first.json()["document_id"]
    assert again.json()["already_here"] == "Ce document est déjà classé : voici l’exemplaire conservé ici."
    other = await bring(links, made("1.2.3.1", changes={"IRM": "RMN"}), patient_id)
    assert (other.status_code, other.json()["type"]) == (409, "urn:navette:problem:other-content")
    assert len(await file_of(links, patient_id)) == 1


async def test_a_document_of_somebody_else_is_refused_and_nothing_of_it_is_kept(
    links: Any, samples: Any, made: Any
) -> None:
    patient_id = await person(links, samples, ins=Ins(matricule="279035121518989", oid="1.2.250.1.213.1.4.8"))
    refused = await bring(links, made("1.2.3.1"), patient_id)
    assert refused.status_code == 409
    assert refused.json()["detail"].startswith("L’INS du document n’est pas celle du patient")
    assert "EXEMPLE" not in refused.text
    unknown = await bring(links, made("1.2.3.1"), "patient-nobody")
    assert (unknown.status_code, unknown.json()["type"]) == (409, "urn:navette:problem:patient-unknown")
    assert await links.service.database[DOCUMENTS].count_documents({}) == 0


@pytest.mark.dsr("CDA/DD.05")
async def test_a_newer_version_is_told_and_the_former_one_stays_readable(links: Any, samples: Any, made: Any) -> None:
    patient_id = await person(links, samples)
    former = (await bring(links, made("1.2.3.1"), patient_id)).json()
    newer = (await bring(links, made("1.2.3.2", replaces="1.2.3.1"), patient_id)).json()
    opened = await page(links, f"/pages/patients/{patient_id}/documents")
    assert "1 document classé ici a changé depuis" in opened.text
    shown = await page(links, f"/pages/received/{former['document_id']}")
    assert "Une version plus récente existe." in shown.text
    assert f'href="{newer["document_id"]}"' in shown.text
    assert (await act(links, f"/pages/received/{former['document_id']}/news", accept="false")).status_code == 303
    assert [one["standing"] for one in await file_of(links, patient_id)] == ["filed", "filed"]


@pytest.mark.dsr("CDA/DD.05")
async def test_versions_that_arrive_in_the_wrong_order_find_each_other(links: Any, samples: Any, made: Any) -> None:
    patient_id = await person(links, samples)
    newer = (await bring(links, made("1.2.3.2", replaces="1.2.3.1"), patient_id)).json()
    former = (await bring(links, made("1.2.3.1"), patient_id)).json()
    assert (former["news"], former["newer_id"]) == ("newer", newer["document_id"])
    taken = await links.ask("POST", f"/received-documents/{former['document_id']}/news", json={"accept": True})
    assert taken["standing_label"] == "Remplacé par une version plus récente"


@pytest.mark.dsr("CDA/INT.04", "CDA/INT.08")
async def test_the_file_of_a_patient_is_sorted_by_type_and_date_and_says_where_each_came_from(
    links: Any, samples: Any, made: Any
) -> None:
    patient_id = await person(links, samples)
    date = re.search(rb'<effectiveTime value="(\d{14}[+-]\d{4})"', made("1.2.3.1")).group(1).decode()  # type: ignore[union-attr]
    biology = {'code="18748-4"': 'code="11502-2"', date: "20260102080000+0100"}
    await bring(links, made("1.2.3.1"), patient_id)
    brought = {"site_id": SITE, "origin": "dmp", "patient_id": patient_id}
    for number, changes in (("2", biology), ("3", {date: "20200101080000+0100"})):
        cda = b64(made(f"1.2.3.{number}", changes=changes))
        assert (await from_service(links, "dmp", "/received-documents", brought | {"cda": cda})).status_code == 201
    by_type = await file_of(links, patient_id)
    assert [(one["type_code"], one["unique_id"]) for one in by_type] == [
        ("11502-2", "1.2.3.2"),
        ("18748-4", "1.2.3.1"),
        ("18748-4", "1.2.3.3"),
    ]
    assert [one["unique_id"] for one in await file_of(links, patient_id, order="date")][-1] == "1.2.3.3"
    assert [one["origin_label"] for one in by_type] == ["DMP", "Fichier importé", "DMP"]
    opened = (await page(links, f"/pages/patients/{patient_id}/documents")).text
    assert opened.count(">DMP</span>") == 2
    assert opened.count(">Fichier importé</span>") == 1


@pytest.mark.dsr("CDA/DD.05")
async def test_the_dmp_tells_that_a_document_it_gave_was_deleted_or_replaced_there(
    links: Any, samples: Any, made: Any, accesses: list[AccessRecorded]
) -> None:
    patient_id = await person(links, samples)
    await bring(links, made("1.2.3.1"), patient_id)
    accesses.clear()
    told = {"site_id": SITE, "unique_id": "1.2.3.1", "news": "deleted"}
    assert (await from_service(links, "dmp", "/received-documents/news", told)).json() == {"known": True}
    unknown = await from_service(links, "dmp", "/received-documents/news", told | {"unique_id": "1.2.3.9"})
    assert unknown.json() == {"known": False}
    assert (await from_service(links, "ins", "/received-documents/news", told)).status_code == 403
    (document,) = await file_of(links, patient_id)
    assert document["news_label"] == "Son auteur a supprimé ce document."
    heard = [one for one in accesses if one.action == "received.news"]
    place = ("dmp", "received", document["document_id"], SITE, "granted")
    assert [(one.actor, one.object_kind, one.object_id, one.site_id, one.outcome) for one in heard] == [place]


@pytest.mark.dsr("CDA/DD.05")
async def test_that_an_author_deleted_a_relayed_document_is_on_record_too(
    links: Any, reference: Any, accesses: list[AccessRecorded]
) -> None:
    await links.identify(**TROIS)
    first = reference("lps-mss-1.1/mdm_t04_delete_full", MSH_9="MDM^T02^MDM_T02", MSH_10="031", ORC_1="NW")
    await links.take(first.replace(b"||||||D|", b"||||||F|"), "filed")
    await links.take(reference("lps-mss-1.1/mdm_t04_delete_full", MSH_10="032"), "filed")
    (heard,) = [one for one in accesses if one.action == "received.news"]
    assert heard.actor.startswith("intake:")
    assert heard.site_id == SITE


@pytest.mark.dsr("CDA/VISU.01", "CDA/INT.15")
async def test_a_document_is_readable_here_and_as_its_sender_shows_it(links: Any, samples: Any, made: Any) -> None:
    patient_id = await person(links, samples)
    sent = (await bring(links, made("1.2.3.1"), patient_id, stylesheet=b64(STYLE))).json()
    shown = await page(links, f"/pages/received/{sent['document_id']}")
    assert shown.status_code == 200
    for said in (
        "EXEMPLE ALIX",
        "né(e) le 12/05/1984",
        "FICTIF-DURAND",
        "EXEMPLE-MARTIN",
        "Imagerie Médicale du Canal",
    ):
        assert said in shown.text
    assert "Présentation de l’émetteur" in shown.text
    async with links.caller("secretary") as http:
        pdf = await http.get(f"/received-documents/{sent['document_id']}/parts/0")
        assert (pdf.headers["content-type"], pdf.content[:5]) == ("application/pdf", b"%PDF-")
        style = await http.get(f"/received-documents/{sent['document_id']}/style")
        assert style.content.decode() == STYLE
        theirs = await http.get(f"/received-documents/{sent['document_id']}/sender/presentation")
    assert "À la façon de l'émetteur" in theirs.text
    assert "sandbox" in theirs.headers["content-security-policy"]


@pytest.mark.dsr("CDA/VISU.01")
@pytest.mark.parametrize(
    "style",
    [
        "<xsl:template match='/'><xsl:copy-of select=\"document('file:///etc/passwd')\"/></xsl:template>",
        "<xsl:import href='https://ailleurs.example/x.xsl'/>",
        "<xsl:template match='/' name='l'><xsl:call-template name='l'/></xsl:template>",
        "<xsl:template match='/'><xsl:unknown/></xsl:template>",
        "<broken",
    ],
)
async def test_a_style_sheet_that_is_unusable_leaves_the_document_readable_here(
    links: Any, samples: Any, made: Any, style: str
) -> None:
    patient_id = await person(links, samples)
    sheet = f'<xsl:stylesheet xmlns:xsl="http://www.w3.org/1999/XSL/Transform" version="1.0">{style}</xsl:stylesheet>'
    sent = (await bring(links, made("1.2.3.1"), patient_id, stylesheet=b64(sheet))).json()
    refused = await page(links, f"/received-documents/{sent['document_id']}/sender/presentation")
    assert refused.status_code == 502
    assert refused.json()["detail"].startswith("La feuille de style de l’émetteur est inutilisable")
    assert (await page(links, f"/pages/received/{sent['document_id']}")).status_code == 200


async def test_documents_are_shared_as_identities_are(links: Any, samples: Any, made: Any) -> None:
    patient_id = await person(links, samples)
    document_id = (await bring(links, made("1.2.3.1"), patient_id)).json()["document_id"]
    for site, status in ((OTHER_SITE, 200), (FOREIGN_SITE, 404)):
        for path in ("", "/cda", "/parts/0"):
            answer = await page(links, f"/received-documents/{document_id}{path}", sites=[site])
            assert answer.status_code == status, (site, path)
        assert (await page(links, f"/pages/received/{document_id}", sites=[site])).status_code == status
    async with links.caller("secretary", sites=[FOREIGN_SITE]) as http:
        listed = await http.get("/received-documents", params={"patient_id": patient_id})
        assert listed.json()["documents"] == []
        body = {"site_id": SITE, "patient_id": patient_id, "cda": b64(made("1.2.3.4"))}
        assert (await http.post("/received-documents", json=body)).status_code == 403


async def test_the_file_of_a_merged_record_is_found_under_the_one_that_stays(
    links: Any, samples: Any, made: Any
) -> None:
    absorbed = await person(links, samples)
    await bring(links, made("1.2.3.1"), absorbed)
    surviving = await person(links, samples)
    await links.merge(absorbed, surviving)
    assert [one["unique_id"] for one in await file_of(links, surviving)] == ["1.2.3.1"]
    refused = await bring(links, made("1.2.3.2"), absorbed)
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:navette:problem:identity-merged")


@pytest.mark.parametrize(
    ("cda", "rule"),
    [
        (b"garbage", "xml_syntax"),
        (b"", "cda"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><ClinicalDocument xmlns="urn:hl7-org:v3">&a;</ClinicalDocument>', "xml_dtd"),
        (b"<a>" * 200 + b"</a>" * 200, "xml_depth"),
        (b'<ClinicalDocument xmlns="urn:hl7-org:v3"/>', "id"),
    ],
)
async def test_what_is_no_document_is_refused_naming_what_is_wrong(links: Any, cda: bytes, rule: str) -> None:
    patient_id = await links.identify()
    refused = await bring(links, cda, patient_id)
    assert refused.status_code == 422
    assert rule in refused.text
    assert await links.service.database[DOCUMENTS].count_documents({}) == 0


async def test_the_same_document_at_the_same_instant_is_kept_once(links: Any, samples: Any, made: Any) -> None:
    import asyncio

    patient_id = await person(links, samples)
    answers = await asyncio.gather(*(bring(links, made("1.2.3.1"), patient_id) for _ in range(6)))
    assert sorted(one.status_code for one in answers) == [200, 200, 200, 200, 200, 201]
    assert len({one.json()["document_id"] for one in answers}) == 1


async def test_nothing_that_names_the_patient_is_stored_in_clear(links: Any, samples: Any, made: Any) -> None:
    patient_id = await person(links, samples)
    await bring(links, made("1.2.3.1"), patient_id)

    async def stored() -> Any:
        return await links.service.database[DOCUMENTS].find_one({})

    row = repr(await until(stored))
    for secret in ("EXEMPLE", "ALIX", samples.identity().ins.matricule, "IRM"):
        assert secret not in row


async def test_a_person_is_shown_whose_number_it_is_and_files_only_what_agrees(
    links: Any, samples: Any, made: Any
) -> None:
    """The number of the site in the document leads to somebody; its INS may say otherwise."""
    patient_id = await person(links, samples)
    ins = samples.identity().ins
    bare = {f'<id root="{ins.oid}" extension="{ins.matricule}"/>': "", f"mailto:{ins.matricule}@": "mailto:x@"}
    for unique_id, changes, button in (("1.2.3.1", bare, 1), ("1.2.3.2", {ins.matricule: "279035121518989"}, 0)):
        brought = {"site_id": SITE, "origin": "mss", "cda": b64(made(unique_id, changes=changes))}
        answer = await from_service(links, "mss", "/received-documents", brought)
        assert answer.status_code == 202
        address = f"/pages/received/{answer.json()['document_id']}"
        shown = (await page(links, address)).text
        assert "celui de <strong>EXEMPLE ALIX</strong>" in shown
        assert shown.count("Classer chez ce patient") == button
        filed = await act(links, f"{address}/file", patient_id=patient_id)
        assert filed.status_code == (303 if button else 409)
    assert [one["unique_id"] for one in await file_of(links, patient_id)] == ["1.2.3.1"]
