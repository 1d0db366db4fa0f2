"""Feeds the DMP (Mon espace santé): ITI-41 with a signed VIHF."""
