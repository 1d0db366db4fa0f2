"""Child processes that never outlive the process that started them.

Two guards: every child is the leader of its own process group, so that stopping it stops what it
started; and on Linux the kernel kills the child if its parent dies without stopping it. The kernel
counts the *thread* that forked as the parent, therefore all children are forked by one thread that
lives as long as the interpreter.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from navette_sandbox.ports import wait_until

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
_FORKER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sandbox-forker")


class SandboxError(Exception):
    """Something the sandbox needs is missing or did not start; the text is one sentence for the user."""


def _die_with_parent() -> None:
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _fork(
    command: Sequence[str], env: Mapping[str, str] | None, log: Path, cwd: Path | None
) -> subprocess.Popen[bytes]:
    with log.open("ab") as out:
        return subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=None if env is None else dict(env),
            cwd=cwd,
            start_new_session=True,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - only the forker thread runs it, and it takes no lock
        )


class Child:
    """One server process: start, wait until it answers, stop, kill, start again on the same port."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        ready: Callable[[], bool],
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        start_seconds: float = 120.0,
        stop_seconds: float = 10.0,
    ) -> None:
        self.name = name
        self.log = log
        self._command = tuple(command)
        self._ready = ready
        self._env = env
        self._cwd = cwd
        self._start_seconds = start_seconds
        self._stop_seconds = stop_seconds
        self._process: subprocess.Popen[bytes] | None = None
        # Once its group is gone, its number may become somebody else's: it is never signalled again.
        self._group_gone = True
        self.starts = 0

    @property
    def pid(self) -> int | None:
        """Process id, or None when it does not run."""
        return self._process.pid if self._process is not None and self.running else None

    @property
    def running(self) -> bool:
        """Whether the process exists (it may not answer yet)."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """Exit status of the last run, None while it runs or before the first start."""
        return None if self._process is None else self._process.poll()

    def is_ready(self) -> bool:
        """Whether the process runs and answers now."""
        return self.running and self._ready()

    def launch(self) -> None:
        """Start the process without waiting for it to answer; nothing happens if it runs already."""
        if self.running:
            return
        self.log.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._process = _FORKER.submit(_fork, self._command, self._env, self.log, self._cwd).result()
        except OSError as error:
            raise SandboxError(f"{self.name} cannot be started: {error.strerror}.") from error
        self._group_gone = False
        self.starts += 1

    def wait_ready(self, seconds: float | None = None) -> None:
        """Wait until the process answers.

        Raises:
            SandboxError: it ended or did not answer in time; the text ends with its last log lines.
        """
        limit = self._start_seconds if seconds is None else seconds
        answered = wait_until(lambda: not self.running or self._ready(), seconds=limit)
        if not self.running:
            raise SandboxError(f"{self.name} ended with status {self.exit_code} at start.\n{self.log_tail()}")
        if not answered:
            raise SandboxError(f"{self.name} did not answer within {limit:.0f} s.\n{self.log_tail()}")

    def start(self) -> None:
        """Start the process and wait until it answers."""
        self.launch()
        self.wait_ready()

    def stop(self) -> None:
        """Ask the process to end, and kill its group if it does not within the stop time."""
        if self._process is None:
            return
        if self.running:
            self._signal(signal.SIGCONT)
            self._process.terminate()
            try:
                self._process.wait(self._stop_seconds)
            except subprocess.TimeoutExpired:
                self.kill()
        # What the process left behind in its group goes with it.
        self._signal(signal.SIGKILL)
        self._group_gone = True

    def kill(self) -> None:
        """SIGKILL the process and everything it started, and wait until it is gone."""
        if self._process is None:
            return
        self._signal(signal.SIGKILL)
        self._process.wait()
        self._group_gone = True

    def restart(self) -> None:
        """Stop, then start on the same port."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freeze the process: its sockets stay open and nothing answers (SIGSTOP)."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen process go on."""
        self._signal(signal.SIGCONT)

    def log_tail(self, lines: int = 15) -> str:
        """Return the last lines of the log."""
        with contextlib.suppress(FileNotFoundError):
            text = self.log.read_text("utf-8", "replace")
            return "\n".join(text.splitlines()[-lines:])
        return ""

    def _signal(self, number: int) -> None:
        if self._process is not None and not self._group_gone:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)
