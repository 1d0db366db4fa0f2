"""Which addresses of Mon espace santé the mail double takes for a patient's."""

from __future__ import annotations

import pytest
from navette_sandbox.simulators.mss.checks import patient_matricule


@pytest.mark.parametrize(
    ("address", "matricule"),
    [
        ("268043818590119@patient.mssante.example", "268043818590119"),
        ("171052A00491151@patient.mssante.example", "171052A00491151"),
        ("286082b03391222@patient.mssante.example", "286082B03391222"),
        ("268043818590118@patient.mssante.example", None),
        ("171052C00491151@patient.mssante.example", None),
        ("remy.modele@patient.mssante.example", None),
    ],
)
def test_a_patient_address_is_a_matricule_with_a_valid_key_corsica_included(
    address: str, matricule: str | None
) -> None:
    assert patient_matricule(address) == matricule
