"""`make test`: runs every layer that this machine can run, and says what it could not run and why."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from navette_sandbox.embedded import kafka

ROOT = Path(__file__).resolve().parents[1]
# Most tests wait for processes, sockets and clocks: two workers, each with a broker and a database of its own.
WORKERS = "2"


def conformance_dir() -> Path:
    """Return where the official schemas and examples are looked for (absent: those tests are skipped)."""
    return Path(os.environ.get("NAVETTE_CONFORMANCE_DIR", ROOT.parent / "shared" / "conformance")).resolve()


def prerequisites() -> list[tuple[str, bool, str]]:
    """Name what decides which layers can run: (what, present, what is lost without it)."""
    return [
        (
            "official conformance data",
            conformance_dir().is_dir(),
            "the conformance layer (set NAVETTE_CONFORMANCE_DIR)",
        ),
        ("Apache Kafka (java and mvn)", kafka_is_here(), "the platform layer on Apache Kafka"),
        ("xmlsec1", bool(shutil.which("xmlsec1")), "the check of our signatures by the xmlsec1 tool"),
        ("a Docker engine", docker_engine(), "the containers layer"),
    ]


def kafka_is_here() -> bool:
    """Say whether Apache Kafka can run; its jars are fetched now, the first time, and not on the time of a test."""
    reason = kafka.unavailable_reason()
    if reason is not None:
        sys.stdout.write(f"{reason}\n")
    return reason is None


def docker_engine() -> bool:
    """Say whether a Docker engine answers."""
    docker = shutil.which("docker")
    return bool(docker) and subprocess.run([str(docker), "info"], capture_output=True, check=False).returncode == 0


def main() -> int:
    """Run pytest over the whole workspace, measurements apart (`make bench`); its exit code is ours."""
    for what, present, lost in prerequisites():
        sys.stdout.write(f"{'found  ' if present else 'MISSING'} {what}{'' if present else f': not run: {lost}'}\n")
    sys.stdout.flush()
    environment = os.environ | {"NAVETTE_CONFORMANCE_DIR": str(conformance_dir())}
    started = time.monotonic()
    paths = ["contracts", "libs", "services", "deploy/sandbox", "tests"]
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-n",
            WORKERS,
            "--dist",
            "loadfile",
            "-m",
            "not bench",
            "--durations=12",
            *paths,
            *sys.argv[1:],
        ],
        cwd=ROOT,
        env=environment,
        check=False,
    )
    sys.stdout.write(f"whole run: {time.monotonic() - started:.0f} s\n")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
