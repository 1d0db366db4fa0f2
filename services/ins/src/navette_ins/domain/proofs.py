"""Documents an identity is checked against, and which of them are of high trust (spec/ins.md §5.4, ZFD-7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Proof:
    """A kind of document: its PAM code, its French name, and whether it makes an identity *validée*."""

    code: str
    label: str
    high_trust: bool


_PROOFS: Final = (
    Proof("CN", "Carte nationale d’identité", True),
    Proof("PA", "Passeport", True),
    Proof("CE", "Carte d’identité européenne", True),
    Proof("CS", "Titre de séjour", True),
    Proof("AN", "Extrait d’acte de naissance, avec le document d’un parent", True),
    Proof("LE", "Livret de famille, avec le document d’un parent", True),
    Proof("DC", "Document de circulation pour étranger mineur", True),
    Proof("AV", "Appli carte Vitale", True),
    Proof("IE", "Identification électronique eIDAS substantielle ou élevée", True),
    Proof("TC", "Tiers de confiance", True),
    Proof("AC", "Acte de naissance et carte Vitale avec photo", True),
    Proof("PC", "Permis de conduire", False),
    Proof("CM", "Carte militaire", False),
    Proof("CC", "Carnet de circulation", False),
)

PROOFS: Final[Mapping[str, Proof]] = MappingProxyType({proof.code: proof for proof in _PROOFS})
