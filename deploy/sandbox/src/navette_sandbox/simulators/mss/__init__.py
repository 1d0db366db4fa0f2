"""The MSSanté operator double: SMTP submission and IMAP with STARTTLS and client certificates.

Written from spec/mss.md alone; it reads the mail, the XDM archive and the CDA with its own code and
refuses what breaks a rule.
"""

from navette_sandbox.simulators.mss.server import MssSimulator
from navette_sandbox.simulators.mss.settings import MssSettings

__all__ = ["MssSettings", "MssSimulator"]
