"""Golden examples: at least one message per event version that every consumer must always be able to read.

Everybody in them is invented. Sealed parts are sealed with the published keyring beside them, which protects
nothing and which no deployment may use. Ciphertext already committed is kept as long as its content is the
same, so that generating twice changes nothing.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from navette_contracts.cloudevents import Envelope, encode
from navette_contracts.events import Event, Ins, Traits
from navette_contracts.generate.example_events import INS, REASON, TRAITS, examples
from navette_contracts.sealed import Keyring, Sealed, SealError

FOLDER = Path("contracts/examples")
KEYRING_FILE = FOLDER / "keyring.json"

PUBLISHED_KEYRING: dict[str, Any] = {
    "current": "published-test-2",
    "keys": [
        {"kty": "oct", "kid": "published-test-1", "alg": "A256GCM", "k": "vdahQ6AiUCkJAezTYegKuS3ViPvLdccvP2kuFGIfuLQ"},
        {"kty": "oct", "kid": "published-test-2", "alg": "A256GCM", "k": "EZ62w9xBynGvwTShWP0HFBBezDl_FYE2NU1VpvOx4sI"},
    ],
}

_T = TypeVar("_T", Traits, Ins, str)
_TIME = datetime(2026, 3, 9, 10, 15, 30, 250000, tzinfo=UTC)


def published_keyring() -> Keyring:
    """Return the keyring the examples are sealed with."""
    return Keyring.from_json(json.dumps(PUBLISHED_KEYRING))


def files(root: Path) -> dict[Path, str]:
    """Return the keyring file and every example; `root` is where committed ciphertext is looked up."""
    committed = list(_committed_tokens(root))
    keyring = published_keyring()
    sealed = (
        _seal(TRAITS, Traits, committed, keyring),
        _seal(INS, Ins, committed, keyring),
        _seal(REASON, str, committed, keyring),
    )
    produced = {KEYRING_FILE: json.dumps(PUBLISHED_KEYRING, indent=2) + "\n"}
    for number, (name, event) in enumerate(examples(*sealed), start=1):
        text = json.dumps(_message(event, number), indent=2, ensure_ascii=False) + "\n"
        produced[FOLDER / event.type / f"{name}.json"] = text
    return produced


def _message(event: Event, number: int) -> dict[str, Any]:
    identity = f"01990000-0000-7000-8000-{number:012d}"
    headers, body = encode(
        Envelope(
            id=identity,
            type=event.type,
            source="/navette/example",
            time=_TIME,
            subject=event.key,
            sequence=number,
            correlation_id="01990000-0000-7000-8000-00000000c0de",
            causation_id="01990000-0000-7000-8000-00000000cafe",
            traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ),
        # An example without a default is the one that shows that the field may be missing.
        event.model_dump_json(exclude_unset=True).encode(),
    )
    return {
        "key": event.key,
        "headers": {key: value.decode() for key, value in headers},
        "body": json.loads(body),
    }


def _seal(value: _T, kind: type[_T], committed: list[Sealed[_T]], keyring: Keyring) -> Sealed[_T]:
    for token in committed:
        try:
            if token.open(keyring, kind) == value:
                return token
        except SealError:
            continue  # sealed content of another kind, or by an earlier keyring
    return Sealed.seal(value, keyring)


def _committed_tokens(root: Path) -> Iterator[Sealed[Any]]:
    for file in sorted((root / FOLDER).glob("*/*.json")):
        for value in json.loads(file.read_text(encoding="utf-8"))["body"].values():
            try:
                yield Sealed(value)
            except ValueError:
                continue  # not a sealed field
