"""The scenario of what others write: a relayed letter is filed with its patient, and its correction is told."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from navette_sandbox import group
from navette_sandbox.scenarios.catalogue import patients
from navette_sandbox.scenarios.client import poll
from navette_sandbox.scenarios.correspondent import CORRECTED, FINDINGS, Letter
from navette_sandbox.scenarios.old_ris import OldRis
from navette_sandbox.scenarios.stage import Stage

_PATIENT = "P01"


async def play_k(stage: Stage) -> None:
    """A hospital relays a letter from its mail; then its author corrects it."""
    stage.say("k · a hospital relays the letter of a correspondent: filed with its patient by the INS")
    now, root = datetime.now(UTC), f"{group.OID_ROOT}.8.2"
    first = Letter("LETTRE1", f"{root}.1", "", 1, FINDINGS, now)
    second = Letter("LETTRE2", f"{root}.2", first.unique_id, 2, CORRECTED, now)
    pki, layout = stage.sandbox.layout.pki, stage.sandbox.layout
    relay = OldRis(layout.ports["report.intake"], pki.internal_ca, *pki.pair(group.INTAKE_SENDERS[1]["certificate"]))
    patient_id = stage.patient_ids[_PATIENT]
    codes = [(await relay.send(first.message(patients()[_PATIENT]))).code]
    (document,) = await _filed(stage, patient_id, 1)
    stage.observe(
        "le courrier d’un correspondant est classé chez son patient, avec son origine",
        (document["standing"], document["origin_label"]) == ("filed", "MSSanté"),
        f"{document['standing']} {document['origin_label']}",
    )
    shown = await stage.secretary.page("report", f"/pages/received/{document['document_id']}")
    stage.observe("le courrier se lit en entier", FINDINGS in shown and "97 %" in shown)
    codes.append((await relay.send(second.message(patients()[_PATIENT]))).code)
    stage.observe("les deux messages du relais sont acquittés", codes == ["AA", "AA"], str(codes))
    await _filed(stage, patient_id, 2)
    address = f"/pages/received/{document['document_id']}"
    shown = await stage.secretary.page("report", address)
    stage.observe("la page de l’ancienne version dit qu’une plus récente existe", "Une version plus récente" in shown)
    proof = re.search(r'name="csrf_token" value="([^"]+)"', shown)
    fields = {"csrf_token": proof.group(1) if proof else "", "accept": "true"}
    taken = await stage.secretary.submit("report", f"{address}/news", fields)
    kept = [one for one in await _filed(stage, patient_id, 2) if one["document_id"] == document["document_id"]]
    stage.observe(
        "la secrétaire en prend acte ; l’ancienne version reste lisible",
        taken.status_code == 303 and [one["standing"] for one in kept] == ["former"],
        str(taken.status_code),
    )


async def _filed(stage: Stage, patient_id: str, number: int) -> list[dict[str, Any]]:
    """The received documents of a patient, once there are that many."""

    async def ask() -> list[dict[str, Any]]:
        answer = await stage.secretary.get("report", "/received-documents", patient_id=patient_id)
        return list(answer["documents"])

    what = f"scenario k: {number} received documents filed"
    return await poll(ask, lambda found: len(found) == number, seconds=60, what=what)
