"""`python -m navette_ins serve|api|worker`, and the commands `import` and `reindex`."""

from __future__ import annotations

import sys

from navette_chassis import run

from navette_ins.app import create_service
from navette_ins.commands.dispatch import COMMANDS, run_command
from navette_ins.settings import InsSettings

if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in COMMANDS:
        sys.exit(run_command(sys.argv[1:]))
    sys.exit(run(create_service, InsSettings))
