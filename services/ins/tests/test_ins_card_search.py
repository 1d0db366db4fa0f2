"""A search opened by a carte Vitale, and calls made as a professional (spec/ins.md §2.3, §2.5)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from navette_chassis.testing import until
from navette_ins.adapters.searches import exchange_of
from navette_ins.settings import InsSettings
from navette_sandbox.simulators.insi.server import InsiSimulator
from pydantic import ValidationError

TWINS = {"birth_name": "JUMEAU-EXEMPLE", "birth_date": "2018-11-30", "birth_place_code": "76540", "sex": "M"}
GABIN = TWINS | {"first_birth_given_name": "GABIN", "birth_given_names": "GABIN"}
INSURED = "2880976540999"


def assertion(number: str = INSURED, *, issued: datetime | None = None) -> str:
    """What the reader builds from the card."""
    at = issued or datetime.now(UTC)
    return (
        f'<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_card" Version="2.0" '
        f'IssueInstant="{at.isoformat()}"><saml:Issuer>Lecteur</saml:Issuer><saml:Subject>'
        f'<saml:NameID NameQualifier="VITALE">{number}</saml:NameID></saml:Subject><saml:Conditions '
        f'NotBefore="{at.isoformat()}" NotOnOrAfter="{(at + timedelta(minutes=20)).isoformat()}"/></saml:Assertion>'
    )


def card(**changes: Any) -> dict[str, Any]:
    """A card of a parent with twins, as a reader gives it."""
    people = [
        {"birth_name": "PARENT-EXEMPLE", "given_name": "CLAIRE", "birth_date": "1988-09-02", "own_number": INSURED},
        {"birth_name": "JUMEAU-EXEMPLE", "given_name": "ADAM", "birth_date": "2018-11-30", "birth_rank": "1"},
        {"birth_name": "JUMEAU-EXEMPLE", "given_name": "GABIN", "birth_date": "2018-11-30", "birth_rank": "2"},
    ]
    reading = {"read_at": datetime.now(UTC).isoformat(), "insured_number": INSURED, "beneficiaries": people}
    return reading | {"assertion": assertion()} | changes


async def by_card(desk: Any, patient_id: str, beneficiary: int | None, **changes: Any) -> dict[str, Any]:
    asked = await desk.act(patient_id, "insi-card-search", expect=202, reading=card(**changes), beneficiary=beneficiary)
    return await answer_to(desk, patient_id, asked)


async def answer_to(desk: Any, patient_id: str, asked: dict[str, Any]) -> dict[str, Any]:
    """What a search comes to."""

    async def finished() -> dict[str, Any] | None:
        state = await desk.read(patient_id, f"/insi-calls/{asked['call_id']}")
        return state if state["state"] != "requested" else None

    return dict(await until(finished))


@pytest.mark.dsr("RIS.INS.50", "RIS.INS.40", "RIS.INS.41")
async def test_the_twin_that_was_picked_is_found_and_recorded_as_read_from_the_card(desk: Any) -> None:
    patient = await desk.create(**GABIN)
    await desk.act(patient["patient_id"], "identity-checks", document_kind="LE")
    search = await by_card(desk, patient["patient_id"], 2)
    assert (search["state"], search["code"]) == ("accepted", "00")
    qualified = await desk.read(patient["patient_id"])
    assert (qualified["status"], qualified["ins"]["matricule"][:13]) == ("qualifiee", "1181176540922")
    (call,) = desk.insi.views()["calls"](())
    assert (call["operation"], call["caller"]) == ("card", "INSI-MANU")

    (row,) = await desk.service.database["insi_exchanges"].find().to_list()
    assert (row["operation"], row["mode"], row["code"]) == ("rechercherInsAvecCarteVitale", "certificate", "00")
    assert exchange_of(row, desk.keyring).query["insured_number"] == INSURED


async def test_nothing_of_the_card_stays_but_the_sealed_trace(desk: Any) -> None:
    patient = await desk.create(**GABIN)
    await by_card(desk, patient["patient_id"], 2)
    (search,) = await desk.service.database["insi_searches"].find().to_list()
    assert "card" not in search
    kept = ""
    for name in await desk.service.database.list_collection_names():
        async for row in desk.service.database[name].find():
            kept += repr(row)
    for secret in (INSURED, "JUMEAU", "PARENT-EXEMPLE", "CLAIRE", "VITALE"):
        assert secret not in kept


@pytest.mark.parametrize(
    ("beneficiary", "changes", "field"),
    [
        (None, {}, "beneficiary"),
        (7, {}, "beneficiary"),
        (2, {"assertion": None}, "assertion"),
        (2, {"read_at": (datetime.now(UTC) - timedelta(hours=1)).isoformat()}, "read_at"),
        (2, {"insured_number": "288097654099X"}, "insured_number"),
    ],
)
async def test_a_card_that_says_too_little_is_refused_before_any_call(
    desk: Any, beneficiary: int | None, changes: dict[str, Any], field: str
) -> None:
    patient = await desk.create(**GABIN)
    refused = await desk.act(
        patient["patient_id"], "insi-card-search", expect=422, reading=card(**changes), beneficiary=beneficiary
    )
    assert [one["field"] for one in refused["errors"]] == [field]
    assert INSURED not in str(refused)
    assert desk.insi.views()["calls"](()) == []


async def test_the_assertion_of_another_card_is_refused_by_insi_and_found_nobody(desk: Any) -> None:
    patient = await desk.create(**GABIN)
    search = await by_card(desk, patient["patient_id"], 2, assertion=assertion("2620225056924"))
    assert (search["state"], search["who_must_act"]) == ("failed", "operator")
    assert (await desk.read(patient["patient_id"]))["status"] == "provisoire"


class ShiftedClock:
    """The clock of the machine, moved by hand."""

    shift = timedelta(0)

    def now(self) -> datetime:
        moment = datetime.now(UTC) + self.shift
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


async def test_a_card_that_waited_out_an_outage_is_asked_for_again(
    settings: InsSettings, insi: InsiSimulator, open_desk: Any
) -> None:
    clock = ShiftedClock()
    insi.faults.add({"kind": "down"})
    async with open_desk(settings, insi, clock=clock) as desk:
        patient_id = (await desk.create(**GABIN))["patient_id"]
        asked = await desk.act(patient_id, "insi-card-search", expect=202, reading=card(), beneficiary=2)
        clock.shift += timedelta(minutes=21)
        search = await answer_to(desk, patient_id, asked)
        assert search["state"] == "outdated"
        assert "relire" in search["state_label"]
        (row,) = await desk.service.database["insi_searches"].find().to_list()
        assert "card" not in row


async def test_a_person_of_the_card_who_is_not_the_patient_is_put_before_somebody(desk: Any) -> None:
    patient = await desk.create(**GABIN)
    search = await by_card(desk, patient["patient_id"], 1)
    assert search["state"] == "to_decide"
    assert "first_birth_given_name" in search["differences"]


def as_professionals(settings: InsSettings, insi: InsiSimulator) -> InsSettings:
    changes = {
        "insi_auth": "psc",
        "insi_psc_url": f"https://127.0.0.1:{insi.ports()['psc_port']}/lps",
        "insi_psc_issuer": "https://imagerie-fictive.example",
        "insi_billing_number": "990000002",
        "insi_specialty": "06",
    }
    return InsSettings.model_validate(settings.model_dump() | changes)


async def test_a_professional_may_call_with_an_assertion_instead_of_a_certificate(
    settings: InsSettings, insi: InsiSimulator, open_desk: Any
) -> None:
    async with open_desk(as_professionals(settings, insi), insi, "radiologist", "secretary") as desk:
        patient = await desk.create()
        assert (await desk.search(patient["patient_id"]))["state"] == "accepted"
        (row,) = await desk.service.database["insi_exchanges"].find().to_list()
    (noted,) = insi.views()["calls"](())
    assert (noted["caller"], noted["code"]) == ("assertion", "00")
    assert (row["mode"], row["sender"]) == ("psc", "899700001003")


async def test_an_assertion_and_a_card_travel_together(
    settings: InsSettings, insi: InsiSimulator, open_desk: Any
) -> None:
    async with open_desk(as_professionals(settings, insi), insi, "secretary") as desk:
        patient = await desk.create(**GABIN)
        assert (await by_card(desk, patient["patient_id"], 2))["state"] == "accepted"


@pytest.mark.parametrize(
    "changes",
    [
        {"insi_auth": "psc"},
        {"insi_verification": "sandbox", "insi_verification_url": None},
        {"insi_auto_key": None},
        {"insi_billing_number": "12"},
    ],
)
def test_settings_that_could_not_work_are_refused(settings: InsSettings, changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        InsSettings.model_validate(settings.model_dump() | changes)


def test_the_double_of_verification_is_refused_in_production(settings: InsSettings) -> None:
    doubled = settings.model_copy(update={"insi_verification": "sandbox", "insi_verification_url": "https://x"})
    assert any("insi_verification" in problem for problem in doubled.production_problems())
    assert not any("insi_verification" in problem for problem in settings.production_problems())
