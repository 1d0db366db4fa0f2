"""Who Pro Santé Connect says the person is, and which roles that person may be offered (spec/psc.md §6-§8)."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from navette_documents.identifiers.rpps import rpps_of_ps_idnat

from navette_psc_auth.domain.errors import LoginRefused

_EDIT = re.compile(r"ANS\d{14}", re.ASCII)
_MAX_EXERCISES = 50
_MAX_ACTIVITIES = 500

_PHYSICIAN = "10"
_RADIOGRAPHER = "98"
_NO_REGULATED_PROFESSION = frozenset({"", "99"})
_SECRETARIAL_ROLES = frozenset({"331", "332", "336", "365"})
_STUDENT = "E"


@dataclass(frozen=True)
class Exercise:
    """One profession the person exercises, with the role codes of its situations."""

    profession: str
    category: str
    skill: str
    role_codes: frozenset[str]


@dataclass(frozen=True)
class Professional:
    """The person behind the login. `rpps` is None for an EDIT test identity."""

    national_id: str
    rpps: str | None
    name: str
    auth_mode: str
    exercises: tuple[Exercise, ...]


def rpps_of(subject_name_id: str, *, production: bool) -> str | None:
    """RPPS of a SubjectNameID (`8` + 11 digits with a right key), None for an EDIT identity outside production.

    Raises LoginRefused for anything else: EDIT in production, ADELI (historical, no RPPS), unknown forms.
    """
    rpps = rpps_of_ps_idnat(subject_name_id)
    if rpps is not None:
        return rpps
    if _EDIT.fullmatch(subject_name_id) and not production:
        return None
    raise LoginRefused("national_id")


def professional_of(userinfo: Mapping[str, Any], *, production: bool) -> Professional:
    """Read userinfo. Texts only, an empty text is an absent one, `SubjectRefPro` may be missing."""
    national_id = _text(userinfo, "SubjectNameID")
    rpps = rpps_of(national_id, production=production)
    reference = userinfo.get("SubjectRefPro")
    rows = reference.get("exercices") if isinstance(reference, Mapping) else None
    exercises = [row for row in _rows(rows) if isinstance(row, Mapping)][:_MAX_EXERCISES]
    return Professional(
        national_id=national_id,
        rpps=rpps,
        name=_name(exercises, userinfo),
        auth_mode=_text(userinfo, "authMode"),
        exercises=tuple(_exercise(row) for row in exercises),
    )


def skills_of(professional: Professional, imaging_skills: Collection[str]) -> tuple[str, ...]:
    """The savoir-faire that make the person a radiologist, each once, as the registration lists them."""
    found = [one.skill for one in professional.exercises if _is_radiologist(one, imaging_skills)]
    return tuple(dict.fromkeys(found))


def eligible_roles(professional: Professional, imaging_skills: Collection[str]) -> frozenset[str]:
    """Roles the person's registration allows; a local administrator still has to give them."""
    roles: set[str] = set()
    for exercise in professional.exercises:
        if exercise.category == _STUDENT:
            continue  # a student needs a supervisor: no role of one's own
        if _is_radiologist(exercise, imaging_skills):
            roles.add("radiologist")
        elif exercise.profession == _RADIOGRAPHER:
            roles.add("technologist")
        elif exercise.profession in _NO_REGULATED_PROFESSION and exercise.role_codes & _SECRETARIAL_ROLES:
            roles.add("secretary")
    return frozenset(roles)


def _is_radiologist(exercise: Exercise, imaging_skills: Collection[str]) -> bool:
    physician = exercise.profession == _PHYSICIAN and exercise.category != _STUDENT
    return physician and exercise.skill in imaging_skills


def _exercise(row: Mapping[str, Any]) -> Exercise:
    activities = _rows(row.get("activities"))[:_MAX_ACTIVITIES]
    return Exercise(
        profession=_text(row, "codeProfession"),
        category=_text(row, "codeCategorieProfessionnelle"),
        skill=_text(row, "codeSavoirFaire"),
        role_codes=frozenset(_text(one, "codeRole") for one in activities if isinstance(one, Mapping)) - {""},
    )


def _name(exercises: Sequence[Mapping[str, Any]], userinfo: Mapping[str, Any]) -> str:
    # The name of exercise is the one patients and colleagues know; the civil one is the fallback.
    for row in exercises:
        if name := _joined(_text(row, "prenomDexercice"), _text(row, "nomDexercice")):
            return name
    return _joined(_text(userinfo, "given_name"), _text(userinfo, "family_name"))


def _joined(given: str, family: str) -> str:
    # The directory writes all in capitals. Case is what tells the family name from the given one further on.
    return " ".join(part for part in (given.title() if given.isupper() else given, family.upper()) if part)[:200]


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    return value.strip()[:500] if isinstance(value, str) else ""


def _rows(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
