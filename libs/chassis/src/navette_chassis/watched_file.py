"""A mounted configuration file, read again when it changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import structlog

T = TypeVar("T")

log = structlog.get_logger("navette.files")


class WatchedFile(Generic[T]):
    """Its content as `load` reads it; an unusable new version is told in the log and not taken.

    `empty` is what there is without a file. `load` raises ValueError for what it cannot use (pydantic's
    ValidationError is one); so does this for the first version, or OSError.
    """

    def __init__(self, path: Path | None, load: Callable[[bytes], T], *, empty: T, setting: str) -> None:
        self._path = path
        self._load = load
        self._setting = setting
        self._changed = 0 if path is None else path.stat().st_mtime_ns
        self._content = empty if path is None else load(path.read_bytes())

    def __call__(self) -> T:
        """The content as it is now."""
        if self._path is None:
            return self._content
        try:
            changed = self._path.stat().st_mtime_ns
            if changed != self._changed:
                self._changed = changed
                self._content = self._load(self._path.read_bytes())
        except (OSError, ValueError) as error:
            log.warning("file.unusable", setting=self._setting, error=type(error).__name__)
        return self._content
