"""The pages of received reports: what waits, what one says, and deciding about it with a plain form."""

from __future__ import annotations

import asyncio
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from navette_chassis import UnitOfWork
from navette_report.adapters.intake_messages import MESSAGES

PROOF = {"x-navette-form-token": "proof-1", "Accept": "text/html"}
HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'


class Page(HTMLParser):
    """What a person without script can do on a page: its links, and each form by the button that sends it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.forms: dict[str, dict[str, str]] = {}
        self.drafts: list[str] = []
        self.elements: set[str] = set()
        self._fields: dict[str, str] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attrs}
        self.elements |= {tag, *(name for name in known if name.startswith("on"))}
        if tag == "a":
            self.links.append(known["href"])
        elif tag == "form":
            self._fields = {"action": known["action"], "method": known["method"]}
        elif tag == "input" and known["type"] == "hidden":
            self._fields[known["name"]] = known["value"]
        elif tag == "option" and known["value"]:
            self.drafts.append(known["value"])
        elif tag == "button":
            self.forms[known["value"]] = self._fields | {known["name"]: known["value"]}


async def opened(http: Any, message_id: str) -> tuple[Page, str]:
    answer = await http.get(f"/pages/intake/{message_id}", headers=PROOF)
    assert answer.status_code == 200, answer.text
    assert "form-action 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    return Page(answer.text), answer.text


async def press(http: Any, message_id: str, button: str, **more: str) -> Any:
    """Open the page, fill its form and press the button, as the gateway sends it on."""
    page, _ = await opened(http, message_id)
    form = page.forms[button]
    assert (form.pop("action"), form.pop("method"), form.pop("csrf_token")) == (message_id, "post", "proof-1")
    return await http.post(f"/pages/intake/{message_id}", data=form | more, headers=PROOF)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What is told to the audit stream."""
    told: list[tuple[Any, ...]] = []
    recorded = UnitOfWork.record_access

    async def watch(self: Any, *words: Any) -> None:
        told.append(words)
        await recorded(self, *words)

    monkeypatch.setattr(UnitOfWork, "record_access", watch)
    return told


async def test_the_list_says_what_is_asked_of_whom_and_nothing_of_the_content(links: Any, oru: Any) -> None:
    row = await links.take(oru(), "waiting")
    async with links.caller("secretary") as http:
        listed = (await http.get("/pages/intake")).text
        settled = (await http.get("/pages/intake?state=integrated")).text
        journey = (await http.get("/pages/journey")).text
    assert "ancien-ris" in listed
    assert "HL7 ORU^R01" in listed
    assert "Aucun patient connu ne porte cet identifiant" in listed
    assert re.search(r"À faire par : <strong>Secrétariat", listed)
    assert f"intake/{row['_id']}" in Page(listed).links
    for secret in ("EXEMPLE", "ALIX", "100200", "ACN778", "examen normal"):
        assert secret not in listed
    assert "Aucun message dans cet état." in settled
    assert "Reçus à traiter (1)" in journey
    assert "intake" in Page(journey).links


async def test_a_secretary_reads_what_the_message_says_and_the_look_is_on_record(
    links: Any, oru: Any, looks: list[tuple[Any, ...]]
) -> None:
    await links.identify(birth_name="AUTRE")
    row = await links.take(oru(), "waiting")
    async with links.caller("secretary") as http:
        _, text = await opened(http, row["_id"])
    for told in ("EXEMPLE", "12/05/1984", "100200", "ACN778", "examen normal.", "Nom de naissance différent"):
        assert told in text
    assert "284053818504213" not in text
    assert ("user-1", "intake.read", "message", row["_id"], "site-nord", "granted") in looks


async def test_another_site_is_told_nothing_and_the_attempt_is_on_record(
    links: Any, oru: Any, looks: list[tuple[Any, ...]]
) -> None:
    row = await links.take(oru(), "waiting")
    async with links.caller("secretary", sites=["site-sud"]) as http:
        assert row["_id"] not in (await http.get("/pages/intake")).text
        assert (await http.get(f"/pages/intake/{row['_id']}")).status_code == 404
        form = {"act": "set-aside", "confirmed": "true", "seen": "waiting-1"}
        assert (await http.post(f"/pages/intake/{row['_id']}", data=form)).status_code == 404
    refused = [words[1] for words in looks if words[3:] == (row["_id"], "site-nord", "refused")]
    assert refused == ["intake.read", "intake.set_aside"]
    assert (await links.row("O0004"))["state"] == "waiting"


