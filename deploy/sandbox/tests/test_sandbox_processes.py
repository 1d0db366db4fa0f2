"""Children never outlive who started them, and say why when they do not start."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from navette_sandbox.ports import free_port, free_ports, is_listening, wait_until
from navette_sandbox.processes import Child, SandboxError

SERVER = textwrap.dedent(
    """
    import socket, sys, subprocess
    helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    print("helper", helper.pid, flush=True)
    server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
    while True:
        server.accept()[0].close()
    """
)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"


def _server(tmp_path: Path) -> tuple[Child, int]:
    port = free_port()
    child = Child(
        "toy server",
        [sys.executable, "-c", SERVER, str(port)],
        log=tmp_path / "toy.log",
        ready=lambda: is_listening(port),
    )
    return child, port


def _helper_pid(child: Child) -> int:
    return int(child.log.read_text().split()[-1])


def test_free_ports_differ_and_are_never_those_of_outgoing_connections() -> None:
    ports = set(free_ports(50))
    assert len(ports) == 50
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.create_connection(listening.getsockname()) as out:
        assert max(ports) < out.getsockname()[1]


def test_a_port_is_given_to_one_process_only() -> None:
    port = free_port()
    ask = "import sys; from navette_sandbox import ports; print(ports._lock(int(sys.argv[1])))"
    for name, answer in (("taken", "False"), ("not taken", "True")):
        number = port if name == "taken" else port + 1
        asked = subprocess.run([sys.executable, "-c", ask, str(number)], capture_output=True, text=True, check=True)
        assert asked.stdout.strip() == answer, name


def test_a_stopped_child_takes_along_what_it_started(tmp_path: Path) -> None:
    child, port = _server(tmp_path)
    child.start()
    helper = _helper_pid(child)
    child.stop()
    assert not child.running
    assert not is_listening(port)
    assert wait_until(lambda: not _alive(helper), seconds=60)


def test_a_killed_child_starts_again_on_its_port(tmp_path: Path) -> None:
    child, port = _server(tmp_path)
    child.start()
    first = child.pid
    child.kill()
    assert child.exit_code == -signal.SIGKILL
    child.start()
    assert child.pid != first
    assert is_listening(port)
    child.stop()


def test_a_child_that_ends_at_start_is_reported_with_its_last_words(tmp_path: Path) -> None:
    child = Child(
        "toy server",
        [sys.executable, "-c", "raise SystemExit('no configuration')"],
        log=tmp_path / "toy.log",
        ready=lambda: False,
    )
    with pytest.raises(SandboxError, match=r"toy server ended with status 1 at start\.\nno configuration"):
        child.start()


def test_a_program_that_does_not_exist_is_one_clear_sentence(tmp_path: Path) -> None:
    child = Child("toy", [str(tmp_path / "nothing")], log=tmp_path / "toy.log", ready=lambda: True)
    with pytest.raises(SandboxError, match="toy cannot be started: No such file"):
        child.start()


async def test_a_child_started_from_a_worker_thread_lives_longer_than_the_thread(tmp_path: Path) -> None:
    child, port = _server(tmp_path)
    await asyncio.to_thread(child.start)
    loop = asyncio.get_running_loop()
    await loop.shutdown_default_executor()
    assert child.running
    assert is_listening(port)
    child.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is a Linux call")
def test_a_child_dies_when_its_parent_is_killed(tmp_path: Path) -> None:
    program = textwrap.dedent(
        f"""
        import sys, time
        from pathlib import Path
        from navette_sandbox.processes import Child
        child = Child("toy", [sys.executable, "-c", "import time; time.sleep(600)"],
                      log=Path({str(tmp_path / "toy.log")!r}), ready=lambda: True)
        child.start()
        print(child.pid, flush=True)
        time.sleep(600)
        """
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert _alive(pid)
        parent.kill()
    assert wait_until(lambda: not _alive(pid), seconds=60)
