"""Which command was asked for, and the settings it runs with."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

from navette_chassis import telemetry
from navette_chassis.settings import describe_problems
from pydantic import ValidationError

from navette_ins.app import declare
from navette_ins.commands import import_command, reindex_command
from navette_ins.settings import InsSettings

COMMANDS = ("import", "reindex")

_UNFIT_SETTINGS = 78


def run_command(argv: Sequence[str]) -> int:
    """Run `import …` or `reindex …`; returns the exit status. Raises SystemExit for wrong arguments."""
    name, arguments = argv[0], list(argv[1:])
    asked = import_command.parse(arguments) if name == "import" else None
    rate = reindex_command.parse(arguments) if name == "reindex" else 0
    try:
        # Nothing but the environment: the same settings as the service beside it.
        settings = InsSettings()
    except ValidationError as error:
        sys.stderr.write("".join(f"{problem}\n" for problem in describe_problems(error)))
        return _UNFIT_SETTINGS
    telemetry.configure(settings)
    try:
        service, desk = declare(settings)
        if asked is not None:
            return asyncio.run(import_command.run_import(service, desk, settings, asked))
        return asyncio.run(reindex_command.run_reindex(service, desk, rate))
    finally:
        telemetry.shutdown()