async def test_an_operator_decides_without_seeing_what_a_message_says(
    links: Any, oru: Any, looks: list[tuple[Any, ...]]
) -> None:
    await links.identify(birth_name="AUTRE")
    await links.draft(await links.identify("p-2", local_id="7"), findings="", conclusion="")
    row = await links.take(oru(), "waiting")
    async with links.caller("operator", sites=[]) as http:
        page, text = await opened(http, row["_id"])
        assert (await http.get("/pages/journey")).status_code == 403
        assert not [one for one in page.links if "journey" in one]
        assert page.drafts == []
        done = await press(http, row["_id"], "set-aside", confirmed="true")
    for secret in ("EXEMPLE", "100200", "ACN778", "examen normal"):
        assert secret not in text
    assert "équipe de soins" in text
    assert done.status_code == 303
    assert not [words for words in looks if words[1] == "intake.read"]
    assert (await links.row("O0004"))["decided_by"] == "user-1"


async def test_a_message_is_replayed_into_the_draft_that_the_secretary_chooses(links: Any, reference: Any) -> None:
    patient = await links.identify()
    stranger = await links.identify(local_id="555")
    empty = {"findings": "", "conclusion": ""}
    mine = await links.draft(patient, **empty)
    await links.draft(patient)  # written already
    await links.draft(stranger, **empty)
    row = await links.take(reference("oru_r01_legacy_text"), "waiting")
    assert row["reason"] == "study_uid_missing"
    async with links.caller("secretary") as http:
        page, _ = await opened(http, row["_id"])
        assert page.drafts == [mine]
        answer = await press(http, row["_id"], "replay", report_id=mine)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/pages/intake/{row['_id']}")
        page, text = await opened(http, row["_id"])
    assert (await links.report(mine))["content"]["conclusion"] == "examen normal."
    assert f"../reports/{mine}" in page.links
    assert "Intégré" in text
    assert "replay" not in page.forms


async def test_a_replay_that_still_finds_nobody_says_so_on_the_page(links: Any, oru: Any) -> None:
    row = await links.take(oru(), "waiting")
    async with links.caller("secretary") as http:
        assert (await press(http, row["_id"], "replay")).status_code == 303
        _, text = await opened(http, row["_id"])
    assert "Aucun patient connu ne porte cet identifiant" in text
    assert "Dernière décision" in text


async def test_a_message_refused_for_a_reason_that_still_holds_is_refused_again_in_words(links: Any, oru: Any) -> None:
    await links.send(oru(MSH_3="INCONNU"))
    row = await links.row("O0004")
    async with links.caller("operator") as http:
        answer = await press(http, row["_id"], "replay")
    assert answer.status_code == 409
    assert "n’est pas configuré : l’ajouter au fichier des émetteurs" in answer.text
    assert (await links.row("O0004"))["state"] == "refused"


async def test_setting_aside_is_final_and_has_to_be_confirmed(links: Any, oru: Any) -> None:
    row = await links.take(oru(), "waiting")
    async with links.caller("secretary") as http:
        unconfirmed = await press(http, row["_id"], "set-aside")
        assert (await links.row("O0004"))["state"] == "waiting"
        done = await press(http, row["_id"], "set-aside", confirmed="true")
        page, text = await opened(http, row["_id"])
        late = await http.post(f"/pages/intake/{row['_id']}", data={"act": "replay", "seen": "set_aside-2"})
    assert unconfirmed.status_code == 422
    assert "Confirmation" in unconfirmed.text
    assert done.status_code == 303
    assert "Classé sans suite" in text
    assert page.forms == {}
    assert late.status_code == 409
    assert "pas besoin d’être rejoué" in late.text


async def test_nobody_decides_about_a_message_that_changed_since_it_was_shown(links: Any, oru: Any) -> None:
    row = await links.take(oru(), "waiting")
    async with links.caller("secretary") as http:
        page, _ = await opened(http, row["_id"])
        await links.identify()
        await links.become("O0004", "integrated")
        form = {name: page.forms["set-aside"][name] for name in ("act", "seen")} | {"confirmed": "true"}
        answer = await http.post(f"/pages/intake/{row['_id']}", data=form)
    assert answer.status_code == 409
    assert "a changé depuis" in answer.text
    assert (await links.row("O0004"))["state"] == "integrated"


