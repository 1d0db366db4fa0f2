"""The list of communes of `ins` is what its source says: made again from the npm package it names."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = "@etalab/decoupage-administratif"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("communes", ROOT / "tools" / "communes.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.peers
@pytest.mark.timeout(180)
def test_the_committed_list_is_the_one_the_package_makes(tool: ModuleType, tmp_path: Path) -> None:
    committed = tool.LIST.read_text(encoding="utf-8")
    said = re.search(rf"{PACKAGE} (\S+)", committed)
    assert said is not None
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    packed = subprocess.run(
        [npm, "pack", f"{PACKAGE}@{said[1]}"], cwd=tmp_path, capture_output=True, text=True, timeout=150, check=False
    )
    if packed.returncode != 0:
        pytest.skip(f"npm cannot fetch {PACKAGE}")
    (archive,) = tmp_path.glob("*.tgz")
    assert tool.text_of(*tool.read_package(archive)) == committed


def test_codes_are_written_as_ranges_and_an_unfit_one_is_refused(tool: ModuleType) -> None:
    codes = tool.codes_in([{"code": "2A004"}, {"code": "01003", "anciensCodes": ["01001", "01002"]}, {"code": "01007"}])
    assert list(tool.lines_of(codes)) == ["01 001-003 007", "2A 004"]
    with pytest.raises(SystemExit):
        tool.codes_in([{"code": "1"}])
