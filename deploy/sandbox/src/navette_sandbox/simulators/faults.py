"""Fault scripts: what a simulator is told to do wrong, for how long, and on which operation."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

COMMON_KINDS = frozenset({"down", "slow", "flaky", "http_error", "lost_answer"})
"""Kinds that every HTTP simulator understands; a simulator adds its own (``soap_fault``, ``busy`` …)."""

_LOOKS = 0.05
"""Seconds between two looks at whether a fault was lifted."""

_FIELDS = frozenset({"target", "kind", "seconds", "count", "delay", "probability", "status", "code"})


class FaultScriptError(ValueError):
    """The posted script is not understood; the message names the field."""


@dataclass(slots=True)
class Fault:
    """One fault: ``kind`` applied to ``target`` (``*`` = every operation).

    ``seconds`` bounds its life from the moment it is posted, ``count`` the number of requests it hits,
    ``delay`` is in seconds, ``probability`` in [0, 1]. Without bounds it lasts until ``DELETE /faults``.
    """

    kind: str
    target: str = "*"
    seconds: float | None = None
    count: int | None = None
    delay: float = 1.0
    probability: float = 1.0
    status: int = 502
    code: str = ""
    started: float = field(default=0.0, repr=False)
    hits: int = 0

    def live(self, now: float) -> bool:
        """Whether the fault can still hit a request at ``now`` (monotonic seconds)."""
        if self.seconds is not None and now >= self.started + self.seconds:
            return False
        return self.count is None or self.hits < self.count

    def as_json(self, now: float) -> dict[str, Any]:
        """What ``GET /faults`` shows."""
        left = None if self.seconds is None else round(max(0.0, self.started + self.seconds - now), 3)
        return {
            "target": self.target,
            "kind": self.kind,
            "seconds_left": left,
            "count": self.count,
            "hits": self.hits,
            "delay": self.delay,
            "probability": self.probability,
            "status": self.status,
            "code": self.code,
        }


def _number(script: dict[str, Any], name: str) -> float | None:
    value = script.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise FaultScriptError(f"{name}: a number >= 0 is expected")
    return float(value)


class FaultBook:
    """The faults a simulator is under. ``take`` consumes one hit, so each call stands for one request."""

    def __init__(
        self,
        kinds: Iterable[str] = COMMON_KINDS,
        *,
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
    ) -> None:
        self._kinds = frozenset(kinds)
        self._clock = clock
        self._rng = rng or random.Random()  # noqa: S311 - chance of a fault, not a secret
        self._faults: list[Fault] = []

    def add(self, script: Any) -> Fault:
        """Add one fault from its JSON object. Raises `FaultScriptError`."""
        if not isinstance(script, dict):
            raise FaultScriptError("script: a JSON object is expected")
        unknown = sorted(set(script) - _FIELDS)
        if unknown:
            raise FaultScriptError(f"{unknown[0]}: unknown field")
        kind = script.get("kind")
        if kind not in self._kinds:
            raise FaultScriptError(f"kind: expected one of {', '.join(sorted(self._kinds))}")
        count, status = _number(script, "count"), _number(script, "status")
        delay, probability = _number(script, "delay"), _number(script, "probability")
        default_probability = 0.5 if kind == "flaky" else 1.0
        fault = Fault(
            kind=kind,
            target=str(script.get("target", "*")),
            seconds=_number(script, "seconds"),
            count=None if count is None else int(count),
            delay=1.0 if delay is None else delay,
            probability=default_probability if probability is None else min(probability, 1.0),
            status=502 if status is None else int(status),
            code=str(script.get("code", "")),
            started=self._clock(),
        )
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Forget every fault."""
        self._faults.clear()

    def lift(self, kind: str) -> None:
        """Forget the faults of one kind."""
        self._faults = [fault for fault in self._faults if fault.kind != kind]

    def take(self, target: str, *kinds: str) -> Fault | None:
        """The first live fault of one of ``kinds`` for ``target``, counted as a hit."""
        now = self._clock()
        for fault in self._faults:
            if fault.kind not in kinds or fault.target not in {"*", target} or not fault.live(now):
                continue
            if fault.probability < 1.0 and self._rng.random() >= fault.probability:
                continue
            fault.hits += 1
            return fault
        return None

    async def delay(self, target: str) -> None:
        """Return once ``slow`` has taken its time."""
        slow = self.take(target, "slow")
        if slow is not None:
            await asyncio.sleep(slow.delay)

    async def stall(self, target: str) -> None:
        """Return once no ``stalled`` fault is on ``target`` any more."""
        while self.take(target, "stalled") is not None:  # noqa: ASYNC110 - lifted by a test or over HTTP
            await asyncio.sleep(_LOOKS)

    def down(self) -> bool:
        """Whether connections are refused now. Not counted: a refused connection is not a request."""
        now = self._clock()
        return any(fault.kind == "down" and fault.live(now) for fault in self._faults)

    def as_json(self) -> list[dict[str, Any]]:
        """Live and spent faults, oldest first."""
        now = self._clock()
        return [fault.as_json(now) | {"live": fault.live(now)} for fault in self._faults]
