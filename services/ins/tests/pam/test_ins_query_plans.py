"""No act of the service reads a whole collection that grows: each question begins at a field an index leads with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from navette_chassis.testing import Questions, listening, until, without_a_leading_index

GROWING = frozenset(
    {
        "identities", "history", "identity_cases", "insi_searches", "insi_exchanges", "local_ids", "pam_messages",
        "verification_due", "verification_checks", "verification_answers", "venues", "ins_recipients", "merges",
        "prior_searches", "imports", "import_rejects",
    }
)  # fmt: skip
QUALIFIED = "adt_a28_create_qualified"


@pytest.fixture
def questions() -> Iterator[Questions]:
    with listening() as heard:
        yield heard


def test_a_question_that_no_index_answers_is_seen() -> None:
    assert without_a_leading_index([{"a": 1, "b": 2}, {"b": 1}, {}], {"_id", "a"}) == [["b"], []]


@pytest.mark.timeout(240)
@pytest.mark.dsr("RIS.INS.07")
async def test_a_day_of_the_service_asks_nothing_that_reads_a_whole_collection(
    questions: Questions, open_links: Callable[..., Any], insi: Any, adt: Callable[..., bytes]
) -> None:
    url = f"https://127.0.0.1:{insi.ports()['port']}"
    system = {"name": "dpi", "host": "127.0.0.1", "port": 9, "application": "DPI", "facility": "CH"}
    more = {"insi_verification": "sandbox", "insi_verification_url": url}
    async with open_links([system | {"sending_facility": "LILAS"}], **more) as links:
        await _a_day(links, adt)
        assert await questions.unfit(links.service.database, GROWING) == {}
    assert {"identities", "history", "identity_cases", "insi_searches", "local_ids", "pam_messages"} <= set(
        questions.asked
    )


async def _a_day(links: Any, adt: Callable[..., bytes]) -> None:
    """Arrivals by hand and by message, INSi, cases, a merge, a verification, every list."""
    patient_id = (await links.create(**TWIN, local_id="100300"))["patient_id"]
    await links.act(patient_id, "identity-checks", document_kind="CN")
    await links.act(patient_id, "insi-search")
    await settled(links, f"/patients/{patient_id}", "qualifiee", field="status")
    twin = (await links.create(**TWIN))["patient_id"]
    for number, event in enumerate((QUALIFIED, "adt_a04_outpatient", "adt_a40_merge", "adt_a47_ins_removed")):
        assert (await links.send(adt(event, MSH_10=f"D{number}"))).code in ("AA", "AE")
    for criteria in (
        {"birth_date": "1968-04-17", "name": "DUV"},
        {"local_id": "100300"},
        {"matricule": "268043818590119"},
    ):
        await links.ask("POST", "/patients/search", **criteria)
    await links.act(patient_id, "venues", venue_id="V1")
    await links.act(patient_id, "traits", method="PATCH", used_name="EPOUX-FICTIF")
    check = await links.act(patient_id, "verifications")
    await settled(links, f"/patients/{patient_id}/verifications/{check['check_id']}", "ok")
    for list_name in ("to_qualify", "ins_to_search", "several_answers", "to_decide", "not_found", "doubtful"):
        await links.act_on_site(list_name)
    for list_name in ("duplicates", "verification_ko"):
        await links.act_on_site(list_name)
    for path in (f"/patients/{patient_id}", f"/patients/{patient_id}/history", "/cases"):
        await links.ask("GET", path)
    merged = await links.ask("POST", "/merges", surviving_id=patient_id, absorbed_id=twin)
    await links.ask("POST", f"/merges/{merged['merge_id']}/undo", reason="deux personnes")
    await links.http.get("/pam/messages")
    await links.http.get(f"/pam/ins-recipients/{patient_id}")
    await links.act(twin, "attributes", attribute="douteuse")


async def settled(links: Any, path: str, state: str, *, field: str = "state") -> None:
    """Wait, as a user would: by asking the service."""

    async def done() -> bool:
        return bool((await links.ask("GET", path))[field] == state)

    await until(done)


TWIN = {
    "birth_name": "DUVAL-FICTIF",
    "first_birth_given_name": "CAMILLE",
    "birth_date": "1968-04-17",
    "sex": "F",
    "birth_place_code": "38185",
}
