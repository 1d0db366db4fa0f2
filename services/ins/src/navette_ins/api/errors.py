"""How refusals look in the OpenAPI document: problem+json (RFC 9457), in French, without any value that came in."""

from __future__ import annotations

from typing import Annotated, Any, Final

from navette_chassis.http import ApiModel
from pydantic import Field


class ProblemField(ApiModel):
    """One field and the rule it breaks."""

    field: Annotated[str, Field(examples=["birth_name"])]
    rule: Annotated[str, Field(examples=["ne peut pas être vide"])]


class Problem(ApiModel):
    """A refusal."""

    type: Annotated[str, Field(examples=["urn:navette:problem:invalid-fields"])]
    title: Annotated[str, Field(examples=["Données invalides"])]
    status: Annotated[int, Field(examples=[422])]
    detail: Annotated[str, Field(examples=["Un ou plusieurs champs sont invalides."])]
    """A sentence for people."""
    errors: list[ProblemField]


def _problem(description: str) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": description, "content": content}


PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    401: _problem("Authentification requise"),
    403: _problem("Droit absent de la table, ou pas sur ce site ; le refus est tracé"),
    404: _problem("Introuvable"),
    409: _problem("L’état de l’identité ne le permet pas ; `type` dit la règle"),
    422: _problem("Champs refusés, nommés avec leur règle"),
    503: _problem("Une dépendance ne répond pas ou n’est pas configurée"),
}
