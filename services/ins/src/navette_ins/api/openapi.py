"""The OpenAPI document, committed as `services/ins/openapi.json`; `python -m navette_ins.api.openapi` rewrites it."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from navette_chassis import Service

from navette_ins.adapters.app_readings import AppReaders
from navette_ins.adapters.identities import BlindIndex
from navette_ins.adapters.verifier import NotConfigured
from navette_ins.api.certificates import certificate_routes
from navette_ins.api.errors import Problem, ProblemField
from navette_ins.api.pam import pam_routes
from navette_ins.api.routers import api_router
from navette_ins.api.verifications import verification_routes
from navette_ins.settings import InsSettings
from navette_ins.use_cases.desk import Desk
from navette_ins.use_cases.receive_pam_message import Intake
from navette_ins.use_cases.verification_desk import VerificationDesk

COMMITTED = Path(__file__).parents[3] / "openapi.json"


def openapi_document() -> dict[str, Any]:
    """The document, from the routes as they are declared; nothing is started."""
    service = Service(InsSettings.model_construct(), name="ins")
    desk = Desk(keyring=lambda: service.keyring, index=BlindIndex(b""), insi=_no_insi)
    app = FastAPI(
        title="Navette – identités et INS",
        version="1",
        description="Identités des patients selon le RNIV, et leur INS par INSi. Jeton interne ES256 injecté par la "
        "passerelle de psc-auth. Aucune copie de pièce d’identité n’est acceptée ni conservée.",
    )
    verification = VerificationDesk(desk=desk, verifier=NotConfigured, period=timedelta(days=1), lot_size=1)
    intake = Intake(senders=dict, production=True, keep=timedelta(days=1))
    others = (
        verification_routes(service, verification),
        certificate_routes(service, desk, _no_insi, {}),
        pam_routes(service, desk, intake),
    )
    app.include_router(api_router(service, desk, {}, AppReaders(None), *others))
    document = app.openapi()
    schemas = document["components"]["schemas"]
    for model in (ProblemField, Problem):
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schema.pop("$defs", None)
        schemas[model.__name__] = schema
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    document["components"]["securitySchemes"] = {
        "internal": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT ES256, aud=ins"}
    }
    document["security"] = [{"internal": []}]
    return document


def rendered() -> str:
    """The text of the committed file."""
    return json.dumps(openapi_document(), ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def _no_insi() -> Any:
    message = "declared only"
    raise RuntimeError(message)


if __name__ == "__main__":
    COMMITTED.write_text(rendered(), encoding="utf-8")
    sys.stdout.write(f"{COMMITTED.name}\n")
