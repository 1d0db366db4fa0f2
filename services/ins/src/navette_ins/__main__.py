"""`python -m navette_ins serve|api|worker`."""

from __future__ import annotations

import sys

from navette_chassis import run

from navette_ins.app import create_service
from navette_ins.settings import InsSettings

if __name__ == "__main__":
    sys.exit(run(create_service, InsSettings))
