"""Broken validation rules in French, naming the field and never repeating what was sent."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from navette_chassis.problem import FieldProblem

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_OUTER = {"body", "query", "path", "header", "cookie"}

#: Pydantic's error types (public and stable) to sentences; braces take parameters of the rule.
_RULES = {
    "missing": "champ obligatoire",
    "extra_forbidden": "champ inconnu",
    "json_invalid": "JSON mal formé",
    "json_type": "JSON attendu",
    "model_type": "objet JSON attendu",
    "model_attributes_type": "objet JSON attendu",
    "dict_type": "objet JSON attendu",
    "list_type": "liste attendue",
    "tuple_type": "liste attendue",
    "string_type": "texte attendu",
    "string_too_short": "au moins {min_length} caractère(s)",
    "string_too_long": "au plus {max_length} caractère(s)",
    "string_pattern_mismatch": "format non conforme",
    "too_short": "au moins {min_length} élément(s)",
    "too_long": "au plus {max_length} élément(s)",
    "int_type": "nombre entier attendu",
    "int_parsing": "nombre entier attendu",
    "int_from_float": "nombre entier attendu",
    "float_type": "nombre attendu",
    "float_parsing": "nombre attendu",
    "finite_number": "nombre fini attendu",
    "decimal_type": "nombre attendu",
    "decimal_parsing": "nombre attendu",
    "decimal_max_digits": "au plus {max_digits} chiffres",
    "decimal_max_places": "au plus {decimal_places} décimales",
    "bool_type": "vrai ou faux attendu",
    "bool_parsing": "vrai ou faux attendu",
    "greater_than": "doit être supérieur à {gt}",
    "greater_than_equal": "doit être au moins {ge}",
    "less_than": "doit être inférieur à {lt}",
    "less_than_equal": "doit être au plus {le}",
    "enum": "valeurs admises : {expected}",
    "literal_error": "valeurs admises : {expected}",
    "none_required": "doit être absent",
    "uuid_parsing": "identifiant UUID attendu",
    "uuid_type": "identifiant UUID attendu",
    "url_parsing": "adresse URL attendue",
    "timezone_aware": "date et heure avec fuseau horaire attendues",
}
_FAMILIES = {
    "datetime_": "date et heure attendues (ISO 8601)",
    "date_": "date attendue (AAAA-MM-JJ)",
    "time_": "heure attendue (HH:MM:SS)",
    "union_tag": "nature inconnue",
}


def field_problems(
    errors: Iterable[Mapping[str, Any]], words: Mapping[str, str] = MappingProxyType({})
) -> list[FieldProblem]:
    """Pydantic (or FastAPI) errors as field and rule, both free of values.

    `words`: sentences of the codes that the service's own validators raise as ValueError.
    """
    return [FieldProblem(_field(error["loc"]), _rule(error, words)) for error in errors]


def _field(loc: Sequence[Any]) -> str:
    parts = list(loc)
    if parts and parts[0] in _OUTER:
        where = parts.pop(0)
        if not parts or (where == "body" and isinstance(parts[0], int) and len(parts) == 1):
            return "corps" if where == "body" else str(where)
        if where == "header":  # the name is the one we declare, never one that was sent
            return str(parts[0])
    names = [str(part) if isinstance(part, int) or _PLAIN_NAME.fullmatch(str(part)) else "?" for part in parts]
    return ".".join(names) or "corps"


def _rule(error: Mapping[str, Any], words: Mapping[str, str]) -> str:
    kind = str(error["type"])
    context = error.get("ctx") or {}
    if kind in _RULES:
        return _RULES[kind].format_map(_Parameters(context)).replace("' or '", "' ou '")
    for family, sentence in _FAMILIES.items():
        if kind.startswith(family):
            return sentence
    if kind in {"value_error", "assertion_error"}:
        return _sentence_of_validator(str(error["msg"]), error.get("input"), words)
    return "valeur invalide"


class _Parameters(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "?"


def _sentence_of_validator(message: str, value: Any, words: Mapping[str, str]) -> str:
    sentence = message.removeprefix("Value error, ").removeprefix("Assertion failed, ")
    if sentence in words:
        return words[sentence]
    if not sentence or any(text in sentence for text in _texts(value)):
        return "valeur invalide"  # a sentence that quotes its input must not reach an answer or a log
    return sentence


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple | set):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        text = str(value)
        if len(text) > 2:
            yield text
