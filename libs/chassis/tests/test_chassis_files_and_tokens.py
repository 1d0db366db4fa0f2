"""Mounted files that change while a service runs, and tokens under which values are found without being stored."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from navette_chassis.blind_index import BlindIndex
from navette_chassis.watched_file import WatchedFile


def test_a_changed_file_is_taken_and_an_unusable_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "numbers.json"
    path.write_text("[1]")
    watched = WatchedFile[list[int]](path, json.loads, empty=[], setting="numbers_file")

    def change(text: str, at: int) -> list[int]:
        path.write_text(text)
        os.utime(path, ns=(at, at))
        return watched()

    assert watched() == [1]
    assert change("[1, 2]", 10**18) == [1, 2]
    assert change("[1,", 2 * 10**18) == [1, 2]
    assert change("[3]", 3 * 10**18) == [3]
    path.unlink()
    assert watched() == [3]


def test_without_a_file_there_is_what_stands_for_it() -> None:
    assert WatchedFile[dict[str, int]](None, json.loads, empty={}, setting="none")() == {}


def test_a_first_version_that_cannot_be_used_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "numbers.json"
    path.write_text("[")
    with pytest.raises(ValueError, match="Expecting"):
        WatchedFile[list[int]](path, json.loads, empty=[], setting="numbers_file")


def test_tokens_are_equal_for_equal_values_of_one_purpose_and_one_key_only(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"k" * 32 + b"\n")
    index = BlindIndex.from_file(tmp_path / "key")
    assert index.of("value", "a") == index.of("value", "a")
    others = {index.of("value", "b"), index.of("other", "a"), BlindIndex(b"x" * 32).of("value", "a")}
    assert index.of("value", "a") not in others
    assert "value" not in index.of("value", "a")
    assert index.subkey("search") != index.subkey("other")


def test_a_key_that_protects_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"short")
    with pytest.raises(ValueError, match="at least 32 bytes"):
        BlindIndex.from_file(tmp_path / "key")
