"""`python -m navette_dmp serve|api|worker`."""

import sys

from navette_chassis import run

from navette_dmp.app import create_service
from navette_dmp.settings import DmpSettings

if __name__ == "__main__":
    sys.exit(run(create_service, DmpSettings))
