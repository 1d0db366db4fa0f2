"""Starts, watches and stops every process of a sandbox.

Order: broker, database and simulators together, then the topics, then the five services together.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Self

from navette_sandbox import environments, probes
from navette_sandbox.embedded.broker import EmbeddedBroker
from navette_sandbox.embedded.choice import BrokerChoice, make_broker
from navette_sandbox.embedded.secantus import MongoServer
from navette_sandbox.keys import write_secret
from navette_sandbox.layout import SERVICES, SIMULATORS, Layout
from navette_sandbox.materials import topic_names, write_materials
from navette_sandbox.processes import Child, SandboxError
from navette_sandbox.state import SandboxState, take_lock

Say = Callable[[str], None]
PARTITIONS = 3
"""Partitions of each topic here: enough to see order per key, cheap to start."""
_RESTART_AFTER = 1.0


class Sandbox:
    """One sandbox: `with Sandbox(layout) as sandbox:` starts it, leaving the block stops everything.

    `without` names processes to leave out, `data` gives simulators another data file, `variables` are added to
    the environment of every service.
    """

    def __init__(
        self,
        layout: Layout,
        *,
        broker: BrokerChoice = "auto",
        without: Collection[str] = (),
        fresh: bool = False,
        ready_seconds: float = 180.0,
        data: Mapping[str, Path] | None = None,
        variables: Mapping[str, str] | None = None,
        say: Say = lambda _line: None,
    ) -> None:
        known = {*SERVICES, *(f"sim-{name}" for name in SIMULATORS)}
        if unknown := sorted(set(without) - known):
            raise SandboxError(f"No process is called {unknown[0]}; there are: {', '.join(sorted(known))}.")
        self.layout = layout
        self.children: dict[str, Child] = {}
        self.broker: EmbeddedBroker
        self.database: MongoServer
        self._choice = broker
        self._services = [name for name in SERVICES if name not in without]
        self._simulators = [name for name in SIMULATORS if f"sim-{name}" not in without]
        self._fresh = fresh
        self._ready_seconds = ready_seconds
        self._data = dict(data or {})
        self._variables = dict(variables or {})
        self._say = say
        self._lock: IO[str] | None = None
        self._down: dict[str, float] = {}
        self._intended: set[str] = set()

    def __enter__(self) -> Self:
        self._lock = take_lock(self.layout.lock_file, self.layout.name)
        try:
            self._prepare()
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    # -- start --------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        layout = self.layout
        if self._fresh:
            for name in ("broker", "database", "received", "logs"):
                shutil.rmtree(layout.directory / name, ignore_errors=True)
        write_materials(layout)
        for name in self._simulators:
            layout.received(name).mkdir(parents=True, exist_ok=True)

    def _start(self) -> None:
        layout = self.layout
        self.broker, sentence = make_broker(self._choice, layout.directory / "broker", port=layout.ports["broker"])
        self._say(sentence)
        self.database = MongoServer(layout.directory / "database", port=layout.ports["database"])
        write_secret(layout.keys.mongo_uri, self.database.uri)
        self.children = {"broker": self.broker.child, "database": self.database.child}
        for name in self._simulators:
            self.children[f"sim-{name}"] = self._simulator(name)
        ground = list(self.children)
        for name in self._services:
            self.children[name] = self._service(name)
        self._intended = set(self.children)
        self._launch(ground)
        self._write_state()
        self.broker.create_topics(topic_names(), PARTITIONS)
        self._launch(self._services)
        self._write_state()

    def _simulator(self, name: str) -> Child:
        return Child(
            f"simulator of {name}",
            environments.simulator_command(self.layout, name, self._data.get(name)),
            log=self.layout.logs / f"sim-{name}.log",
            ready=probes.simulator_ready(self.layout, name),
            env=environments.simulator_environment(),
            start_seconds=self._ready_seconds,
        )

    def _service(self, name: str) -> Child:
        return Child(
            f"service {name}",
            environments.service_command(name),
            log=self.layout.logs / f"{name}.log",
            ready=probes.service_ready(self.layout, name),
            env=environments.service_environment(
                self.layout, name, idempotent=self.broker.idempotent, fetch_wait_ms=self.broker.fetch_wait_ms
            )
            | self._variables,
            start_seconds=self._ready_seconds,
            stop_seconds=20.0,
        )

    def _launch(self, names: Iterable[str]) -> None:
        """Start several processes at once and wait for all of them; the error names all that failed."""
        chosen = list(names)

        def start(name: str) -> str:
            try:
                if name == "broker":
                    self.broker.start()
                else:
                    self.children[name].start()
            except SandboxError as error:
                reason = f"\n{name} {probes.why_not_ready(self.layout, name)}" if name in SERVICES else ""
                return f"{error}{reason}"
            return ""

        with ThreadPoolExecutor(max_workers=max(len(chosen), 1)) as pool:
            failures = [reason for reason in pool.map(start, chosen) if reason]
        if failures:
            raise SandboxError("The sandbox is not ready.\n\n" + "\n\n".join(failures))

    # -- while it runs ------------------------------------------------------------------------------

    def kill(self, name: str) -> None:
        """SIGKILL one process; `watch` does not start it again until `start` is called."""
        self._intended.discard(name)
        self._child(name).kill()
        self._write_state()

    def start(self, name: str) -> None:
        """Start one process that does not run and wait until it is ready."""
        self._intended.add(name)
        self._launch([name] if self._child(name) else [])
        self._write_state()

    def restart(self, name: str) -> None:
        """Stop one process in order and start it again on its port."""
        self._intended.discard(name)
        self._child(name).stop()
        self.start(name)

    def watch(self) -> list[str]:
        """Start again what ended by itself, a second after its end was noticed; returns what was started."""
        started = []
        now = time.monotonic()
        for name in sorted(self._intended):
            child = self.children[name]
            if child.running:
                self._down.pop(name, None)
            elif now - self._down.setdefault(name, now) >= _RESTART_AFTER:
                self._say(f"{child.name} ended with status {child.exit_code}: started again.")
                self.broker.start() if name == "broker" else child.launch()
                self._down.pop(name, None)
                started.append(name)
        if started:
            self._write_state()
        return started

    def _child(self, name: str) -> Child:
        if name not in self.children:
            raise SandboxError(f"No process is called {name}; there are: {', '.join(self.children)}.")
        return self.children[name]

    def _write_state(self) -> None:
        layout = self.layout
        urls = {name: layout.url(name) for name in self._services}
        urls |= {f"sim-{name}.control": layout.control_url(name) for name in self._simulators}
        SandboxState(
            name=layout.name,
            pid=os.getpid(),
            broker=self.broker.kind,
            ports=dict(layout.ports),
            urls=urls,
            processes={name: child.pid for name, child in self.children.items()},
            logs={name: str(child.log) for name, child in self.children.items()},
        ).write(layout.state_file)

    # -- stop ---------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Stop the services in order, then what they stand on; nothing is left running."""
        self._intended.clear()
        services = [child for name, child in self.children.items() if name in SERVICES]
        ground = [child for name, child in self.children.items() if name not in SERVICES]
        for children in (services, ground):
            if children:
                with ThreadPoolExecutor(max_workers=len(children)) as pool:
                    list(pool.map(Child.stop, children))
        self.layout.state_file.unlink(missing_ok=True)
        if self._lock is not None:
            self._lock.close()
            self._lock = None
