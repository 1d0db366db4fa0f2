"""The fictitious imaging group that the sandbox runs: identifiers used by certificates, sites and the demo.

FINESS numbers start with the department 99, which no establishment of France has; the mailboxes are
under domains reserved for examples.
"""

from __future__ import annotations

LEGAL_NAME = "GROUPE IMAGERIE DES RIVES"
LEGAL_FINESS = "990000002"
STRUCT_IDNAT = "1" + LEGAL_FINESS
"""National identifier of the legal entity: `1` + FINESS (spec/dmp.md §4.3)."""
SENDER_MAILBOX = "comptes-rendus@imagerie-des-rives.mssante.example"
"""Applicative mailbox of the group; also the subject CN of its MSSanté client certificate."""
