"""`python -m navette_contracts.generate [--check] [--root DIR]`."""

import argparse
import sys
from pathlib import Path

from navette_contracts.generate import GENERATED_FOLDERS, generated_files
from navette_contracts.generate.schemas import forbidden_changes

_CHECKOUT = Path(__file__).resolve().parents[4]


def main(argv: list[str]) -> int:
    """Write the generated files, or with --check say which differ. 0 = all well, 1 = drift or a break."""
    parser = argparse.ArgumentParser(prog="python -m navette_contracts.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail when a file would change")
    parser.add_argument("--root", type=Path, default=_CHECKOUT, help="the repository")
    options = parser.parse_args(argv)
    root: Path = options.root
    if not (root / "contracts").is_dir():
        sys.stderr.write("this is not a checkout of the repository; use --root\n")
        return 1

    forbidden = forbidden_changes(root)
    for line in forbidden:
        sys.stderr.write(f"forbidden within a major version: {line}\n")
    if forbidden:
        sys.stderr.write("make a new major version of the event instead (contracts/README.md)\n")
        return 1

    files = generated_files(root)
    differing = drift(root, files)
    if options.check:
        for path in differing:
            sys.stderr.write(f"stale: {path} (run python -m navette_contracts.generate)\n")
        return 1 if differing else 0
    for relative in differing:
        target = root / relative
        if relative not in files:
            target.unlink()
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(files[relative], encoding="utf-8")
    sys.stdout.write(f"{len(files)} files, {len(differing)} changed\n")
    return 0


def drift(root: Path, files: dict[Path, str]) -> list[Path]:
    """Return the paths (relative) that are missing, differ, or that nothing generates any more."""
    differing = [
        path
        for path, text in files.items()
        if not (root / path).is_file() or (root / path).read_text(encoding="utf-8") != text
    ]
    present = {
        file.relative_to(root) for folder in GENERATED_FOLDERS for file in (root / folder).rglob("*") if file.is_file()
    }
    return sorted({*differing, *(present - files.keys())})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
