"""The Annuaire Santé double: FHIR API v2, read only (spec/annuaire.md §2 and §7)."""

from navette_sandbox.simulators.annuaire.server import AnnuaireSimulator

__all__ = ["AnnuaireSimulator"]
