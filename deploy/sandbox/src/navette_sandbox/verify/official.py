"""The validator of the conformance data (schemas and rules of the ANS), where these data are on the machine."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from navette_sandbox.verify.deliveries import Check

WHAT = "chaque CDA déposé passe les règles de l’ANS"


def check_against_the_rules(documents: Sequence[bytes]) -> list[Check]:
    """One check over all documents; none where `NAVETTE_CONFORMANCE_DIR` names no validator."""
    validator = Path(os.environ.get("NAVETTE_CONFORMANCE_DIR", "../shared/conformance")) / "validate_cda.py"
    if not validator.is_file():
        return []
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{number:03d}.xml" for number in range(len(documents))]
        for file, content in zip(files, documents, strict=True):
            file.write_bytes(content)
        command = [sys.executable, str(validator.resolve()), "--lint-fails", *map(str, files)]
        said = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    last = said.stdout.strip().rpartition("\n")[2]
    passed = said.returncode == 0 and last.endswith(f"{len(documents)} passed, 0 failed")
    return [Check(WHAT, passed and bool(documents), last)]
