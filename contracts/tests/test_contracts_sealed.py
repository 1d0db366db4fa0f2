"""What is sealed stays unread by everybody without the key, and says so clearly when it cannot be opened."""

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwe
from joserfc.jwk import OctKey
from navette_contracts import events as e
from navette_contracts.catalogue import TOPICS
from navette_contracts.sealed import Keyring, KeyringError, Sealed, SealError, UnknownKeyError, sealed_fields
from pydantic import BaseModel, ConfigDict

SECRET = "CANARI-MATRICULE"


def key(kid: str) -> dict[str, str]:
    return {
        "kty": "oct",
        "kid": kid,
        "alg": "A256GCM",
        "k": base64.urlsafe_b64encode(os.urandom(32)).rstrip(b"=").decode(),
    }


def keyring(current: str, *keys: dict[str, str]) -> Keyring:
    return Keyring.from_json(json.dumps({"current": current, "keys": keys}))


OLD, NEW = key("2026-01"), key("2026-02")
BEFORE, DURING, AFTER = keyring("2026-01", OLD), keyring("2026-02", OLD, NEW), keyring("2026-02", NEW)


def header_of(sealed: Sealed[Any]) -> Any:
    return json.loads(base64.urlsafe_b64decode(sealed.token.split(".")[0] + "=="))


class Note(BaseModel):
    model_config = ConfigDict(extra="forbid")
    text: str


class NewerNote(Note):
    added_later: int = 3


def test_a_sealed_value_comes_back_with_the_key() -> None:
    assert Sealed.seal(Note(text=SECRET), BEFORE).open(BEFORE, Note) == Note(text=SECRET)
    assert Sealed.seal(SECRET, BEFORE).open(BEFORE, str) == SECRET


@given(st.text(max_size=200))
def test_any_text_survives_sealing(text: str) -> None:
    assert Sealed.seal(text, BEFORE).open(BEFORE, str) == text


def test_rotation_by_adding_a_key_keeps_old_messages_readable() -> None:
    old_message = Sealed.seal(SECRET, BEFORE)
    new_message = Sealed.seal(SECRET, DURING)
    assert old_message.open(DURING, str) == SECRET
    assert new_message.open(AFTER, str) == SECRET
    assert header_of(new_message)["kid"] == "2026-02"


def test_a_key_that_was_removed_is_named_as_the_reason() -> None:
    with pytest.raises(UnknownKeyError, match="not in the keyring"):
        Sealed.seal(SECRET, BEFORE).open(AFTER, str)


def test_the_right_kid_with_another_key_does_not_open() -> None:
    impostor = keyring("2026-01", {**NEW, "kid": "2026-01"})
    with pytest.raises(SealError, match="altered"):
        Sealed.seal(SECRET, BEFORE).open(impostor, str)


@pytest.mark.parametrize("part", [2, 3, 4])
def test_an_altered_message_is_refused(part: int) -> None:
    parts = Sealed.seal(SECRET, BEFORE).token.split(".")
    parts[part] = ("B" if parts[part][0] == "A" else "A") + parts[part][1:]
    with pytest.raises(SealError):
        Sealed[str](".".join(parts)).open(BEFORE, str)


def test_another_algorithm_announced_in_the_header_is_refused() -> None:
    weaker = OctKey.import_key({"kty": "oct", "k": OLD["k"]})
    registry = jwe.JWERegistry(algorithms=["A256KW", "A256GCM"])
    token = jwe.encrypt_compact(
        {"alg": "A256KW", "enc": "A256GCM", "kid": "2026-01"}, b'"x"', weaker, registry=registry
    )
    with pytest.raises(ValueError, match="not a compact JWE"):
        Sealed[str](token)
    other = jwe.JWERegistry(algorithms=["dir", "A128CBC-HS256"])
    token = jwe.encrypt_compact(
        {"alg": "dir", "enc": "A128CBC-HS256", "kid": "2026-01"}, b'"x"', weaker, registry=other
    )
    with pytest.raises((SealError, ValueError)):
        Sealed[str](token).open(BEFORE, str)