async def test_of_two_decisions_at_once_one_is_taken(links: Any, oru: Any) -> None:
    await links.take(oru(), "waiting")
    row = await links.row("O0004")
    async with links.caller("secretary") as http:
        paths = [f"/intake/messages/{row['_id']}/{act}" for act in ("set-aside", "replay")]
        answers = await asyncio.gather(*(http.post(path, json={}) for path in paths))
    assert sorted(one.status_code for one in answers) == [200, 409]
    taken = next(one.json()["state"] for one in answers if one.status_code == 200)
    assert (await links.row("O0004"))["state"] == taken


@pytest.mark.parametrize(
    ("fields", "status"),
    [({}, 422), ({"act": "erase", "seen": "waiting-1"}, 422), ({"act": "replay", "seen": "x" * 99}, 422)],
)
async def test_a_form_that_is_not_one_of_ours_decides_nothing(
    links: Any, oru: Any, fields: dict[str, str], status: int
) -> None:
    row = await links.take(oru(), "waiting")
    async with links.caller("secretary") as http:
        url = f"/pages/intake/{row['_id']}"
        headers = {"content-type": "application/x-www-form-urlencoded"}
        answer = await http.post(url, data=fields, headers=headers)
        assert (await http.post(url, json={"act": "replay", "seen": "waiting-1"})).status_code == 415
        assert (await http.get("/pages/intake/nothing")).status_code == 404
    assert answer.status_code == status
    assert (await links.row("O0004"))["state"] == "waiting"


async def test_hostile_text_stays_text(links: Any, oru: Any) -> None:
    await links.identify(birth_name="AUTRE")
    words = {"PID_5": f"{HOSTILE}^ALIX^^^^^L", "OBR_4": f"TDMTHO^{HOSTILE}^LOCAL", "OBR_32": f"&{HOSTILE}&X"}
    data = oru(**words).replace(b"examen normal", b"examen normal " + HOSTILE.encode())
    row = await links.take(data, "waiting")
    await links.send(oru(MSH_3="<img/src=x/onerror=alert(3)>", MSH_10='"><b>X1'))
    async with links.caller("secretary", "operator") as http:
        page, text = await opened(http, row["_id"])
        listing = (await http.get("/pages/intake")).text
        other = await links.service.database[MESSAGES].find_one({"sender": None})
        page_of_other, _ = await opened(http, other["_id"])
    assert text.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 3
    for one in (page, page_of_other, Page(listing)):
        assert not one.elements & {"img", "b", "onerror"}
    assert "<script>" not in text
    assert "http" not in text.replace("http-equiv", "")


async def test_a_message_that_cannot_be_read_says_why_and_can_still_be_set_aside(links: Any, oru: Any) -> None:
    row = await links.take(oru(), "waiting")
    senders = links.settings.intake_senders_file
    senders.write_text("[]")
    async with links.caller("secretary") as http:
        _, text = await opened(http, row["_id"])
        while "Il ne peut pas être lu." not in text:  # the file is looked at again within a moment
            await asyncio.sleep(0.1)
            _, text = await opened(http, row["_id"])
        assert "n’est pas configuré" in text
        assert (await press(http, row["_id"], "set-aside", confirmed="true")).status_code == 303


async def test_without_intake_there_is_no_page_and_no_link_to_one(open_links: Any) -> None:
    async with open_links(index_key=None, intake_port=None) as closed, closed.caller("secretary") as http:
        assert (await http.get("/pages/intake")).status_code == 404
        assert "intake" not in (await http.get("/pages/journey")).text


async def test_a_long_list_comes_in_parts_that_miss_nothing_and_repeat_nothing(links: Any, oru: Any) -> None:
    rows = [await links.take(oru(MSH_10=f"L{n}", OBR_3=f"ACN{n}", OBX_3=f"CR{n}"), "waiting") for n in range(5)]
    found: list[str] = []
    async with links.caller("secretary") as http:
        address: str | None = "/pages/intake?state=waiting&limit=2"
        while address is not None:
            text = (await http.get(address)).text
            shown = [one.removeprefix("intake/") for one in Page(text).links if one.startswith("intake/")]
            assert len(shown) <= 2
            assert ("Retour au début de la liste" in text) == bool(found)
            found += shown
            further = [one for one in Page(text).links if "after=" in one]
            address = f"/pages/intake{further[-1]}" if further else None
        parts = [await http.get("/intake/messages?limit=3")]
        parts.append(await http.get(f"/intake/messages{parts[0].json()['next']}"))
    assert found == [row["_id"] for row in reversed(rows)]
    assert [one["id"] for part in parts for one in part.json()["messages"]] == found
    assert parts[1].json()["next"] is None
