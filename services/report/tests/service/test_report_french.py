"""Every error a user may read is French: all routes are asked wrongly in every way, and every rule has its words."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import navette_report
import pytest
from fastapi.routing import iter_route_contexts
from navette_report.api import french
from navette_report.api.field_rules import FIELD_RULES
from navette_report.domain.lifecycle import Act, State

CODE = re.compile(r"[a-z0-9_.:-]+|.*[a-z]_[a-z].*|[a-z_]+: [a-z-]+")
"""One word, an identifier, or "field: rule": what programs say to each other."""
ENGLISH = re.compile(r"\b(the|should|must|invalid|input|field|required|value|not|allowed|expected|error)\b", re.I)
LONG = "x" * 300
WRONG_BODIES: list[dict[str, Any]] = [
    {"content": b"{", "headers": {"Content-Type": "application/json"}},
    {"content": b"<a/>", "headers": {"Content-Type": "application/xml"}},
    {"json": {}},
    {"json": []},
    {"json": {"unknown": 1}},
    {"json": {"co_readers": ["12345678901", "1"], "built_on": "x", "reason": LONG, "announcement_needed": "peut-être"}},
    {"json": {"built_on": 0, "content": {}, "reason": "漢字", "patient_id": " ", "site_id": None, "model": LONG}},
    {"json": {"patient_id": "p", "site_id": "site-nord", "content": {"title": "", "acts": [], "exam": 3, "x": 1}}},
]
WRONG_QUERIES = (
    "",
    "state=nonsense&limit=0&examined_from=hier&days=x&day=demain&seconds=-1&rpps=1&site_id=" + LONG,
    "rpps=99700000013&day=9999-12-31&examined_to=9999-12-31&until=9999-12-31",
    "rpps=99700000013&day=0001-01-01&examined_from=0001-01-01&since=0001-01-01&until=0001-01-02",
    "limit=1000000&rpps=99700000001&since=2026-02-02&until=2026-02-01&worklist=none&days=9999&seconds=1e9",
)


def wrong_contents(samples: Any) -> Iterator[dict[str, Any]]:
    """Contents that each break one rule of the model."""
    good = samples.content().model_dump(mode="json")
    act, correspondent = good["acts"][0], good["correspondents"][0]
    for name, value in (("modality", "ZZ"), ("region", "1"), ("body_site", "1"), ("ccam_label", None),
                        ("loinc_code", "abc"), ("loinc_code", "36813-5")):  # fmt: skip
        yield good | {"acts": [act | {name: value}]}
    yield good | {"acts": [act | {"exposure": {}}]}
    measure = {"quantity": "none", "value": 1}
    yield good | {"acts": [act | {"exposure": {"measures": [measure]}}]}
    yield good | {"acts": [act | {"contrast": [{"name": "Iode", "atc_code": "V08AB02", "volume_ml": "12.123456"}]}]}
    for name, value in (
        ("specialty", "x"),
        ("rpps", "1"),
        ("rpps", "12345678901"),
        ("finess", "1"),
        ("role", "patient"),
    ):
        yield good | {"correspondents": [correspondent | {name: value}]}
    yield good | {"correspondents": [correspondent | {"rpps": None}]}
    yield good | {"correspondents": [correspondent, correspondent | {"recipient_id": "b"}]}
    yield good | {"correspondents": [correspondent, correspondent]}
    yield good | {"contraindications": ["x"]}
    for name, value in (("ended_at", "2020-01-01T00:00:00Z"), ("study_instance_uid", "a"), ("started_at", "hier"),
        ("started_at", "0001-01-01T00:00:00+14:00"), ("ended_at", "9999-12-31T23:59:59-12:00"),
    ):  # fmt: skip
        yield good | {"exam": good["exam"] | {name: value}}


def check(answer: httpx.Response, where: str) -> None:
    """A refusal is problem+json whose every text is a French sentence."""
    if answer.status_code < 400:
        return
    assert answer.status_code < 500, where
    assert answer.headers["content-type"].startswith("application/problem+json"), where
    body = answer.json()
    texts = [body["title"], body["detail"], *(one["rule"] for one in body["errors"])]
    for text in texts:
        assert not CODE.fullmatch(text), f"{where}: {text}"
        assert not ENGLISH.search(text), f"{where}: {text}"


@pytest.mark.asyncio(loop_scope="module")
async def test_every_route_refuses_in_french(world: Any) -> None:
    report_id = await world.draft(world.new_patient())
    signed = await world.signed(world.new_patient())
    asked, refused = 0, 0
    for route in iter_route_contexts(world.app.routes):
        for method in sorted(set(route.methods or ()) - {"HEAD", "OPTIONS"}):
            for target in (report_id, signed, "unknown"):
                path = re.sub(r"\{[a-z_]+\}", target, route.path)
                for answer in [one async for one in _asked_wrongly(world, method, path)]:
                    asked, refused = asked + 1, refused + (answer.status_code >= 400)
                    check(answer, f"{method} {route.path}")
    assert refused > 300, (asked, refused)


async def _asked_wrongly(world: Any, method: str, path: str) -> Any:
    callers = [
        world.caller("technologist", sites=["elsewhere"]),
        world.radiologist(),
        world.radiologist(rpps=None, name=None),
        world.caller("secretary", "administrator"),
        world.caller(kind="service", subject="ins"),
    ]
    bodies = [{}] if method == "GET" else WRONG_BODIES
    queries = WRONG_QUERIES if method == "GET" else ("",)
    for client in callers:
        async with client as caller:
            for query in queries:
                for body in bodies:
                    # A stream that is granted ends at once.
                    yield await caller.request(method, f"{path}?{query or 'seconds=0.01'}", **body)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=world.app), base_url="http://report") as anyone:
        yield await anyone.request(method, path)
        yield await anyone.request("TRACE", path)


@pytest.mark.asyncio(loop_scope="module")
async def test_every_broken_rule_of_a_content_is_named_in_french(world: Any) -> None:
    report_id = await world.draft(world.new_patient())
    for content in wrong_contents(world.samples):
        async with world.caller("secretary") as caller:
            answer = await caller.put(f"/reports/{report_id}/content", json=content)
        assert answer.status_code == 422
        assert answer.json()["errors"]
        check(answer, str(answer.json()["errors"][0]["field"]))


def _codes(function: str) -> set[str]:
    """Literal first arguments of the calls of `function` in the domain."""
    found = set()
    for file in sorted((Path(navette_report.__file__).parent / "domain").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == function and node.args:
                argument = node.args[0]
                if isinstance(argument, ast.Constant):
                    found.add(str(argument.value))
    return found


def test_every_rule_of_the_domain_has_its_sentence() -> None:
    internal = {"unsigned", "only_the_current_version_changes", "report models: choices that exclude each other"}
    rules = (_codes("Forbidden") | _codes("broken.append")) - internal
    assert {"already_announced", "former_version_in_dmp", "hidden_from_professionals_and_patient"} <= rules
    assert rules <= set(french.RULES), sorted(rules - set(french.RULES))
    fields = _codes("ValueError") - internal
    assert "unknown_modality" in fields
    assert fields <= set(FIELD_RULES), sorted(fields - set(FIELD_RULES))
    for act in Act:
        for state in State:
            assert not CODE.fullmatch(french.rule(f"{act}_not_allowed_when_{state}"))