def test_two_seals_of_the_same_value_look_different() -> None:
    assert Sealed.seal(SECRET, BEFORE) != Sealed.seal(SECRET, BEFORE)


def test_nothing_shows_the_content() -> None:
    class Holder(BaseModel):
        note: Sealed[Note]

    holder = Holder(note=Sealed.seal(Note(text=SECRET), BEFORE))
    for shown in (repr(holder), str(holder), holder.model_dump_json(), f"{holder.note}", repr(holder.note)):
        assert SECRET not in shown
    assert "…" in repr(holder.note)
    assert SECRET not in repr(vars(holder))


def test_errors_do_not_show_the_content() -> None:
    with pytest.raises(SealError, match="not a Note") as refusal:
        Sealed[Any].seal({"text": 3, "why": SECRET}, BEFORE).open(BEFORE, Note)
    assert SECRET not in str(refusal.value)
    with pytest.raises(ValueError, match="not a compact JWE") as malformed:
        Sealed[str](SECRET)
    assert SECRET not in str(malformed.value)


def test_a_consumer_opens_what_a_later_producer_sealed() -> None:
    newer = Sealed.seal(NewerNote(text=SECRET), BEFORE)
    assert Sealed[Note](newer.token).open(BEFORE, Note) == Note(text=SECRET)


def test_a_keyring_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "keyring.json"
    file.write_text(json.dumps({"current": "2026-01", "keys": [OLD, NEW]}))
    read = Keyring.from_file(file)
    assert read.kids == {"2026-01", "2026-02"}
    assert Sealed.seal(SECRET, BEFORE).open(read, str) == SECRET
    assert OLD["k"] not in repr(read)


@pytest.mark.parametrize(
    "document",
    [
        "",
        "[]",
        "{}",
        json.dumps({"current": "absent", "keys": [OLD]}),
        json.dumps({"current": "2026-01", "keys": [OLD, OLD]}),
        json.dumps({"current": "2026-01", "keys": [{**OLD, "k": "c2hvcnQ"}]}),
        json.dumps({"current": "2026-01", "keys": [{**OLD, "k": "*"}]}),
        json.dumps({"current": "2026-01", "keys": [{**OLD, "alg": "A128GCM"}]}),
        json.dumps({"current": "2026-01", "keys": [{**OLD, "kty": "RSA"}]}),
        json.dumps({"current": "2026-01", "keys": ["x"]}),
    ],
)
def test_a_keyring_that_cannot_be_trusted_is_refused_without_quoting_it(document: str) -> None:
    with pytest.raises(KeyringError) as refusal:
        Keyring.from_json(document)
    assert OLD["k"] not in str(refusal.value)


def test_traits_open_into_the_model_of_the_contract() -> None:
    traits = e.Traits(
        birth_name="NOMFICTIF",
        first_birth_given_name="ÉLODIE",
        birth_given_names="ÉLODIE",
        birth_date="1980-02-00",
        sex="I",
        birth_place_code="2A004",
    )
    assert Sealed.seal(traits, BEFORE).open(DURING, e.Traits) == traits


def test_every_sealed_field_of_every_event_is_found_with_the_kind_of_its_content() -> None:
    for event in (kind for topic in TOPICS for kind in topic.events):
        schema = event.model_json_schema()
        declared = {name for name, one in schema["properties"].items() if "x-sealed" in json.dumps(one)}
        assert json.dumps(schema).count('"x-sealed"') == len(declared), "a seal inside a part would not be found"
        whole = {name: Sealed.seal(SECRET, BEFORE) for name in declared}
        made = event.model_construct(**dict.fromkeys(event.model_fields) | whole)
        found = {name: (seal, kind) for name, seal, kind in sealed_fields(made)}
        assert {name: seal for name, (seal, _) in found.items()} == whole
        assert all(kind in {e.Traits, e.Ins, str} for _, kind in found.values())
        assert list(sealed_fields(event.model_construct(**dict.fromkeys(event.model_fields)))) == []
