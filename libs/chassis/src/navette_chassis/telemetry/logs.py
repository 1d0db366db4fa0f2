"""JSON lines on standard output: static event names, listed keys, redacted exceptions.

Lines of libraries go through the same door: their formatted text is dropped, because it may quote what they
were given; logger, level, place in the code and (when the values came apart from it) the template remain. What a
library repeats from one place is told once a minute, with how often it was held back (``repeated``).
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog
from opentelemetry import trace

from navette_chassis.origin import known_origin
from navette_chassis.telemetry import redact
from navette_chassis.telemetry.catalogue import LOG_KEYS
from navette_chassis.telemetry.metrics import metrics
from navette_chassis.telemetry.recurrence import Recurrence

_EVENT_NAME = re.compile(r"[a-z][a-z0-9_.]{0,79}")
_MAX_TEXT = 200
_FRAME_KEYS = frozenset({"event", "level", "logger", "timestamp"})

Line = MutableMapping[str, Any]


def configure(service: str, level: str, *, stream: TextIO | None = None) -> None:
    """Set up structlog and the standard library's logging for this process. Third parties stay at INFO or above."""
    out = stream or sys.stdout
    structlog.configure(
        processors=[
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.contextvars.merge_contextvars,
            _exceptions,
            _allow_listed,
            _Correlated(service),
            _to_json,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_LoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    handler = _LibraryHandler()
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(logging.INFO, logging.getLevelName(level)))
    for name in (
        "aiokafka",
        "faststream",
        "pymongo",
        "httpx",
        "httpcore",
        "uvicorn",
        "uvicorn.error",
        "uvicorn.access",
    ):
        library = logging.getLogger(name)
        library.handlers[:] = []
        library.propagate = True
        library.setLevel(logging.WARNING if name in {"httpx", "httpcore", "uvicorn.access"} else logging.INFO)


class _Output:
    """A structlog logger that writes finished lines; ``name`` is what ``get_logger`` was given."""

    def __init__(self, stream: TextIO, name: str) -> None:
        self._stream = stream
        self.name = name

    def msg(self, message: str) -> None:
        self._stream.write(message + "\n")
        self._stream.flush()

    debug = info = warning = error = critical = exception = log = msg


class _LoggerFactory:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, *args: Any) -> _Output:
        return _Output(self._stream, str(args[0]) if args else "navette")


def _exceptions(_: Any, __: str, line: Line) -> Line:
    error = line.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()[1]
    if isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        line.update(redact.describe(error))
    return line


def _allow_listed(_: Any, __: str, line: Line) -> Line:
    kept: dict[str, Any] = {}
    dropped = 0
    for key, value in line.items():
        if key in _FRAME_KEYS:
            kept[key] = value
        elif key in LOG_KEYS and isinstance(value, str | int | float | bool | None):
            kept[key] = value[:_MAX_TEXT] if isinstance(value, str) else value
        else:
            dropped += 1
    if not _EVENT_NAME.fullmatch(str(kept.get("event"))):
        kept["event"] = "log.event_name_refused"
        dropped += 1
    if dropped:
        kept["dropped_keys"] = dropped
        metrics().count("navette_telemetry_dropped", dropped, kind="log_key")
    return kept


class _Correlated:
    def __init__(self, service: str) -> None:
        self._service = service

    def __call__(self, _: Any, __: str, line: Line) -> Line:
        line["service"] = self._service
        origin = known_origin()
        if origin is not None:
            line.setdefault("correlation_id", origin.correlation_id)
        span = trace.get_current_span().get_span_context()
        if span.is_valid:
            line["trace_id"] = trace.format_trace_id(span.trace_id)
            line["span_id"] = trace.format_span_id(span.span_id)
        return line


def _to_json(_: Any, __: str, line: Line) -> str:
    return json.dumps(line, ensure_ascii=False, separators=(",", ":"))


class _LibraryHandler(logging.Handler):
    """Turns a standard-library record into one of our lines, without its text."""

    def __init__(self) -> None:
        super().__init__()
        self._recurrence = Recurrence()

    def emit(self, record: logging.LogRecord) -> None:
        """See ``logging.Handler``; what is repeated is held back."""
        facts: dict[str, Any] = {"error_at": f"{record.filename}:{record.lineno}:{record.funcName}"}
        error = type(record.exc_info[1]) if record.exc_info else None
        repeated = self._recurrence.note((record.name, record.levelno, facts["error_at"], error))
        if repeated is None:
            return
        if repeated:
            facts["repeated"] = repeated
        if record.args and isinstance(record.msg, str):
            facts["library_template"] = record.msg
        if record.exc_info and record.exc_info[1] is not None:
            facts.update(redact.describe(record.exc_info[1]))
        logger = structlog.get_logger(record.name)
        logger.log(min(record.levelno, logging.CRITICAL) // 10 * 10 or logging.INFO, "library.message", **facts)
