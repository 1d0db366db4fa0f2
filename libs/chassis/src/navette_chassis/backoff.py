"""Growing, jittered delays between attempts, and waits that a stop can cut short."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential delays with full jitter in their upper half; seconds."""

    first: float
    cap: float
    factor: float = 2.0

    def delay(self, attempt: int) -> float:
        """Seconds to wait after attempt ``attempt`` (1-based): between half of the step and the step."""
        step = min(self.cap, self.first * self.factor ** min(attempt - 1, 64))
        return step * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing


async def wait_or_stop(stopping: asyncio.Event, seconds: float) -> bool:
    """Sleep, unless the stop comes first; True when it did."""
    try:
        async with asyncio.timeout(seconds):
            await stopping.wait()
    except TimeoutError:
        return False
    return True
