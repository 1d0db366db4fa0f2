"""The DMP double: registry, repository and existence test over SOAP 1.2 with MTOM and mutual TLS.

Written from spec/dmp.md alone. It refuses what the real platform refuses, as far as public sources tell;
where the governing document is missing, the choice made here is a setting of `settings.DmpSettings`.
"""

from navette_sandbox.simulators.dmp.server import DmpSimulator
from navette_sandbox.simulators.dmp.settings import DmpSettings

__all__ = ["DmpSettings", "DmpSimulator"]
