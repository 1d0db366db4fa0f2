"""FHIR search over the resources: the parameters of spec/annuaire.md §2.4 and nothing else."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable

from navette_sandbox.simulators.annuaire.resources import Json

Matcher = Callable[[Json, str, str], bool]
"""Gets the resource, the modifier (``exact``, ``contains`` or empty) and the value."""

RESULT_PARAMETERS = {"_count", "_elements", "_format", "_pretty", "_total", "_include", "_revinclude"}


class SearchError(ValueError):
    """A parameter or value is refused; the message goes into the OperationOutcome."""


def _fold(value: str) -> str:
    decomposed = unicodedata.normalize("NFD", value)
    return "".join(char for char in decomposed if not unicodedata.combining(char)).casefold()


def _string(candidates: Iterable[str], modifier: str, value: str) -> bool:
    if modifier == "exact":
        return value in candidates
    if modifier == "contains":
        return any(_fold(value) in _fold(candidate) for candidate in candidates)
    return any(_fold(candidate).startswith(_fold(value)) for candidate in candidates)


def _identifier(resource: Json, modifier: str, value: str) -> bool:
    del modifier
    system, bar, number = value.rpartition("|")
    return any(
        item["value"] == number and (not bar or item["system"] == system) for item in resource.get("identifier", [])
    )


def _mailbox(resource: Json, modifier: str, value: str) -> bool:
    return _string([item["value"] for item in resource.get("telecom", [])], modifier, value)


def _names(part: str) -> Matcher:
    def match(resource: Json, modifier: str, value: str) -> bool:
        found: list[str] = []
        for name in resource.get("name", []):
            if part in {"family", "name"}:
                found.append(name["family"])
            if part in {"given", "name"}:
                found += name["given"]
        return _string(found, modifier, value)

    return match


def _codes(field: str) -> Matcher:
    def match(resource: Json, modifier: str, value: str) -> bool:
        del modifier
        system, bar, code = value.rpartition("|")
        holders = [item.get("code", item) for item in resource.get(field, [])]
        codings = [coding for holder in holders for coding in holder.get("coding", [])]
        return any(item["code"] == code and (not bar or item["system"] == system) for item in codings)

    return match


def _address(field: str) -> Matcher:
    return lambda resource, modifier, value: _string(
        [item[field] for item in resource.get("address", [])], modifier, value
    )


def _reference(field: str) -> Matcher:
    def match(resource: Json, modifier: str, value: str) -> bool:
        del modifier
        target = resource.get(field, {}).get("reference", "")
        return bool(value) and value in {target, target.rpartition("/")[2]}

    return match


def _active(resource: Json, modifier: str, value: str) -> bool:
    del modifier
    if value not in {"true", "false"}:
        raise SearchError('HAPI-0302: Invalid value for "active"')
    return bool(resource["active"]) == (value == "true")


def _last_updated(resource: Json, modifier: str, value: str) -> bool:
    del modifier
    return str(resource["meta"]["lastUpdated"]) >= value.removeprefix("ge")


def _id(resource: Json, modifier: str, value: str) -> bool:
    del modifier
    return resource["id"] in value.split(",")


_COMMON: dict[str, Matcher] = {
    "_id": _id,
    "_lastUpdated": _last_updated,
    "active": _active,
    "identifier": _identifier,
    "mailbox-mss": _mailbox,
}
PARAMETERS: dict[str, dict[str, Matcher]] = {
    "Practitioner": _COMMON
    | {
        "family": _names("family"),
        "given": _names("given"),
        "name": _names("name"),
        "qualification-code": _codes("qualification"),
    },
    "PractitionerRole": _COMMON
    | {"practitioner": _reference("practitioner"), "organization": _reference("organization")},
    "Organization": _COMMON
    | {
        "name": lambda resource, modifier, value: _string([resource.get("name", "")], modifier, value),
        "address-postalcode": _address("postalCode"),
        "address-city": _address("city"),
        "type": _codes("type"),
    },
}
_REVINCLUDES = {"PractitionerRole:practitioner": "practitioner", "PractitionerRole:organization": "organization"}
_INCLUDES = {"PractitionerRole:practitioner": ("practitioner",), "PractitionerRole:organization": ("organization",)}


def search(resources: dict[str, Json], kind: str, query: list[tuple[str, str]]) -> list[tuple[Json, str]]:
    """Matches then includes, each with its search mode. Raises `SearchError`."""
    known = PARAMETERS[kind]
    found = [item for item in resources.values() if item["resourceType"] == kind]
    criteria = 0
    for key, value in query:
        name, _, modifier = key.partition(":")
        if name in RESULT_PARAMETERS:
            continue
        if name not in known or modifier not in {"", "exact", "contains"}:
            raise SearchError(f'HAPI-0524: Unknown search parameter "{key}" for resource type "{kind}"')
        criteria += 1
        # Alternatives are separated by commas (FHIR search §2.21.1.5).
        found = [item for item in found if any(known[name](item, modifier, part) for part in value.split(","))]
    if not criteria:
        raise SearchError("HAPI-0302: a search without criteria is refused")
    results = [(item, "match") for item in found]
    return results + [(item, "include") for item in _included(resources, found, query)]


def _included(resources: dict[str, Json], found: list[Json], query: list[tuple[str, str]]) -> list[Json]:
    keys = {f"{item['resourceType']}/{item['id']}" for item in found}
    added: dict[str, Json] = {}
    for key, value in query:
        if key == "_revinclude":
            field = _REVINCLUDES.get(value)
            if field is None:
                raise SearchError(f"HAPI-0302: Invalid _revinclude parameter: {value}")
            roles = ((name, item) for name, item in resources.items() if item["resourceType"] == "PractitionerRole")
            added |= {name: item for name, item in roles if item[field]["reference"] in keys}
        elif key == "_include":
            fields = ("practitioner", "organization") if value == "*" else _INCLUDES.get(value)
            if fields is None:
                raise SearchError(f"HAPI-0302: Invalid _include parameter: {value}")
            for item in [*found, *added.values()]:
                for field in fields:
                    target = item.get(field, {}).get("reference", "")
                    if target in resources and target not in keys:
                        added[target] = resources[target]
    return list(added.values())


def subset(resource: Json, elements: list[str]) -> Json:
    """Only the elements asked for, with the SUBSETTED tag."""
    keep = {"resourceType", "id", *elements}
    meta = resource["meta"] | {"tag": [{"code": "SUBSETTED"}]}
    return {key: value for key, value in resource.items() if key in keep} | {"meta": meta}
