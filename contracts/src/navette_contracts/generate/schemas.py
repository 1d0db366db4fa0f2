"""JSON Schema snapshots of the events (contracts/schemas/<type>.json)."""

import json
from pathlib import Path
from typing import Any

from navette_contracts.catalogue import EVENTS
from navette_contracts.compat import breaks
from navette_contracts.events import Event

FOLDER = Path("contracts/schemas")


def schema_of(event: type[Event]) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of an event as its consumers should see it.

    It is left open (no `additionalProperties: false`): producers are strict, but a consumer has to accept
    fields that a later minor version adds. `x-sealed` describes what a sealed string decrypts to.
    """
    schema = event.model_json_schema(mode="validation")
    _simplify(schema)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": event.type,
        **schema,
        "x-event": {"type": event.type, "topic": event.topic(), "key": event.key_field},
    }


def _simplify(node: Any) -> None:
    if isinstance(node, dict):
        if node.get("type") == "object":
            node.pop("additionalProperties", None)
        if isinstance(node.get("title"), str):
            del node["title"]
        for child in node.values():
            _simplify(child)
    elif isinstance(node, list):
        for child in node:
            _simplify(child)


def files() -> dict[Path, str]:
    """Return the snapshot of every event of the catalogue."""
    return {
        FOLDER / f"{event.type}.json": json.dumps(schema_of(event), indent=2, ensure_ascii=False) + "\n"
        for event in EVENTS
    }


def forbidden_changes(root: Path) -> list[str]:
    """Compare the models with the snapshots under `root`; say what a major version does not allow."""
    current = {event.type: event for event in EVENTS}
    found: list[str] = []
    for snapshot in sorted((root / FOLDER).glob("*.json")):
        event = current.get(snapshot.stem)
        if event is None:
            found.append(f"{snapshot.stem}: event removed")
            continue
        old = json.loads(snapshot.read_text(encoding="utf-8"))
        found.extend(f"{event.type}: {change}" for change in breaks(old, schema_of(event)))
    return found
