"""The order of the scenarios."""

from __future__ import annotations

import asyncio

from navette_sandbox.scenarios.intake import play_j
from navette_sandbox.scenarios.letters import play_k
from navette_sandbox.scenarios.outages import play_c, play_d, play_e
from navette_sandbox.scenarios.platform import play_p
from navette_sandbox.scenarios.plays import play_a, play_b, release_b
from navette_sandbox.scenarios.stage import Stage
from navette_sandbox.scenarios.versions import play_versions


async def play_all(stage: Stage) -> None:
    """All eleven scenarios. Those of versions and of the platform run beside the one that waits for an identity.

    Raises:
        PlatformError: something did not arrive in time.
    """

    async def waiting() -> None:
        await release_b(stage, await play_b(stage))

    await play_a(stage)
    await asyncio.gather(waiting(), play_versions(stage), play_j(stage), play_k(stage), play_p(stage))
    await play_c(stage)
    await play_d(stage)
    await play_e(stage)
