"""Platforms and messages for the pure tests of the output."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from navette_contracts.events import Audience
from navette_documents.hl7v2 import Message, parse
from navette_report.domain.audience import audience
from navette_report.domain.choices import SignatureChoices
from navette_report.domain.pfi.distribution import Platform
from navette_report.domain.pfi.indicators import indicators_of
from navette_report.domain.pfi.letter import Action, Letter, addressees_of, letter_of
from navette_report.domain.pfi.writing import written

AT = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
CDA = b"<ClinicalDocument xmlns='urn:hl7-org:v3'/>"


def platform(**changes: Any) -> Platform:
    values: dict[str, Any] = {
        "name": "ch",
        "label": "PFI du CH",
        "kind": "pfi",
        "host": "pfi.example",
        "port": 2575,
        "application": "PFI-B",
        "facility": "CH-B",
        "sending_application": "RIS-A",
        "sending_facility": "CENTRE-A",
    }
    return Platform.model_validate(values | changes)


@pytest.fixture(scope="session")
def make_platform() -> Callable[..., Platform]:
    return platform


@pytest.fixture(scope="session")
def make_letter(samples: Any) -> Callable[..., Letter]:
    def make(to: Platform | None = None, *, qualified: bool = True, changed: bool = False, **choices: Any) -> Letter:
        to = to or platform()
        chosen = SignatureChoices.model_validate(choices)
        document = samples.document(identity=samples.identity(qualified=qualified), **choices)
        parties = audience(chosen, qualified=qualified)
        indicators = indicators_of(
            parties,
            chosen,
            to,
            shared=Audience.DMP in parties,
            visibility_changed=changed,
            professionals_reachable=True,
        )
        addressees = addressees_of(document)
        return letter_of(
            document, indicators, cda_sha256="0" * 64, addressees=addressees, patient_domain=to.patient_domain
        )

    return make


@pytest.fixture(scope="session")
def message(make_letter: Callable[..., Letter]) -> Callable[..., Message]:
    def write(to: Platform | None = None, action: Action = Action.CREATE, replaces: str = "", **more: Any) -> Message:
        to = to or platform()
        letter = make_letter(to, **more).model_copy(update={"replaces": replaces or None})
        return parse(written(letter, action, to, number="RIS-000457", at=AT, production=False).with_document(CDA))

    return write
