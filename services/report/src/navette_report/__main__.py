"""`python -m navette_report serve|api|worker`."""

from __future__ import annotations

import sys

from navette_chassis import run

from navette_report.app import create_service
from navette_report.settings import ReportSettings

if __name__ == "__main__":
    sys.exit(run(create_service, ReportSettings))
