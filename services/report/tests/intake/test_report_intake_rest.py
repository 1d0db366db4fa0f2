"""Submitting by REST with an idempotency key, and the lists and details people work with."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest
from navette_report.adapters.intake_messages import CONTENTS, MESSAGES


def submission(links: Any, **changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = {
        "site_id": "site-nord",
        "source": "portail",
        "document_id": "DOC-1",
        "patient": {
            "local_id": "100200",
            "birth_name": "EXEMPLE",
            "first_birth_given_name": "ALIX",
            "birth_date": "1984-05-12",
            "sex": "F",
        },
        "exam": {
            "accession_number": "ACN-9",
            "study_instance_uid": "1.2.250.1.999.9",
            "started_at": "2026-11-20T09:25:00Z",
            "title": "IRM cérébrale",
            "acts": [links.samples.act()],
        },
        "author_rpps": links.rpps(27),
        "text": "RESULTATS : normal.\nCONCLUSION : normal.",
    }
    return body | changes


async def post(links: Any, body: dict[str, Any], key: str | None = "key-0001", **claims: Any) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    async with links.caller("secretary", **claims) as http:
        return await http.post("/intake/reports", json=body, headers=headers)


async def test_a_submitted_report_is_a_draft_and_the_same_key_gives_the_same_answer(links: Any) -> None:
    await links.identify()
    first = await post(links, submission(links))
    assert first.status_code == 201, first.text
    report = await links.report(first.json()["report_id"])
    assert (report["state"], report["title"], report["origin"]["sender"]) == ("draft", "IRM cérébrale", "portail")
    await links.sign(first.json()["report_id"])
    again = await post(links, submission(links))
    assert (again.status_code, again.json()) == (201, first.json())
    assert len(await links.reports()) == 1


async def test_a_pdf_of_real_size_is_taken(links: Any) -> None:
    await links.identify()
    pdf = b"%PDF-1.4\n" + bytes(6_000_000)
    taken = await post(links, submission(links, text="", pdf=base64.b64encode(pdf).decode()))
    assert taken.status_code == 201, taken.text
    async with links.caller("secretary") as http:
        assert (await http.get(f"/reports/{taken.json()['report_id']}/received")).content == pdf


@pytest.mark.dsr("DB/RIS.08")
async def test_every_request_it_answers_reaches_the_draft_and_finds_it_again(links: Any) -> None:
    await links.identify()
    other = {"accession_number": "ACN-10", "order_placer_number": "OPN-10"}
    exam = submission(links)["exam"]
    first = await post(links, submission(links, exam=exam | {"further_requests": [other]}))
    assert first.status_code == 201, first.text
    report = await links.report(first.json()["report_id"])
    assert report["content"]["exam"]["further_requests"] == [other]
    # The examination is known by each of its numbers: nothing is drafted twice for it.
    again = submission(links, document_id="DOC-2", exam=exam | {"accession_number": "ACN-10"})
    assert (await post(links, again, key="key-0002")).json()["reason"] == "exam_already_reported"


async def test_another_body_under_the_same_key_is_refused(links: Any) -> None:
    await links.identify()
    await post(links, submission(links))
    other = await post(links, submission(links, text="CONCLUSION : autre."))
    assert other.status_code == 422
    assert other.json()["errors"] == [{"field": "Idempotency-Key", "rule": "other_body"}]
    assert "Idempotency-Key" in other.json()["detail"]
    assert len(await links.reports()) == 1


async def test_the_same_report_many_times_at_once_is_one_report(links: Any) -> None:
    await links.identify()
    answers = await asyncio.gather(*(post(links, submission(links)) for _ in range(8)))
    assert {one.status_code for one in answers} == {201}
    assert len({one.json()["report_id"] for one in answers}) == 1
    assert len(await links.reports()) == 1


async def test_the_same_document_under_many_keys_at_once_is_one_report(links: Any) -> None:
    await links.identify()
    answers = await asyncio.gather(*(post(links, submission(links), f"key-{n:04d}") for n in range(6)))
    assert len({one.json()["report_id"] for one in answers}) == 1
    assert sorted(one.json()["state"] for one in answers) == ["duplicate"] * 5 + ["integrated"]


async def test_an_unknown_patient_is_kept_and_the_caller_told_who_must_act(links: Any) -> None:
    answer = await post(links, submission(links))
    assert answer.status_code == 202
    assert (answer.json()["reason"], answer.json()["who_must_act"]) == ("patient_unknown", "secretary")
    await links.identify()

    async def arrived() -> bool:
        return len(await links.reports()) == 1

    from navette_chassis.testing import until

    await until(arrived, 60)


async def test_a_pdf_by_rest_is_kept_beside_the_draft(links: Any) -> None:
    await links.identify()
    body = submission(links, text="", pdf=base64.b64encode(b"%PDF-1.7 fictif").decode())
    answer = await post(links, body)
    assert (answer.status_code, answer.json()["state"]) == (201, "to_review")
    async with links.caller("radiologist") as http:
        original = await http.get(f"/reports/{answer.json()['report_id']}/received")
    assert original.content == b"%PDF-1.7 fictif"
    no_pdf = await post(links, submission(links, text="", pdf="QUJD", document_id="D2"), "key-0002")
    assert no_pdf.json()["reason"] == "document_unreadable"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"text": ""}, "un texte ou un PDF"),
        ({"author_rpps": "99700000027"}, "author_rpps"),
        ({"document_id": "à é"}, "document_id"),
        ({"site_id": "site-inconnu"}, "site_id"),
        ({"unknown": 1}, "unknown"),
        (
            {"exam": {"accession_number": "A", "started_at": "9999-12-31T23:59:59-10:00"}},
            "une date entre 1900 et 2199 est attendue",
        ),
    ],
)
async def test_a_submission_that_breaks_a_rule_names_the_field(links: Any, changes: dict[str, Any], field: str) -> None:
    answer = await post(links, submission(links, **changes), sites=["site-nord", "site-inconnu"])
    assert answer.status_code == 422
    assert any(field in one["field"] + one["rule"] for one in answer.json()["errors"]), answer.json()
    assert "EXEMPLE" not in answer.text


async def test_a_key_is_needed_and_the_site_must_be_the_callers(links: Any) -> None:
    missing = await post(links, submission(links), None)
    assert missing.status_code == 422
    assert missing.json()["errors"] == [{"field": "Idempotency-Key", "rule": "champ obligatoire"}]
    assert (await post(links, submission(links), "a b")).status_code == 422
    assert (await post(links, submission(links), sites=["site-sud"])).status_code == 403
    async with links.caller("operator") as http:
        answer = await http.post("/intake/reports", json=submission(links), headers={"Idempotency-Key": "key-0001"})
    assert answer.status_code == 403


# --- who sees what ----------------------------------------------------------------------------------------------------


async def test_a_secretary_sees_her_sites_and_an_operator_every_link_without_content(links: Any, oru: Any) -> None:
    await links.take(oru(), "waiting")
    await links.send(oru(MSH_3="INCONNU", MSH_10="X1"))
    mine = (await links.ask("GET", "/intake/messages"))["messages"]
    assert [one["control_id"] for one in mine] == ["O0004"]
    everything = (await links.ask("GET", "/intake/messages", roles=("operator",)))["messages"]
    assert [one["control_id"] for one in everything] == ["X1", "O0004"]
    async with links.caller("secretary", sites=["site-sud"]) as http:
        assert (await http.get("/intake/messages")).json()["messages"] == []
        assert (await http.get(f"/intake/messages/{mine[0]['id']}")).status_code == 404
    async with links.caller("operator") as http:
        assert (await http.get(f"/intake/messages/{mine[0]['id']}")).status_code == 403
    assert "EXEMPLE" not in str(everything)


async def test_what_a_message_says_is_shown_to_the_care_team_and_the_look_is_on_record(
    links: Any, oru: Any, monkeypatch: Any
) -> None:
    await links.identify(birth_name="AUTRE")
    row = await links.take(oru(), "waiting")
    looks: list[tuple[str, ...]] = []
    from navette_chassis import UnitOfWork

    recorded = UnitOfWork.record_access

    async def watch(self: Any, *told: Any) -> None:
        looks.append(told)
        await recorded(self, *told)

    monkeypatch.setattr(UnitOfWork, "record_access", watch)
    shown = await links.ask("GET", f"/intake/messages/{row['_id']}")
    assert (shown["claim"]["birth_name"], shown["claim"]["local_id"]) == ("EXEMPLE", "100200")
    assert shown["claim"]["sections"]["conclusion"] == "examen normal."
    assert [one["label"] for one in shown["remarks"]] == ["Nom de naissance différent"]
    assert "284053818504213" not in str(shown)
    assert ("user-1", "intake.read", "message", row["_id"], "site-nord", "granted") in looks


async def test_messages_lie_sealed(links: Any, oru: Any) -> None:
    await links.take(oru(), "waiting")
    await links.take(oru(MSH_10="L1") + b"NTE|1||" + b"EXEMPLE " * 20_000 + b"\r", "waiting")
    rows = await links.service.database[MESSAGES].find({}).to_list()
    rows += await links.service.database[CONTENTS].find({}).to_list()
    assert len(rows) == 3
    for secret in (b"EXEMPLE", b"100200", b"284053818504213", b"pleuro"):
        assert secret not in str(rows).encode()


async def test_what_is_settled_is_forgotten_after_its_time_and_what_waits_is_not(links: Any, oru: Any) -> None:
    waiting = await links.take(oru(), "waiting")
    assert waiting["expires_at"] is None
    await links.identify()
    done = await links.become("O0004", "integrated")
    kept = done["expires_at"] - done["settled_at"]
    assert kept.days == 90


async def test_a_settled_message_is_not_replayed(links: Any, oru: Any) -> None:
    await links.identify()
    row = await links.take(oru())
    async with links.caller("secretary") as http:
        answer = await http.post(f"/intake/messages/{row['_id']}/replay", json={})
        aside = await http.post(f"/intake/messages/{row['_id']}/set-aside")
        assert (await http.post("/intake/messages/nothing/replay", json={})).status_code == 404
    assert (answer.status_code, aside.status_code) == (409, 409)
    assert answer.json()["detail"] == "Ce message n’a pas besoin d’être rejoué."
