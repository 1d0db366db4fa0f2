"""What may change in an event within its major version: optional fields may be added, nothing else.

Producers and consumers are deployed in any order and old messages stay in topics, so a change must be safe
in both directions: a new consumer reads old messages, an old consumer reads new ones. The checker compares
the JSON Schema of a model with the committed snapshot. A value may be added to an enumeration only when it
is open (has "other"), because only then do older consumers have a place for it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]

_ANNOTATIONS = frozenset({"title", "description", "examples", "$defs", "$id", "$schema", "additionalProperties"})
_WALKED = frozenset({"properties", "required", "items", "anyOf", "x-sealed", "enum"})
_UPPER = frozenset({"maxLength", "maximum", "exclusiveMaximum", "maxItems"})
_LOWER = frozenset({"minLength", "minimum", "exclusiveMinimum", "minItems"})


@dataclass(frozen=True)
class Break:
    """One forbidden change: where, and which rule it breaks."""

    path: str
    rule: str

    def __str__(self) -> str:
        return f"{self.path}: {self.rule}"


def breaks(old: Schema, new: Schema) -> list[Break]:
    """Return the forbidden changes from one schema of an event to the next, in reading order."""
    return list(_compare(_Side(old, old), _Side(new, new), "event"))


@dataclass(frozen=True)
class _Side:
    """A piece of a schema with the document it belongs to, so that `$ref` can be followed."""

    root: Schema
    here: Schema

    def at(self, piece: Schema, root: Schema | None = None) -> "_Side":
        root = self.root if root is None else root
        seen: dict[str, Any] = dict(piece)
        while "$ref" in seen:
            target = root["$defs"][seen.pop("$ref").rsplit("/", 1)[-1]]
            seen = {**target, **seen}
        return _Side(root, seen)


def _compare(old: _Side, new: _Side, path: str) -> Iterator[Break]:
    yield from _fields(old, new, path)
    yield from _enumeration(old.here, new.here, path)
    yield from _alternatives(old, new, path)
    for keyword in ("items", "x-sealed"):
        before, after = old.here.get(keyword), new.here.get(keyword)
        if (before is None) != (after is None):
            yield Break(path, f"{keyword} added or removed")
        elif before is not None and after is not None:
            sealed = keyword == "x-sealed"
            yield from _compare(
                old.at(before, before if sealed else None),
                new.at(after, after if sealed else None),
                f"{path}{'(sealed)' if sealed else '[]'}",
            )
    for keyword in sorted((old.here.keys() | new.here.keys()) - _ANNOTATIONS - _WALKED):
        before, after = old.here.get(keyword), new.here.get(keyword)
        if before != after and not (keyword == "default" and _same_part(before, after, new.here)):
            yield Break(path, _keyword_rule(keyword, before, after))


def _same_part(before: Any, after: Any, new: Schema) -> bool:
    """Whether a default part only gained the optional fields that the part gained, each with its own default."""
    if not isinstance(before, dict) or not isinstance(after, dict):
        return False
    gained = {name: value for name, value in after.items() if name not in before}
    properties = new.get("properties", {})
    return before == {name: value for name, value in after.items() if name not in gained} and all(
        properties.get(name, {}).get("default") == value for name, value in gained.items()
    )


def _fields(old: _Side, new: _Side, path: str) -> Iterator[Break]:
    before, after = old.here.get("properties", {}), new.here.get("properties", {})
    needed_before, needed_after = set(old.here.get("required", ())), set(new.here.get("required", ()))
    for name in before:
        where = f"{path}.{name}"
        if name not in after:
            yield Break(where, "field removed or renamed")
            continue
        if name in needed_after - needed_before:
            yield Break(where, "optional field became required")
        if name in needed_before - needed_after:
            yield Break(where, "required field became optional")
        yield from _compare(old.at(before[name]), new.at(after[name]), where)
    for name in after:
        if name not in before and name in needed_after:
            yield Break(f"{path}.{name}", "required field added")


def _enumeration(old: Schema, new: Schema, path: str) -> Iterator[Break]:
    if "enum" not in old and "enum" not in new:
        return
    before, after = old.get("enum"), new.get("enum")
    if before is None or after is None:
        yield Break(path, "enumeration added or removed")
        return
    if set(before) - set(after):
        yield Break(path, "enumeration value removed")
    if set(after) - set(before) and "other" not in before:
        yield Break(path, "value added to a closed enumeration")


def _alternatives(old: _Side, new: _Side, path: str) -> Iterator[Break]:
    before, after = old.here.get("anyOf", []), new.here.get("anyOf", [])
    if len(before) != len(after):
        yield Break(path, "null or another alternative allowed or forbidden")
        return
    for one, other in zip(before, after, strict=True):
        yield from _compare(old.at(one), new.at(other), path)


def _keyword_rule(keyword: str, before: Any, after: Any) -> str:
    if keyword in _UPPER | _LOWER:
        loosest = float("inf") if keyword in _UPPER else float("-inf")
        was, now = (loosest if limit is None else limit for limit in (before, after))
        tightened = now < was if keyword in _UPPER else now > was
        return f"constraint {'tightened' if tightened else 'loosened'} ({keyword})"
    return f"{keyword} changed"
