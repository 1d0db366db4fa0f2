"""Is this the patient? Identifier and authority first, then every trait the message gives must agree.

There is no "probably": whoever is not certain waits for a person (spec/hl7v2.md §1.6, §4.4, spec/ins.md §7).
"""

from __future__ import annotations

from collections.abc import Sequence

from navette_contracts.events import Traits

from navette_report.domain.identity import PatientIdentity
from navette_report.domain.intake.claims import PatientClaim, Unfit
from navette_report.domain.intake.plain import plain

UNKNOWN_PLACE = "99999"


def match_patient(
    claim: PatientClaim, by_local_id: Sequence[PatientIdentity], by_ins: Sequence[PatientIdentity], *, site_id: str
) -> PatientIdentity:
    """The one patient the claim is about. Raises Unfit with the reason when it is not certain.

    `by_local_id` and `by_ins` are the present records behind each identifier, of the identity domain of `site_id`,
    the sender's site.
    """
    if not claim.local_id and not claim.matricule:
        raise Unfit("no_usable_identifier")
    if not (claim.birth_name and (claim.given_name or claim.given_names) and claim.birth_date):
        raise Unfit("traits_missing")
    first, second = ({one.patient_id: one for one in found} for found in (by_local_id, by_ins))
    if first and second and first.keys() != second.keys():
        raise Unfit("identifiers_disagree")
    found = first | second
    if not found:
        raise Unfit("patient_unknown")
    if len(found) > 1:
        raise Unfit("patient_ambiguous")
    (identity,) = found.values()
    own = identity.traits.local_id
    if not first and identity.site_id == site_id and claim.local_id and own and own != claim.local_id:
        raise Unfit("local_id_differs")
    if claim.matricule and identity.ins is not None and identity.ins.matricule != claim.matricule:
        raise Unfit("ins_differs")
    differing = differences(claim, identity.traits)
    if differing:
        raise Unfit("traits_differ", *differing)
    return identity


def differences(claim: PatientClaim, traits: Traits) -> tuple[str, ...]:
    """The traits that do not agree, by name."""
    first, all_names = plain(traits.first_birth_given_name), plain(traits.birth_given_names)
    given = {plain(name) for name in (claim.given_name, claim.given_names) if name}
    # Some systems write the first name, some the whole list of the birth certificate.
    names_agree = given <= {first, all_names}
    places = {claim.birth_place_code, traits.birth_place_code} - {"", UNKNOWN_PLACE}
    broken = {
        "birth_name": plain(claim.birth_name) != plain(traits.birth_name),
        "given_name": not names_agree,
        "birth_date": claim.birth_date != traits.birth_date,
        "sex": bool(claim.sex) and claim.sex != traits.sex,
        "birth_place_code": bool(claim.birth_place_code) and len(places) > 1,
    }
    return tuple(name for name, is_broken in broken.items() if is_broken)
