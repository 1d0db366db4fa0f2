"""The demonstration: start everything, play, show, write the artefacts, verify them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx
from rich.console import Console
from rich.live import Live

from navette_sandbox import group
from navette_sandbox.embedded.choice import BrokerChoice
from navette_sandbox.layout import SIMULATORS, make_layout
from navette_sandbox.scenarios.artefacts import read_mailboxes, start_output, write_exchanges, write_reports
from navette_sandbox.scenarios.board import board, show
from navette_sandbox.scenarios.client import PlatformError, Radiologist, Secretary
from navette_sandbox.scenarios.page import write_page
from navette_sandbox.scenarios.programme import play_all
from navette_sandbox.scenarios.stage import ScenarioError, Stage
from navette_sandbox.scenarios.verdict import PlatformState, verdict
from navette_sandbox.supervisor import Sandbox
from navette_sandbox.verify.deliveries import Check, Delivered
from navette_sandbox.verify.official import NOT_CHECKED, check_against_the_rules, find_validator
from navette_sandbox.verify.platform import read_messages
from navette_sandbox.verify.submissions import read_submissions


def run_demo(output: Path, root: Path, broker: BrokerChoice, console: Console) -> bool:
    """Run the whole demonstration; True only if all that must hold holds."""
    started = time.monotonic()
    start_output(output)
    layout = make_layout("demo", root)
    console.print("Starting the platform: broker, database, five simulated national services, five services …")
    with Sandbox(layout, broker=broker, fresh=True, say=console.print) as sandbox:
        console.print(f"Ready after {time.monotonic() - started:.0f} s.")
        stage, failure = asyncio.run(_play(sandbox, console, started))
        refusals = asyncio.run(_refusals(stage)) if stage else []
        logs = {name: child.log for name, child in sandbox.children.items()}
    if stage is None:
        console.print(f"The demonstration could not begin: {failure}", style="bold red")
        return False
    write_exchanges(output, layout, logs)
    validator = find_validator()
    checks = _conclude(output, stage, refusals, failure, validator)
    tell(console, checks, output, time.monotonic() - started, unchecked="" if validator else NOT_CHECKED)
    return all(check.held for check in checks)


async def _play(sandbox: Sandbox, console: Console, started: float) -> tuple[Stage | None, str]:
    """Play all scenarios; returns the stage and why it ended early, if it did."""
    narration: list[str] = []
    say = narration.append
    async with (
        Secretary(sandbox.layout, group.SECRETARY["rpps"]) as secretary,
        Radiologist(sandbox.layout, group.RADIOLOGIST["rpps"]) as radiologist,
    ):
        stage = Stage(sandbox, secretary, radiologist, say)
        failure = ""
        with Live(console=console, refresh_per_second=4, transient=True) as live:
            drawing = asyncio.create_task(show(stage, live, narration, started))
            try:
                await play_all(stage)
            except (ScenarioError, PlatformError, httpx.HTTPError) as error:
                failure = str(error) or type(error).__name__
            finally:
                drawing.cancel()
                await asyncio.gather(drawing, return_exceptions=True)
        try:
            await stage.refresh()
            stage.registry = list(await stage.state("dmp", "documents"))
            stage.platform = list(await stage.state("pfi", "documents"))
        except (PlatformError, httpx.HTTPError) as error:
            failure = failure or str(error)
        console.print("\n".join(narration))
        console.print(board(stage.played, started))
        return stage, failure


async def _refusals(stage: Stage) -> list[str]:
    """What the simulators refused: in a demonstration, nothing."""
    found: list[str] = []
    for simulator in SIMULATORS:
        refused = await stage.state(simulator, "refusals")
        found += [f"{simulator}: {one['operation']} {one['rule']}" for one in refused]
    return found


def _conclude(output: Path, stage: Stage, refusals: Sequence[str], failure: str, validator: Path | None) -> list[Check]:
    """Verify, write the artefacts and the page; returns every check."""
    layout = stage.sandbox.layout
    mails = read_mailboxes(layout.received("mss"))
    documents = read_submissions(layout.received("dmp") / "submissions")
    platform = PlatformState(read_messages(layout.received("pfi") / "messages"), stage.platform)
    found = verdict(stage.played, documents, mails, stage.registry, platform)
    checks = [Check("tous les scénarios ont été joués jusqu’au bout", not failure, failure)]
    checks += [Check("vingt comptes rendus ont été signés", len(stage.played) == 20, str(len(stage.played)))]
    checks += [Check(*observation) for observation in stage.observations]
    checks += [Check("les services nationaux n’ont rien refusé", not refusals, "; ".join(refusals[:5]))]
    checks += found.checks
    checks += _levels(stage, found.delivered)
    handed = [message.cda.data for message in platform.messages]
    if validator is not None:
        checks.append(check_against_the_rules(validator, [*(one.content for one in documents), *handed]))
    files = write_reports(output, stage.played, found, mails)
    missing = [path for one in files for _label, path in one.links if not (output / path).is_file()]
    checks.append(Check("chaque fichier cité par la page existe", not missing, ", ".join(missing)))
    searches = list((output / "echanges" / "insi" / "exchanges").glob("*-answer.xml"))
    checks.append(
        Check("chaque échange INSi est conservé", len(searches) >= len(stage.patient_ids), f"{len(searches)}")
    )
    unchecked = "" if validator else NOT_CHECKED
    write_page(output, stage.played, files, checks, stage.sandbox.broker.kind, unchecked=unchecked)
    return checks


def _levels(stage: Stage, delivered: Mapping[str, Delivered]) -> list[Check]:
    """Each site has the documents of the level it chose, and both levels were shown."""
    chosen = {site["site_id"]: site["cda_level"] == "N3" for site in group.SITES}
    wrong, seen = [], set()
    for one in stage.played:
        for _document, cda in delivered[one.key].documents if one.key in delivered else ():
            seen.add(cda.structured)
            if cda.structured != chosen[one.site_id]:
                wrong.append(one.key)
    held = not wrong and seen == {True, False}
    return [Check("chaque site a des documents au niveau qu’il a choisi, N1 ou N3", held, ", ".join(wrong))]


def tell(console: Console, checks: Sequence[Check], output: Path, seconds: float, *, unchecked: str) -> None:
    """Say on the console what does not hold, how much does, and what could not be checked here."""
    failed = [check for check in checks if not check.held]
    for check in failed:
        console.print(f"✗ {check.what}{f' – {check.detail}' if check.detail else ''}", style="bold red", markup=False)
    style = "bold red" if failed else "bold green"
    console.print(f"{len(checks) - len(failed)} of {len(checks)} checks hold, {seconds:.0f} s.", style=style)
    if unchecked:
        console.print(unchecked, style="yellow", markup=False)
    console.print(f"Artefacts: {output / 'index.html'}", markup=False)
