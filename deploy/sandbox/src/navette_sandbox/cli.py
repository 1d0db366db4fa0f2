"""`navette-sandbox`: start, stop, look at, disturb and demonstrate the platform on one machine."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import httpx
import typer
from rich.console import Console
from rich.table import Table

from navette_sandbox import probes, state
from navette_sandbox.layout import SERVICES, SIMULATORS, Layout, make_layout
from navette_sandbox.ports import wait_until
from navette_sandbox.processes import SandboxError

if TYPE_CHECKING:
    from navette_sandbox.embedded.choice import BrokerChoice

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
console = Console(highlight=False)

Name = Annotated[str, typer.Option("--name", help="several sandboxes can run side by side")]
Root = Annotated[Path, typer.Option("--root", help="folder of the sandboxes")]
Broker = Annotated[str, typer.Option("--broker", help="kafka, tansu or auto: Kafka when it can be had")]
Ports = Annotated[list[str] | None, typer.Option("--port", help="NAME=NUMBER; free ports are chosen for the rest")]
Without = Annotated[list[str] | None, typer.Option("--without", help="leave out a process, `mss` or `sim-mss`")]

DEFAULT_ROOT = Path(".sandbox")


def _fixed_ports(options: list[str] | None) -> dict[str, int]:
    ports = {}
    for option in options or []:
        name, _, number = option.partition("=")
        if not number.isdigit() or not 0 < int(number) < 65536:
            raise SandboxError(f"--port {name} needs a number from 1 to 65535, as in --port psc-auth=8443.")
        ports[name] = int(number)
    return ports


@contextmanager
def _ended_by_signals() -> Iterator[threading.Event]:
    """An event set by SIGINT, SIGTERM or SIGHUP; before it is waited for, a signal interrupts what runs."""
    asked = threading.Event()

    def end(_number: int, _frame: object) -> None:
        if asked.is_set():
            return
        asked.set()
        raise KeyboardInterrupt

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@app.command()
def up(
    name: Name = "default",
    root: Root = DEFAULT_ROOT,
    broker: Broker = "auto",
    port: Ports = None,
    without: Without = None,
    *,
    fresh: Annotated[bool, typer.Option("--fresh", help="forget data and logs of the last run")] = False,
) -> None:
    """Start everything and keep it running until Ctrl-C (or `down` from elsewhere)."""
    from navette_sandbox.supervisor import Sandbox

    layout = make_layout(name, root, _fixed_ports(port))
    with _ended_by_signals():
        try:
            with Sandbox(
                layout, broker=_choice(broker), without=without or (), fresh=fresh, say=console.print
            ) as sandbox:
                console.print(_table(layout, {child: one.pid for child, one in sandbox.children.items()}))
                console.print(f"Parcours des comptes rendus : {layout.url('psc-auth')}/api/report/pages/journey")
                console.print("Ctrl-C stops everything.")
                while True:
                    sandbox.watch()
                    threading.Event().wait(0.5)
        except KeyboardInterrupt:
            console.print("Stopped.")


@app.command()
def down(name: Name = "default", root: Root = DEFAULT_ROOT) -> None:
    """Stop a sandbox that runs elsewhere, and wait until it is gone."""
    directory = (root / name).resolve()
    running = state.read_state(directory)
    os.kill(running.pid, signal.SIGTERM)
    if not wait_until(lambda: not state.is_running(directory / "lock"), seconds=60, every=0.1):
        raise SandboxError(f"The sandbox {name} (process {running.pid}) did not stop within 60 s.")
    console.print(f"The sandbox {name} is stopped.")


@app.command()
def status(name: Name = "default", root: Root = DEFAULT_ROOT) -> None:
    """Show what runs, where, and whether it is ready."""
    directory = (root / name).resolve()
    running = state.read_state(directory)
    layout = Layout(name, directory, running.ports)
    console.print(_table(layout, running.processes, ready=True))


@app.command()
def faults(
    target: Annotated[str, typer.Argument(help=f"one of {', '.join(SIMULATORS)}")],
    script: Annotated[str, typer.Argument(help='JSON, as {"kind": "down", "seconds": 20}; nothing: show')] = "",
    name: Name = "default",
    root: Root = DEFAULT_ROOT,
    *,
    clear: Annotated[bool, typer.Option("--clear", help="forget all faults")] = False,
) -> None:
    """Make a national service slow, down, flaky or lying, or show what it is told to do."""
    running = state.read_state((root / name).resolve())
    url = running.urls.get(f"sim-{target}.control")
    if url is None:
        raise SandboxError(f"No simulator is called {target}; there are: {', '.join(SIMULATORS)}.")
    try:
        if clear:
            answer = httpx.delete(f"{url}/faults")
        elif script:
            answer = httpx.post(f"{url}/faults", json=json.loads(script))
        else:
            answer = httpx.get(f"{url}/faults")
    except httpx.HTTPError as error:
        raise SandboxError(f"The simulator {target} does not answer.") from error
    except ValueError as error:
        raise SandboxError("The fault script is not JSON.") from error
    if answer.status_code != 200:
        raise SandboxError(f"The simulator refuses the script: {answer.json().get('error', answer.status_code)}.")
    console.print_json(data=answer.json())


@app.command()
def kill(process: str, name: Name = "default", root: Root = DEFAULT_ROOT) -> None:
    """SIGKILL one process; the sandbox starts it again, as an orchestrator would."""
    running = state.read_state((root / name).resolve())
    pid = running.processes.get(process)
    if pid is None:
        raise SandboxError(f"No running process is called {process}; there are: {', '.join(running.processes)}.")
    os.kill(pid, signal.SIGKILL)
    console.print(f"{process} (process {pid}) is killed.")


@app.command()
def demo(
    output: Annotated[Path, typer.Option("--output", help="folder of the artefacts")] = Path("demo-output"),
    root: Root = DEFAULT_ROOT,
    broker: Broker = "auto",
    scenario: Annotated[str, typer.Option("--scenario", help="reports, or reception: twenty arrivals")] = "reports",
) -> None:
    """Play twenty reports through eleven scenarios, show their journeys, and verify all that was delivered."""
    from navette_sandbox.scenarios.demo import run_demo
    from navette_sandbox.scenarios.reception import run_reception

    plays = {"reports": run_demo, "reception": run_reception}
    if scenario not in plays:
        raise SandboxError("--scenario is reports or reception.")
    with _ended_by_signals():
        try:
            succeeded = plays[scenario](output, root, _choice(broker), console)
        except KeyboardInterrupt:
            console.print("Interrupted.")
            raise typer.Exit(130) from None
    raise typer.Exit(0 if succeeded else 1)


def _choice(broker: str) -> BrokerChoice:

    choices: dict[str, BrokerChoice] = {"kafka": "kafka", "tansu": "tansu", "auto": "auto"}
    if broker not in choices:
        raise SandboxError("--broker is kafka, tansu or auto.")
    return choices[broker]


def _table(layout: Layout, processes: dict[str, int | None], *, ready: bool = False) -> Table:
    table = Table(title=f"Sandbox {layout.name}", title_justify="left")
    for column in ("process", "pid", "address", *(["state"] if ready else [])):
        table.add_column(column)
    for process, pid in processes.items():
        row = [process, str(pid or "–"), _address(layout, process)]
        if ready:
            row.append(_state(layout, process, pid))
        table.add_row(*row)
    return table


def _address(layout: Layout, process: str) -> str:
    shown = {key: port for key, port in layout.ports.items() if key == process or key.startswith(f"{process}.")}
    if process in SERVICES:
        del shown[process]
    ports = [f"{key.removeprefix(process).lstrip('.') or 'port'} {port}" for key, port in shown.items()]
    return " ".join([layout.url(process), *ports] if process in SERVICES else ports)


def _state(layout: Layout, process: str, pid: int | None) -> str:
    if pid is None:
        return "does not run"
    if process in SERVICES:
        return "ready" if probes.service_ready(layout, process)() else probes.why_not_ready(layout, process)
    if process.startswith("sim-"):
        return "ready" if probes.simulator_ready(layout, process.removeprefix("sim-"))() else "does not answer"
    return "runs"


def main() -> None:
    """Entry point: errors of the sandbox are one sentence on stderr and status 2."""
    try:
        app(standalone_mode=True)
    except SandboxError as error:
        Console(stderr=True, highlight=False, markup=False).print(str(error))
        raise SystemExit(2) from None
