"""The live table of journeys."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from navette_sandbox.scenarios.stage import Journey, Played, Stage, line

_STYLES = {
    "waiting": "yellow",
    "scheduled": "cyan",
    "sent": "green",
    "delivered": "bold green",
    "read": "bold green",
    "refused": "bold red",
    "failed": "bold red",
    "cancelled": "dim",
}


def _cell(one: Journey) -> Text:
    if not one:
        return Text("·", "dim")
    text = Text(one["state_label"], _STYLES.get(one["state"], ""))
    if one["state"] == "waiting" and one["reason_label"]:
        text.append(f" ({one['reason_label'].split(' : ')[0]})", "dim")
    return text


def board(played: Sequence[Played], started: float) -> Table:
    """One row per report: scenario, title, and the state of its three lines."""
    table = Table(title=f"Parcours des comptes rendus – {time.monotonic() - started:.0f} s", title_justify="left")
    table.add_column("", width=1)
    table.add_column("Compte rendu", no_wrap=True, overflow="ellipsis", max_width=36)
    for column in ("DMP", "Demandeur", "Patient"):
        table.add_column(column, min_width=9)
    for one in played:
        journey = one.journey or {"lines": []}
        cells = [line(journey, "dmp"), line(journey, "mss", "requester"), line(journey, "mss", "patient")]
        table.add_row(one.text.scenario, one.text.title, *map(_cell, cells))
    return table


async def show(stage: Stage, live: Live, narration: Sequence[str], started: float) -> None:
    """Redraw four times a second until cancelled."""
    while True:
        said = Text("\n".join(narration[-6:]))
        live.update(Group(board(stage.played, started), said))
        await asyncio.sleep(0.25)
