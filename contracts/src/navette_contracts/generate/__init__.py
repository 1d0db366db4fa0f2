"""Everything that is written from the event models and the topic catalogue, so that it cannot disagree."""

from pathlib import Path

from navette_contracts.generate import asyncapi, docs, examples, schemas, strimzi


def generated_files(root: Path) -> dict[Path, str]:
    """Return every generated file (path relative to the repository → text).

    `root` is only read to keep the ciphertext of golden examples whose content has not changed.
    """
    files: dict[Path, str] = {}
    for produced in (
        schemas.files(),
        examples.files(root),
        asyncapi.files(),
        strimzi.files(),
        docs.files(),
    ):
        files.update(produced)
    return files


GENERATED_FOLDERS = (
    Path("contracts/schemas"),
    Path("contracts/examples"),
    Path("contracts/asyncapi"),
    Path("deploy/kafka"),
)
"""Folders that hold generated files only: a file in them that nothing generates is stale."""
