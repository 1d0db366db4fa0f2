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
NOT_CHECKED = "Non vérifié : les règles de l’ANS (NAVETTE_CONFORMANCE_DIR ne désigne pas le dossier qui les contient)"


def find_validator() -> Path | None:
    """The validator, None where `NAVETTE_CONFORMANCE_DIR` names none: then `NOT_CHECKED` is to be said."""
    validator = Path(os.environ.get("NAVETTE_CONFORMANCE_DIR", "../shared/conformance")) / "validate_cda.py"
    return validator if validator.is_file() else None


def check_against_the_rules(validator: Path, documents: Sequence[bytes]) -> Check:
    """One check over all documents."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{number:03d}.xml" for number in range(len(documents))]
        for file, content in zip(files, documents, strict=True):
            file.write_bytes(content)
        command = [sys.executable, str(validator.resolve()), "--lint-fails", *map(str, files)]
        said = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    last = said.stdout.strip().rpartition("\n")[2]
    passed = said.returncode == 0 and last.endswith(f"{len(documents)} passed, 0 failed")
    return Check(WHAT, passed and bool(documents), last)
