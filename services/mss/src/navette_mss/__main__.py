"""`python -m navette_mss serve|api|worker`."""

import sys

from navette_chassis import run

from navette_mss.app import create_service
from navette_mss.settings import MssSettings

if __name__ == "__main__":
    sys.exit(run(create_service, MssSettings))
