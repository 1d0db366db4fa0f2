"""Errors as the user of an API reads them: problem+json (RFC 9457), in French, without any value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MEDIA_TYPE = "application/problem+json"

_NOT_FOUND = "Cet objet n'existe pas ou ne vous est pas accessible."
_TITLES = {
    400: "Requête invalide",
    401: "Authentification requise",
    403: "Accès refusé",
    404: "Introuvable",
    405: "Méthode non autorisée",
    408: "Délai dépassé",
    409: "Conflit",
    413: "Requête trop volumineuse",
    415: "Type de contenu refusé",
    422: "Données invalides",
    429: "Trop de requêtes",
    500: "Erreur interne",
    502: "Service distant en erreur",
    503: "Service indisponible",
}


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One field and the rule it breaks; never its value."""

    field: str
    rule: str


class ProblemError(Exception):
    """Raise it anywhere under a route: it becomes the answer.

    ``code`` identifies the kind of problem for programs (``urn:navette:problem:<code>``); ``detail`` is a
    French sentence for people. Neither may hold a value that came in.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: Sequence[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})

    @classmethod
    def unauthorized(cls, detail: str) -> ProblemError:
        """401, with the challenge that HTTP asks for."""
        return cls(401, "unauthorized", detail, headers={"WWW-Authenticate": "Bearer"})

    @classmethod
    def forbidden(cls, detail: str) -> ProblemError:
        """403."""
        return cls(403, "forbidden", detail)

    @classmethod
    def not_found(cls, detail: str = _NOT_FOUND) -> ProblemError:
        """404."""
        return cls(404, "not-found", detail)

    @classmethod
    def conflict(cls, code: str, detail: str) -> ProblemError:
        """409: the state of the object does not allow it."""
        return cls(409, code, detail)

    @classmethod
    def invalid(cls, *errors: FieldProblem, detail: str = "Un ou plusieurs champs sont invalides.") -> ProblemError:
        """422 naming fields and rules."""
        return cls(422, "invalid-fields", detail, errors=errors)

    def body(self) -> dict[str, Any]:
        """The JSON object of the answer."""
        return {
            "type": f"urn:navette:problem:{self.code}",
            "title": _TITLES.get(self.status, "Erreur"),
            "status": self.status,
            "detail": self.detail,
            "errors": [{"field": one.field, "rule": one.rule} for one in self.errors],
        }


class OutOfSightError(ProblemError):
    """An object of a site for which the caller does not work: answered as one that does not exist.

    A 403 would tell a stranger which ids exist. Catch it to record the refusal.
    """

    def __init__(self) -> None:
        super().__init__(404, "not-found", _NOT_FOUND)
