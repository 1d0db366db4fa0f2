"""Installs each workspace member alone, in an environment of its own, and runs its tests there.

Shows that a member does not lean on a dependency that only another member declares.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MEMBERS = {
    "navette-contracts": "contracts",
    "navette-documents": "libs/documents",
    "navette-ins": "services/ins",
    "navette-psc-auth": "services/psc-auth",
    "navette-report": "services/report",
    "navette-dmp": "services/dmp",
    "navette-mss": "services/mss",
}


def run_alone(uv: str, package: str, folder: str) -> bool:
    """Install `package` into a throw-away environment and run its tests; True if both succeed."""
    with tempfile.TemporaryDirectory(prefix=f"{package}-") as environment:
        env = os.environ | {
            "UV_PROJECT_ENVIRONMENT": environment,
            "NAVETTE_CONFORMANCE_DIR": os.environ.get(
                "NAVETTE_CONFORMANCE_DIR", str(ROOT.parent / "shared" / "conformance")
            ),
        }
        sync = subprocess.run([uv, "sync", "--quiet", "--locked", "--package", package], cwd=ROOT, env=env, check=False)
        if sync.returncode:
            return False
        python = str(Path(environment) / "bin" / "python")
        tests = subprocess.run([python, "-m", "pytest", "-q", folder], cwd=ROOT, env=env, check=False)
        return tests.returncode == 0


def main() -> int:
    """Run every member, or those named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uv", default="uv")
    parser.add_argument("members", nargs="*", default=list(MEMBERS))
    arguments = parser.parse_args()
    failed = [name for name in arguments.members if not run_alone(arguments.uv, name, MEMBERS[name])]
    sys.stdout.write(f"alone: {len(arguments.members) - len(failed)} passed, {len(failed)} failed {' '.join(failed)}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
