"""What the radiologist decides inside the act of validation, once per document (RIS.CRR.02, RIS.DMP.06).

There is no global switch and no later "hide": what was visible cannot be hidden again (spec/dsr.md §4 C2).
"""

from __future__ import annotations

from collections.abc import Iterable

from navette_contracts.events import Visibility
from pydantic import AwareDatetime

from navette_report.domain.fields import Strict


class SignatureChoices(Strict):
    """Visibility, announcement and withholding, asked before the first send."""

    hidden_from_professionals: bool = False
    hidden_from_patient: bool = False
    hidden_from_representatives: bool = False
    secret_connection: bool = False
    """Connexion secrète of a minor (RIS.DMP.07): the representatives do not learn of the deposit either."""
    announcement_needed: bool = False
    withheld_from_dmp: bool = False
    withheld_from_patient: bool = False

    @property
    def visibility(self) -> Visibility:
        """What the DMP is told: a report to be announced stays invisible to the patient until then."""
        return Visibility(
            hidden_from_professionals=self.hidden_from_professionals,
            hidden_from_patient=self.hidden_from_patient or self.announcement_needed,
            hidden_from_representatives=self.hidden_from_representatives,
            secret_connection=self.secret_connection,
        )


def forbidden_combinations(choices: SignatureChoices) -> tuple[str, ...]:
    """Rules these choices break, as codes; empty when they may be signed.

    The DMP refuses a document hidden from professionals and from the patient, and takes under a connexion secrète
    only what the legal representatives cannot see (spec/dsr.md §5).
    """
    broken = []
    if choices.hidden_from_professionals and choices.hidden_from_patient:
        broken.append("hidden_from_professionals_and_patient")
    if choices.hidden_from_professionals and choices.announcement_needed:
        broken.append("hidden_from_professionals_until_announced")
    if choices.secret_connection and not choices.hidden_from_representatives:
        broken.append("secret_connection_visible_to_representatives")
    return tuple(broken)


class ChoiceMade(Strict):
    """One choice about one document: which, who made it, when. `by` is an RPPS, an account, or a report model."""

    name: str
    value: bool
    by: str
    at: AwareDatetime


def standing(made: Iterable[ChoiceMade]) -> SignatureChoices:
    """The choices as they stand: the last word about each counts."""
    return SignatureChoices.model_validate({one.name: one.value for one in made})


def made_by(
    made: tuple[ChoiceMade, ...], wanted: SignatureChoices, *, by: str, at: AwareDatetime
) -> tuple[ChoiceMade, ...]:
    """`made` with an entry for each choice that `wanted` changes."""
    before = standing(made)
    changed = [name for name in SignatureChoices.model_fields if getattr(before, name) != getattr(wanted, name)]
    return (*made, *(ChoiceMade(name=name, value=getattr(wanted, name), by=by, at=at) for name in changed))
