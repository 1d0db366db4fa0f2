"""Who receives a report, and why somebody does not (yet): the rules of DESIGN §2 as one pure function.

| rule | effect |
|---|---|
| identity not qualified | professionals only; DMP and patient wait for the secretary |
| announcement needed | DMP with INVISIBLE_PATIENT; the patient's mail waits for the announcement |
| hidden from professionals | DMP (MASQUE_PS) and patient; no mail to professionals |
| hidden from the patient | no mail to the patient |
| hidden from legal representatives | no mail to the patient: they read the mailbox of a minor |
| withheld from the DMP, from the patient | that one is cancelled, by the radiologist's choice |
"""

from __future__ import annotations

from dataclasses import dataclass

from navette_contracts.events import Audience, WhoMustAct

from navette_report.domain.choices import SignatureChoices

PARTIES = (Audience.DMP, Audience.PROFESSIONALS, Audience.PATIENT)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether one party receives the report now; if not, why, and who can change that.

    `final` tells a decision (nothing will be sent) from a wait.
    """

    receives: bool
    reason: str | None = None
    who: WhoMustAct = WhoMustAct.NOBODY
    final: bool = False


_YES = Verdict(receives=True)


def _no(reason: str) -> Verdict:
    return Verdict(receives=False, reason=reason, final=True)


def _wait(reason: str, who: WhoMustAct) -> Verdict:
    return Verdict(receives=False, reason=reason, who=who)


def verdict(party: Audience, choices: SignatureChoices, *, qualified: bool) -> Verdict:
    """What `party` gets under these choices."""
    if party is Audience.PROFESSIONALS:
        return _no("hidden_from_professionals") if choices.hidden_from_professionals else _YES
    if party is Audience.DMP:
        if choices.withheld_from_dmp:
            return _no("withheld_from_dmp")
    else:
        for refused in ("withheld_from_patient", "hidden_from_patient", "hidden_from_representatives"):
            if getattr(choices, refused):
                return _no(refused)
    if not qualified:
        return _wait("ins_not_qualified", WhoMustAct.SECRETARY)
    if party is Audience.PATIENT and choices.announcement_needed:
        return _wait("announcement_needed", WhoMustAct.RADIOLOGIST)
    return _YES


def audience(choices: SignatureChoices, *, qualified: bool) -> tuple[Audience, ...]:
    """The parties that receive the report now, in the order of `PARTIES`."""
    return tuple(party for party in PARTIES if verdict(party, choices, qualified=qualified).receives)
