"""What waits for somebody, list by list, and which identities belong on each (spec/ins.md §4.4, §6)."""

from __future__ import annotations

from enum import StrEnum

from navette_contracts.events import IdentityAttribute, IdentityStatus

from navette_ins.domain.errors import Forbidden
from navette_ins.domain.identity import Identity


class Worklist(StrEnum):
    """The lists."""

    TO_QUALIFY = "to_qualify"
    """Present at the reception today, not qualified."""
    INS_TO_SEARCH = "ins_to_search"
    """Present today, INSi may be asked and was not, or could not answer."""
    SEVERAL_ANSWERS = "several_answers"
    TO_DECIDE = "to_decide"
    """One person found, with a difference to look at."""
    NOT_FOUND = "not_found"
    DOUBTFUL = "doubtful"
    DUPLICATES = "duplicates"
    """Duplicates, collisions and homonyms."""
    VERIFICATION_KO = "verification_ko"


class NextStep(StrEnum):
    """What somebody does next; the API says it in French."""

    HOLD_DOCUMENT_THEN_SEARCH = "hold_document_then_search"
    HOLD_DOCUMENT = "hold_document"
    VALIDATE = "validate"
    SEARCH_INS = "search_ins"
    WAIT_FOR_INSI = "wait_for_insi"
    LIFT_DOUBT = "lift_doubt"
    NO_INS_POSSIBLE = "no_ins_possible"
    ADD_GIVEN_NAMES_OR_PLACE = "add_given_names_or_place"
    COMPARE_AND_DECIDE = "compare_and_decide"
    CHECK_BIRTH_NAME = "check_birth_name"
    SEARCH_LATER = "search_later"
    LOOK_AND_DECIDE = "look_and_decide"
    MERGE = "merge"
    LOOK_AT_COLLISION = "look_at_collision"
    LOOK_AT_HOMONYM = "look_at_homonym"
    CONFIRM_KO = "confirm_ko"
    ASK_THE_SENDER = "ask_the_sender"


def searchable(identity: Identity) -> bool:
    """Whether INSi may be asked for this person."""
    try:
        identity.searchable()
    except Forbidden:
        return False
    return True


def step_to_qualify(identity: Identity) -> NextStep | None:
    """What the reception does with a person who is present; None when the identity is qualified."""
    if identity.status is IdentityStatus.QUALIFIEE:
        return None
    if identity.untrusted:
        return NextStep.LIFT_DOUBT
    if identity.check is None and identity.proof is not None and identity.proof.high_trust:
        return NextStep.VALIDATE
    if identity.status is IdentityStatus.RECUPEREE:
        return NextStep.HOLD_DOCUMENT
    possible = searchable(identity)
    if identity.status is IdentityStatus.VALIDEE:
        return NextStep.SEARCH_INS if possible else NextStep.NO_INS_POSSIBLE
    return NextStep.HOLD_DOCUMENT_THEN_SEARCH if possible else NextStep.HOLD_DOCUMENT


def doubtful(identity: Identity) -> bool:
    """Whether the list of doubtful identities shows it."""
    return IdentityAttribute.DOUTEUSE in identity.attributes and identity.merged_into is None
