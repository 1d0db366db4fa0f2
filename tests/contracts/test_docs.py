"""Documents that name things of the code are checked against the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from navette_chassis.telemetry.catalogue import METRICS

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted(ROOT.glob("*/**/README.md"))]
PAGES = [page for page in PAGES if ".venv" not in page.parts and "node_modules" not in page.parts]
OPERATIONS = (ROOT / "docs" / "operations.md").read_text("utf-8")
SOURCES = "\n".join(
    path.read_text("utf-8") for folder in ("libs", "services") for path in (ROOT / folder).glob("**/src/**/*.py")
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_to_files_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), target


def test_metrics_named_for_operators_exist() -> None:
    named = {name.removesuffix("_total") for name in re.findall(r"`(navette_[a-z_]+)", OPERATIONS)}
    assert named
    assert named <= set(METRICS)


def test_log_events_named_for_operators_exist() -> None:
    table = OPERATIONS.split("## What you will read in the logs")[1].split("\n## ")[0]
    first_columns = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    named = {name for column in first_columns for name in re.findall(r"`([a-z_.]+)`", column)}
    assert len(named) > 10
    missing = {name for name in named if f'"{name}"' not in SOURCES}
    assert missing == set()


def test_every_setting_named_in_the_documents_exists() -> None:
    fields = {name.upper() for name in re.findall(r"^    ([a-z][a-z0-9_]+): ", SOURCES, re.MULTILINE)}
    elsewhere = "\n".join(
        path.read_text("utf-8") for one in ("deploy", "tests", "services") for path in (ROOT / one).rglob("*.py")
    )
    for page in PAGES:
        for name in re.findall(r"`NAVETTE_([A-Z0-9_]+)", page.read_text("utf-8")):
            assert name in fields or f"NAVETTE_{name}" in elsewhere, f"{page.name}: {name}"


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "adr").glob("0*.md")), ids=lambda page: page.name)
def test_a_decision_names_the_check_that_enforces_it(page: Path) -> None:
    text = page.read_text("utf-8")
    check = text.split("**Check.**")[1]
    for folder in re.findall(r"`((?:libs|services|tests|contracts)/[a-z/_-]+)`", check):
        assert (ROOT / folder).exists(), folder
    for contract in re.findall(r'contracts? "([^"]+)"', check):
        assert contract in (ROOT / "pyproject.toml").read_text("utf-8")


def test_the_index_of_decisions_is_complete() -> None:
    index = (ROOT / "docs" / "adr" / "README.md").read_text("utf-8")
    assert all(page.name in index for page in (ROOT / "docs" / "adr").glob("0*.md"))
