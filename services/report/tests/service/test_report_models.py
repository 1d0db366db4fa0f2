"""Report models: texts per site and per act to start from, and what a draft written from one says."""

from __future__ import annotations

import json
from typing import Any

import pytest
import pytest_asyncio
from joserfc.jwk import ECKey
from navette_chassis.auth.jwks import JwksCache
from navette_chassis.auth.tokens import TokenVerifier
from navette_chassis.http import build_app
from navette_chassis.service import Mode
from navette_chassis.testing import running
from navette_report.adapters.patients import PatientRepository
from navette_report.app import create_service
from navette_report.domain.models import load_models
from pydantic import ValidationError

pytestmark = pytest.mark.asyncio(loop_scope="module")

MODELS = [
    {"name": "libre", "label": "Compte rendu libre"},
    {
        "name": "irm-cerebrale", "label": "IRM cérébrale normale", "acts": ["30657-1"],
        "texts": {"technique": "Séquences T1 et T2.", "conclusion": "IRM cérébrale sans anomalie."},
    },
    {"name": "scanner", "label": "Scanner", "acts": ["24627-2"], "texts": {"technique": "Coupes de 1 mm."}},
    {
        "name": "scanner", "label": "Scanner du site", "acts": ["24627-2"], "site_id": "site-nord",
        "texts": {"technique": "Coupes de 0,6 mm."},
    },
]  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def modelled(world: Any, tmp_path_factory: Any) -> Any:
    """The same callers, before a service that has models."""
    file = tmp_path_factory.mktemp("models") / "models.json"
    file.write_text(json.dumps(MODELS), encoding="utf-8")
    settings = world.service.settings.model_copy(
        update={"report_models_file": file, "mongo_database": f"{world.service.settings.mongo_database}_m"}
    )
    service, key = create_service(settings), ECKey.generate_key("P-256", {"kid": "test", "use": "sig"})

    async def jwks() -> Any:
        return {"keys": [key.as_dict(private=False)]}

    verifier = TokenVerifier(audience="report", jwks=JwksCache(jwks), clock=service.clock)
    # Routes only: its consumers would take the events of the service the other tests run.
    async with running(service, Mode.API, seconds=60):
        here = type(world)(service, build_app(service, verifier=verifier), key, world.samples, world.rpps)

        async def arrive(uow: Any) -> None:
            await PatientRepository(uow, lambda: service.keyring).project(here.identified("p", qualified=False))

        await service.transact(arrive)
        yield here


async def offered(modelled: Any, query: str) -> Any:
    async with modelled.caller("secretary") as caller:
        return await caller.get(f"/models?{query}")


async def test_a_site_offers_its_models_for_an_act_those_made_for_it_first(modelled):
    answer = await offered(modelled, "site_id=site-nord&act=30657-1")
    assert [one["name"] for one in answer.json()["models"]] == ["irm-cerebrale", "libre"]
    answer = await offered(modelled, "site_id=site-nord&act=24627-2")
    assert [one["label"] for one in answer.json()["models"]] == ["Scanner du site", "Compte rendu libre"]
    assert len((await offered(modelled, "site_id=site-nord")).json()["models"]) == 3


async def test_models_of_another_site_are_not_offered(modelled):
    assert (await offered(modelled, "site_id=site-sud")).status_code == 403


async def draft(modelled: Any, model: str | None, **content: Any) -> Any:
    body = {
        "patient_id": "p", "site_id": modelled.site, "model": model,
        "content": modelled.samples.content(**content).model_dump(mode="json"),
    }  # fmt: skip
    async with modelled.caller("secretary") as caller:
        made = await caller.post("/reports", json=body)
        return made if made.status_code != 201 else await caller.get(f"/reports/{made.json()['report_id']}")


async def test_a_model_fills_what_the_author_left_empty_and_nothing_else(modelled):
    content = (await draft(modelled, "irm-cerebrale", technique="", conclusion="Lésion à surveiller.")).json()[
        "content"
    ]
    assert content["technique"] == "Séquences T1 et T2."
    assert content["conclusion"] == "Lésion à surveiller."


async def test_an_unknown_model_is_refused(modelled):
    refused = await draft(modelled, "inconnu")
    assert (refused.status_code, refused.json()["errors"]) == (
        422,
        [{"field": "model", "rule": "ce modèle de compte rendu n’existe pas sur ce site"}],
    )


@pytest.mark.parametrize(
    "wrong", [{"texts": {"findings": "漢字"}}, {"acts": ["30657"]}, {"texts": {"title": "x"}}, {"name": "a b"}]
)
async def test_a_model_that_could_not_be_printed_or_found_is_refused_at_boot(wrong):
    with pytest.raises(ValidationError):
        load_models(json.dumps([{**MODELS[0], **wrong}]).encode())
