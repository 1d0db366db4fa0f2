"""Installs each workspace member alone, in an environment of its own, and runs its tests there.

Shows that a member does not lean on a dependency that only another member declares.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# The longest first: two run at a time, as most tests wait for sockets and clocks.
MEMBERS = {
    "navette-report": "services/report",
    "navette-ins": "services/ins",
    "navette-mss": "services/mss",
    "navette-dmp": "services/dmp",
    "navette-psc-auth": "services/psc-auth",
    "navette-documents": "libs/documents",
    "navette-contracts": "contracts",
}
AT_ONCE = 2


def run_alone(uv: str, package: str, folder: str) -> bool:
    """Install `package` into a throw-away environment and run its tests; True if both succeed."""
    with tempfile.TemporaryDirectory(prefix=f"{package}-") as environment:
        env = os.environ | {
            "UV_PROJECT_ENVIRONMENT": environment,
            "NAVETTE_CONFORMANCE_DIR": os.environ.get(
                "NAVETTE_CONFORMANCE_DIR", str(ROOT.parent / "shared" / "conformance")
            ),
        }
        steps = [[uv, "sync", "--quiet", "--locked", "--package", package]]
        steps.append([str(Path(environment) / "bin" / "python"), "-m", "pytest", "-q", folder])
        for step in steps:
            done = subprocess.run(
                step, cwd=ROOT, env=env, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
            if done.stdout:
                sys.stdout.write(f"== {package}\n{done.stdout}")
                sys.stdout.flush()
            if done.returncode:
                return False
        return True


def main() -> int:
    """Run every member, or those named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uv", default="uv")
    parser.add_argument("members", nargs="*", default=list(MEMBERS))
    arguments = parser.parse_args()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        passed = list(pool.map(lambda name: run_alone(arguments.uv, name, MEMBERS[name]), arguments.members))
    failed = [name for name, good in zip(arguments.members, passed, strict=True) if not good]
    sys.stdout.write(f"alone: {len(arguments.members) - len(failed)} passed, {len(failed)} failed {' '.join(failed)}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
