"""Refuses modules over 300 lines and functions over 60, so that any behaviour is found in a minute.

Generated files and tests are not counted. Exit code 1 and one line per offender.
"""

import ast
import subprocess
import sys
from pathlib import Path

MODULE_LIMIT = 300
FUNCTION_LIMIT = 60


def offenders(path: Path) -> list[str]:
    """Return one message per limit that the module breaks."""
    source = path.read_text(encoding="utf-8")
    found = []
    lines = source.count("\n")
    if lines > MODULE_LIMIT:
        found.append(f"{path}: {lines} lines (limit {MODULE_LIMIT})")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            length = node.end_lineno - node.lineno + 1
            if length > FUNCTION_LIMIT:
                found.append(f"{path}:{node.lineno}: {node.name} has {length} lines (limit {FUNCTION_LIMIT})")
    return found


def main() -> int:
    """Check every tracked module outside the tests."""
    listed = subprocess.run(["git", "ls-files", "*.py"], check=True, capture_output=True, text=True).stdout
    paths = [Path(line) for line in listed.splitlines()]
    found = [message for path in paths if "tests" not in path.parts and path.exists() for message in offenders(path)]
    sys.stdout.write("\n".join(found) + ("\n" if found else ""))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
