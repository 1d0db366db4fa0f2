"""Who a connected system says is present appears at the reception, until it says that they left."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Adt = Callable[..., bytes]
pytestmark = [pytest.mark.conformance]
LISTED = "/sites/lilas/worklists/to_qualify"


def provisional(adt: Adt, event: str = "A04", number: str = "V-7") -> bytes:
    """An arrival, or what follows it, of somebody without an INS."""
    pid = "PID|1||100300^^^CHU-X&000897406&N^PI||VENU-FICTIF^JEAN^JEAN^^^^L||19700101|M||||||||||||||||||||||||PROV"
    lines = [
        f"MSH|^~\\&|GAM|CHU-X|DPI|CHU-X|20260302101500||ADT^{event}^ADT_A01|S{event}{number}|P|2.5^FRA^2.11|||||FRA|"
        "UNICODE UTF-8|FR",
        "EVN||20260302101500",
        pid,
        "PV1|1|O|||||||||||||||||" + number + "^^^CHU-X&000897406&M^VN",
    ]
    return "\r".join(lines).encode() + b"\r"


async def present(links: Any) -> list[str]:
    answer = await links.ask("GET", LISTED)
    return [one["birth_name"] for one in answer["items"]]


@pytest.mark.parametrize("end", ["A03", "A11"])
async def test_an_arrival_is_on_the_list_until_the_stay_ends(links: Any, adt: Adt, end: str) -> None:
    assert (await links.send(provisional(adt))).code == "AA"
    assert await present(links) == ["VENU-FICTIF"]
    assert (await links.send(provisional(adt, end, "V-8"))).code == "AA"
    assert await present(links) == ["VENU-FICTIF"]
    assert (await links.send(provisional(adt, end))).code == "AA"
    assert await present(links) == []


async def test_a_qualified_person_who_arrives_has_nothing_left_to_do(links: Any, adt: Adt) -> None:
    assert (await links.send(adt("adt_a01_admission"))).code == "AA"
    assert await present(links) == []
    assert await links.service.database["venues"].count_documents({"open": True}) == 1


async def test_the_stay_of_somebody_else_is_left_alone_and_told(links: Any, adt: Adt) -> None:
    await links.send(provisional(adt))
    other = provisional(adt).replace(b"100300", b"100301").replace(b"SA04V-7", b"S2").replace(b"VENU", b"AUTRE")
    assert (await links.send(other)).code == "AA"
    assert await present(links) == ["VENU-FICTIF"]
    waiting = await links.messages("to_review")
    assert "venue_of_another" in waiting[0]["remarks"]
