"""`python -m navette_psc_auth serve|api|worker`."""

import sys

from navette_chassis import run

from navette_psc_auth.app import create_service
from navette_psc_auth.settings import PscAuthSettings

if __name__ == "__main__":
    sys.exit(run(create_service, PscAuthSettings))
