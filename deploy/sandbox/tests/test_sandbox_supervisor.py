"""`navette-sandbox` as a user meets it: side by side, stopped from elsewhere, leaving nothing behind."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from navette_sandbox.layout import SERVICES, SIMULATORS, make_layout
from navette_sandbox.pki import COMPLETE
from navette_sandbox.ports import free_port, wait_until
from navette_sandbox.processes import SandboxError
from navette_sandbox.supervisor import Sandbox

ALL_BUT_INSI = [*SERVICES, *(f"sim-{name}" for name in SIMULATORS if name != "insi")]


def _cli(*arguments: str, root: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from navette_sandbox.cli import main; main()", *arguments, "--root", str(root)]
    return subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)


@contextmanager
def _up(root: Path, name: str, *more: str) -> Iterator[subprocess.Popen[str]]:
    left_out = [word for process in ALL_BUT_INSI for word in ("--without", process)]
    command = [sys.executable, "-c", "from navette_sandbox.cli import main; main()", "up", "--broker", "tansu"]
    command += ["--name", name, "--root", str(root), *left_out, *more]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            state_file = root / name / "state.json"
            assert wait_until(lambda: len(_pids(state_file)) == 3 or process.poll() is not None, seconds=120)
            yield process
        finally:
            process.terminate()


def _pids(state_file: Path) -> dict[str, int]:
    if not state_file.exists():
        return {}
    return {name: pid for name, pid in json.loads(state_file.read_text())["processes"].items() if pid}


def _gone(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return True
    return stat.rsplit(")", 1)[1].split()[0] == "Z"


def test_two_sandboxes_run_side_by_side_and_each_is_stopped_by_name(tmp_path: Path) -> None:
    with _up(tmp_path, "one") as one, _up(tmp_path, "two") as two:
        first, second = _pids(tmp_path / "one" / "state.json"), _pids(tmp_path / "two" / "state.json")
        assert set(first) == set(second) == {"broker", "database", "sim-insi"}
        assert not set(first.values()) & set(second.values())

        assert _cli("down", "--name", "one", root=tmp_path).returncode == 0
        assert one.wait(60) == 0
        assert all(_gone(pid) for pid in first.values())
        assert two.poll() is None
        shown = _cli("status", "--name", "two", root=tmp_path)
        assert re.search(r"sim-insi.*ready", shown.stdout)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_after_ctrl_c_or_after_the_supervisor_was_killed(tmp_path: Path, number: int) -> None:
    with _up(tmp_path, "one") as process:
        pids = _pids(tmp_path / "one" / "state.json")
        assert len(pids) == 3
        os.kill(process.pid, number)
        process.wait(60)
        assert wait_until(lambda: all(_gone(pid) for pid in pids.values()), seconds=60)
    answer = _cli("status", "--name", "one", root=tmp_path)
    assert answer.returncode == 2
    assert answer.stderr.strip() == "The sandbox one does not run; `navette-sandbox up` starts it."


def test_a_sandbox_is_not_started_twice(tmp_path: Path) -> None:
    with _up(tmp_path, "one"):
        again = _cli("up", "--name", "one", "--broker", "tansu", root=tmp_path)
        assert again.returncode == 2
        assert "runs already" in again.stderr


def test_a_port_that_is_taken_is_named_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        answer = _cli("up", "--broker", "tansu", "--port", f"psc-auth={port}", root=tmp_path)
    assert answer.returncode == 2
    assert answer.stderr.replace("\n", " ").strip() == f"Port {port}, asked for psc-auth, is in use."


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    answer = _cli("up", "--broker", "tansu", root=tmp_path / "file")
    assert answer.returncode == 2
    assert "cannot be written" in answer.stderr.replace("\n", " ")
    assert "Traceback" not in answer.stderr


def test_a_killed_process_is_started_again_on_its_port(tmp_path: Path) -> None:
    port = free_port()
    with _up(tmp_path, "one", "--port", f"sim-insi={port}"):
        before = _pids(tmp_path / "one" / "state.json")["sim-insi"]
        assert _cli("kill", "sim-insi", "--name", "one", root=tmp_path).returncode == 0
        assert wait_until(lambda: _pids(tmp_path / "one" / "state.json").get("sim-insi", before) != before, seconds=60)
        shown = _cli("faults", "insi", '{"kind": "slow", "delay": 2}', "--name", "one", root=tmp_path)
        if shown.returncode:  # the control port may not answer yet
            assert wait_until(
                lambda: _cli("faults", "insi", "--name", "one", root=tmp_path).returncode == 0, seconds=60
            )
        refused = _cli("faults", "insi", '{"kind": "angry"}', "--name", "one", root=tmp_path)
        assert refused.returncode == 2
        assert "kind" in refused.stderr


def test_who_is_not_ready_is_named_with_its_last_words(tmp_path: Path) -> None:
    layout = make_layout("broken", tmp_path)
    sandbox = Sandbox(layout, broker="tansu", without=ALL_BUT_INSI)
    certificate = layout.pki.directory
    certificate.mkdir(parents=True)
    (certificate / COMPLETE).touch()  # a PKI that is said to be there but is empty
    with pytest.raises(SandboxError) as failure, sandbox:
        pass
    assert "The sandbox is not ready." in str(failure.value)
    assert "simulator of insi ended with status 1 at start" in str(failure.value)
    assert "No such file" in str(failure.value)
    assert all(not child.running for child in sandbox.children.values())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["up", "--port", "nothing=1"], "Nothing listens as nothing"),
        (["up", "--port", "dmp=zero"], "--port dmp needs a number"),
        (["up", "--broker", "rabbit"], "--broker is kafka, tansu or auto"),
        (["up", "--name", "../x"], "The name of a sandbox"),
        (["up", "--port", "dmp=18443", "--port", "ins=18443"], "Port 18443 is given to ins and to dmp"),
        (["up", "--without", "nothing"], "No process is called nothing"),
        (["down"], "does not run"),
        (["faults", "dmp"], "does not run"),
    ],
)
def test_a_wrong_command_is_refused_in_one_sentence(tmp_path: Path, arguments: list[str], says: str) -> None:
    answer = _cli(*arguments, root=tmp_path)
    assert answer.returncode == 2
    assert says in answer.stderr.replace("\n", " ")
    assert "Traceback" not in answer.stderr
