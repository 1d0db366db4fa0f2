"""Identities, RNIV rules and the INSi teleservice."""
