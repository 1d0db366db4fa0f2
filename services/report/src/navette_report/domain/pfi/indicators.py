"""The MetaDMPMSS indicators of a message and the combinations a platform takes (spec/hl7v2.md §5.6)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import StrEnum

from navette_contracts.events import Audience, WhoMustAct

from navette_report.domain.choices import SignatureChoices
from navette_report.domain.pfi.distribution import Platform


@dataclass(frozen=True, slots=True)
class Indicators:
    """The ten required indicators, in their fixed order."""

    masked_to_professionals: bool
    invisible_to_patient: bool
    invisible_to_representatives: bool
    secret_connection: bool
    visibility_changed: bool
    to_dmp: bool
    to_professionals: bool
    to_patient: bool
    ack_reception: bool
    ack_reading: bool

    @property
    def mails(self) -> bool:
        """Whether a mail is asked for at all."""
        return self.to_professionals or self.to_patient


class Sending(StrEnum):
    """Lines of the matrix of MSSanté."""

    PROFESSIONAL_AND_PATIENT = "professional_and_patient"
    PROFESSIONAL_ONLY = "professional_only"
    PATIENT_ONLY = "patient_only"
    NO_MAIL = "no_mail"


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a message cannot be sent, and who can change that."""

    reason: str
    who: WhoMustAct


def indicators_of(
    parties: Collection[Audience],
    choices: SignatureChoices,
    platform: Platform,
    *,
    shared: bool,
    visibility_changed: bool,
    professionals_reachable: bool,
) -> Indicators:
    """The indicators for the parties a platform carries.

    `shared`: the edition is for the DMP whoever deposits it, which is what a DRIMbox must know to publish its KOS.
    The masks are those of the document, and say the same whoever carries what.
    """
    seen = choices.visibility
    return Indicators(
        masked_to_professionals=seen.hidden_from_professionals,
        invisible_to_patient=seen.hidden_from_patient,
        invisible_to_representatives=seen.hidden_from_representatives,
        secret_connection=seen.secret_connection,
        visibility_changed=visibility_changed,
        to_dmp=shared if platform.kind == "drimbox" else Audience.DMP in parties,
        to_professionals=Audience.PROFESSIONALS in parties and professionals_reachable,
        to_patient=Audience.PATIENT in parties,
        ack_reception=platform.asks_reception,
        ack_reading=platform.ack_reading,
    )


def line_of(one: Indicators) -> Sending | None:
    """The line of the matrix a combination is on, None for one that a strict platform answers with an error."""
    masks = (one.masked_to_professionals, one.invisible_to_patient, one.invisible_to_representatives)
    match (one.to_professionals, one.to_patient):
        case (False, False):
            return Sending.NO_MAIL
        case (True, True):
            return Sending.PROFESSIONAL_AND_PATIENT if masks == (False, False, False) else None
        case (True, False):
            return Sending.PROFESSIONAL_ONLY if masks == (False, True, False) else None
        case _:
            free = not (one.invisible_to_patient or one.secret_connection or one.to_dmp)
            return Sending.PATIENT_ONLY if free else None


def objection(one: Indicators, choices: SignatureChoices, *, qualified: bool, strict: bool) -> Objection | None:
    """What forbids a message before it is sent; None when nothing does.

    The first rules hold everywhere; those of the matrix only for a platform that is strict about it.
    """
    unreadable = one.to_patient and (one.invisible_to_patient or one.invisible_to_representatives)
    always = (
        (one.to_dmp and not qualified, Objection("ins_not_qualified", WhoMustAct.SECRETARY)),
        (unreadable, Objection("matrix_hidden_from_the_reader", WhoMustAct.RADIOLOGIST)),
        (
            one.to_professionals and one.masked_to_professionals,
            Objection("matrix_masked_professional", WhoMustAct.RADIOLOGIST),
        ),
    )
    found = next((said for broken, said in always if broken), None)
    if found is not None or not strict or line_of(one) is not None:
        return found
    return _outside(one, choices, qualified=qualified)


def without_mails(one: Indicators) -> Indicators:
    """The same message for the DMP alone."""
    return replace(one, to_professionals=False, to_patient=False)


def _outside(one: Indicators, choices: SignatureChoices, *, qualified: bool) -> Objection:
    """Why a combination is on no line of the matrix."""
    if not one.to_professionals:
        return Objection("matrix_patient_with_dmp", WhoMustAct.ADMINISTRATOR)
    if one.invisible_to_representatives:
        return Objection("matrix_hidden_from_representatives", WhoMustAct.RADIOLOGIST)
    # The patient may see it, so the patient would have to receive it too.
    if choices.withheld_from_patient:
        return Objection("matrix_patient_left_out", WhoMustAct.RADIOLOGIST)
    return Objection("matrix_patient_left_out", WhoMustAct.ADMINISTRATOR if qualified else WhoMustAct.SECRETARY)


def deletion(sent: Collection[Indicators], last: Indicators, *, strict: bool) -> Indicators:
    """What a deletion says: the masks of the last message, and everyone any message was for.

    Where the matrix has no line for that, the destinations of the last message, which were taken.
    """
    everyone = replace(
        last,
        visibility_changed=False,
        to_dmp=any(one.to_dmp for one in sent),
        to_professionals=any(one.to_professionals for one in sent),
        to_patient=any(one.to_patient for one in sent),
    )
    return replace(last, visibility_changed=False) if strict and line_of(everyone) is None else everyone
