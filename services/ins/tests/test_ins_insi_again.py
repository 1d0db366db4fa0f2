"""INSi says something else than the record: another name, another number, a number that was somebody's (§5.5)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from navette_chassis.testing import until
from navette_documents.identifiers.nir import nir_key

NIR = "1.2.250.1.213.1.4.8"
FEMALE = "2680438185901"
MALE = "1680438185901"
_REPLY = """<soap:Envelope xmlns:soap="http://www.w3.org/2003/05/soap-envelope"><soap:Body>
<RESULTAT xmlns="http://www.cnamts.fr/INSiResultat"><CR><CodeCR>00</CodeCR><LibelleCR>OK</LibelleCR></CR><INDIVIDU>
<INSACTIF><IdIndividu><NumIdentifiant>{number}</NumIdentifiant><Cle>{key}</Cle></IdIndividu><OID>{oid}</OID></INSACTIF>
{past}<TIQ><NomNaissance>DUVAL-FICTIF</NomNaissance><ListePrenom>CAMILLE ROSE</ListePrenom><Sexe>{sex}</Sexe>
<DateNaissance>1968-04-17</DateNaissance><LieuNaissance>38185</LieuNaissance></TIQ>
</INDIVIDU></RESULTAT></soap:Body></soap:Envelope>"""
_PAST = (
    "<INSHISTO><IdIndividu><NumIdentifiant>{number}</NumIdentifiant><Cle>{key}</Cle></IdIndividu>"
    "<OID>1.2.250.1.213.1.4.8</OID></INSHISTO>"
)


def reply(number: str, sex: str, *past: str) -> str:
    """An answer of INSi about Camille."""
    numbers = "".join(_PAST.format(number=one, key=nir_key(one)) for one in past)
    return _REPLY.format(number=number, key=nir_key(number), oid=NIR, sex=sex, past=numbers)


async def qualified(desk: Any, **changes: Any) -> str:
    patient_id = str((await desk.create(**changes))["patient_id"])
    await desk.act(patient_id, "identity-checks", document_kind="CN")
    assert (await desk.search(patient_id))["state"] == "accepted"
    return patient_id


async def again(desk: Any, patient_id: str) -> dict[str, Any]:
    """Ask INSi about a recovered identity and wait for what it comes to."""
    asked = await desk.act(patient_id, "insi-search?again=true", expect=202)

    async def ended() -> dict[str, Any] | None:
        state: dict[str, Any] = await desk.read(patient_id, f"/insi-calls/{asked['call_id']}")
        return None if state["state"] == "requested" else state

    return dict(await until(ended))


async def decide(desk: Any, patient_id: str, search: dict[str, Any], **word: Any) -> dict[str, Any]:
    path = f"insi-calls/{search['call_id']}/decision"
    return dict(await desk.act(patient_id, path, accepted=True, **word))


async def last_line(desk: Any, patient_id: str) -> dict[str, Any]:
    return dict((await desk.read(patient_id, "/history"))["changes"][-1])


async def test_other_traits_under_the_same_number_need_the_document_again_to_stay_qualified(desk: Any) -> None:
    patient_id = await qualified(desk)
    desk.insi.commands()["scenario"]({"name": "other_birth_name"})
    search = await again(desk, patient_id)
    assert (search["state"], search["differences"]) == ("to_decide", ["birth_name"])
    await decide(desk, patient_id, search, confirmed=["birth_name"], document_kind="PA")
    renewed = await desk.read(patient_id)
    assert (renewed["status"], renewed["traits"]["birth_name"]) == ("qualifiee", "AUTRE-FICTIF")
    assert renewed["check"]["document_kind"] == "PA"
    line = await last_line(desk, patient_id)
    assert (line["action"], line["told"]) == ("traits_renewed", "A31")


async def test_without_the_document_the_former_check_is_gone_and_receivers_are_told(desk: Any) -> None:
    patient_id = await qualified(desk)
    desk.insi.commands()["scenario"]({"name": "other_birth_name"})
    search = await again(desk, patient_id)
    path = f"insi-calls/{search['call_id']}/decision"
    await desk.act(patient_id, path, expect=422, accepted=True, confirmed=["birth_name"], document_kind="PC")
    await decide(desk, patient_id, search, confirmed=["birth_name"])
    assert (await desk.read(patient_id))["status"] == "recuperee"
    assert (await last_line(desk, patient_id))["told"] == "A47"


async def test_a_change_of_sex_gives_another_number_and_keeps_the_old_one_in_the_history(
    desk: Any, token: Callable[..., str]
) -> None:
    patient_id = await qualified(desk, used_name="EPOUX-FICTIF")
    desk.insi.commands()["reply"]({"body": reply(MALE, "M", FEMALE)})
    search = await again(desk, patient_id)
    assert search["state"] == "to_decide"
    assert set(search["differences"]) == {"sex", "matricule"}
    await desk.act(patient_id, f"insi-calls/{search['call_id']}/decision", expect=409, accepted=True, confirmed=["sex"])
    await decide(desk, patient_id, search, confirmed=["sex", "matricule"])
    changed = await desk.read(patient_id)
    assert (changed["status"], changed["ins"]["matricule"]) == ("qualifiee", MALE + nir_key(MALE))
    assert (changed["traits"]["sex"], changed["traits"]["used_name"]) == ("M", "EPOUX-FICTIF")
    line = await last_line(desk, patient_id)
    assert (line["action"], line["told"]) == ("renumbered", "A47")
    headers = {"Authorization": f"Bearer {token('identity-supervisor')}"}
    values = (await desk.http.get(f"/patients/{patient_id}/history/4", headers=headers)).json()
    former = next(one["after"] for one in values["fields"] if one["field"] == "former_ins")
    assert [one["matricule"] for one in former] == [FEMALE + nir_key(FEMALE)]


async def test_a_temporary_number_replaced_by_the_definitive_one_is_an_update_not_a_removal(desk: Any) -> None:
    desk.insi.commands()["scenario"]({"name": "nia_2.05"})
    patient_id = await qualified(desk)
    assert (await desk.read(patient_id))["ins"]["nature"] == "NIA"
    search = await again(desk, patient_id)
    assert search["differences"] == ["matricule"]
    await decide(desk, patient_id, search, confirmed=["matricule"])
    assert (await desk.read(patient_id))["ins"]["nature"] == "NIR"
    line = await last_line(desk, patient_id)
    assert (line["action"], line["told"]) == ("nia_replaced", "A31")


async def test_a_number_that_insi_calls_a_former_one_of_somebody_else_is_proposed_for_a_merge(desk: Any) -> None:
    older = await qualified(desk)
    newer = await desk.create(sex="M", local_id="IPP-9")
    desk.insi.commands()["reply"]({"body": reply(MALE, "M", FEMALE)})
    assert (await desk.search(newer["patient_id"]))["state"] == "accepted"
    cases = (await desk.http.get("/cases")).json()["cases"]
    assert [set(one["patient_ids"]) for one in cases if one["kind"] == "duplicate"] == [{older, newer["patient_id"]}]


@pytest.mark.dsr("RIS.INS.05")
async def test_who_may_not_see_the_ins_is_told_that_there_is_one(
    settings: Any, open_desk: Any, insi: Any, tmp_path: Any
) -> None:
    rules = {"sites": {"lilas": {"rights": {"ins.see": ["radiologist"]}}}}
    (tmp_path / "policy.json").write_text(json.dumps(rules))
    own = settings.model_copy(update={"identity_policy_file": tmp_path / "policy.json"})
    async with open_desk(own, insi) as desk:
        patient_id = await qualified(desk)
        hidden = await desk.read(patient_id)
        assert (hidden["status"], hidden["ins"], hidden["ins_hidden"]) == ("qualifiee", None, True)
        image = await desk.http.get(f"/patients/{patient_id}/ins-datamatrix")
        assert image.status_code == 403


async def test_a_birth_place_no_list_knows_is_a_warning_and_never_a_refusal(
    settings: Any, open_desk: Any, insi: Any, tmp_path: Any
) -> None:
    (tmp_path / "communes.csv").write_text("COM,LIBELLE\n38185,Grenoble\n")
    async with open_desk(settings.model_copy(update={"cog_file": tmp_path / "communes.csv"}), insi) as desk:
        known = await desk.create()
        assert known["warnings"] == []
        unknown = await desk.create(birth_place_code="2A020")
        assert [one["code"] for one in unknown["warnings"]] == ["unknown_cog", "possible_duplicate"]
        assert "comparer" in unknown["warnings"][1]["message"]
