"""Readings of the Appli carte Vitale: a JWS that the reader component of a workstation signed (ES256).

No matricule is ever typed (spec/ins.md §5.3): a reading counts only under a key of the file of readers.
"""

from __future__ import annotations

import json
from pathlib import Path

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from pydantic import ValidationError

from navette_ins.domain.errors import RuleBroken
from navette_ins.domain.insi.app_reading import AppReading

MAX_READING = 8_000
"""Characters of a signed reading."""

_ALGORITHMS = ["ES256"]


class AppReaders:
    """The public keys of the readers: a JWK set, read again at each use so that a reader can be added or barred."""

    def __init__(self, path: Path | None) -> None:
        """Raises OSError or ValueError for a file that cannot be used."""
        self._path = path
        if path is not None:
            self._keys()

    @property
    def configured(self) -> bool:
        """Whether any reading can be taken."""
        return self._path is not None

    def read(self, signed: str) -> AppReading:
        """The reading, when one of the readers signed it. Raises RuleBroken, never with a value of it."""
        try:
            content = jws.deserialize_compact(signed, self._keys(), algorithms=_ALGORITHMS)
        except (JoseError, ValueError, OSError):
            raise RuleBroken("reading", "reader_unknown") from None
        if content.headers().get("alg") not in _ALGORITHMS:
            raise RuleBroken("reading", "reader_unknown")
        return reading_in(signed)

    def _keys(self) -> KeySet:
        assert self._path is not None
        keys = KeySet.import_key_set(json.loads(self._path.read_bytes()))
        if any(key.is_private for key in keys.keys if key.key_type == "EC") or any(
            key.key_type != "EC" for key in keys.keys
        ):
            raise ValueError("app_readers_file: public EC keys only")
        return keys


def reading_in(signed: str) -> AppReading:
    """What a reading says, its signature left aside: it was verified when it came. Raises RuleBroken."""
    try:
        return AppReading.model_validate_json(jws.extract_compact(signed.encode()).payload)
    except (JoseError, ValidationError, ValueError):
        raise RuleBroken("reading", "app_reading") from None
