"""An identity as a FHIR R4 Patient of FR Core, in the two ways its versions tell the status (spec/ins.md §8.1).

The matricule appears for a qualified identity only (RIS.INS.37). Marked *unverified* in the guide: the code system of
birth countries, and how 2.1 carries attributes beside the status.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal

from navette_contracts.events import IdentityAttribute, IdentityStatus
from navette_documents.identifiers.nir import INS_DEMO, INS_NIA, INS_NIR, INS_TEST

from navette_ins.domain.facts import FormerIns
from navette_ins.domain.identity import Identity
from navette_ins.domain.traits import UNKNOWN_PLACE, Traits

Version = Literal["2.1", "2.2"]

_CORE: Final = "https://hl7.fr/ig/fhir/core"
_MOS: Final = "https://mos.esante.gouv.fr/NOS"
_COMMUNES: Final = f"{_MOS}/TRE_R13-CommuneOM/FHIR/TRE-R13-CommuneOM"
_COUNTRIES: Final = f"{_MOS}/TRE_R20-Pays/FHIR/TRE-R20-Pays"
_SLICES: Final = MappingProxyType(
    {
        INS_NIR: ("INS-NIR", "official"),
        INS_NIA: ("INS-NIA", "temp"),
        INS_TEST: ("INS-NIR-TEST", "official"),
        INS_DEMO: ("INS-NIR-DEMO", "official"),
    }
)
_GENDERS: Final = MappingProxyType({"F": "female", "M": "male", "I": "unknown"})
_ATTRIBUTES: Final = MappingProxyType(
    {IdentityAttribute.HOMONYME: "HOMA", IdentityAttribute.DOUTEUSE: "DOUT", IdentityAttribute.FICTIVE: "FICT"}
)


@dataclass(frozen=True, slots=True)
class _Words:
    """How one version of FR Core says it."""

    release: str
    statuses: Mapping[IdentityStatus, str]
    status_system: str
    method_system: str


_S = IdentityStatus
_WORDS: Final[Mapping[str, _Words]] = MappingProxyType(
    {
        # Codes of PAM. VALI asks for an INS (invariants fr-core-1, -2): a validated identity without one is PROV there.
        "2.1": _Words(
            "2.1.0",
            {_S.PROVISOIRE: "PROV", _S.RECUPEREE: "PROV", _S.VALIDEE: "PROV", _S.QUALIFIEE: "VALI"},
            "fr-core-cs-v2-0445",
            "fr-core-cs-method-collection",
        ),
        "2.2": _Words(
            "2.2.0",
            {_S.PROVISOIRE: "PROV", _S.RECUPEREE: "RECUP", _S.VALIDEE: "VALI", _S.QUALIFIEE: "QUAL"},
            "fr-core-cs-identity-status",
            "fr-core-cs-identity-method-collection",
        ),
    }
)


def patient_resource(identity: Identity, version: Version, *, ipp_system: str, sees_ins: bool) -> dict[str, Any]:
    """The resource. `ipp_system` is the URI of the numbers of the site; without `sees_ins` no matricule is in it."""
    words, traits = _WORDS[version], identity.traits
    qualified = identity.status is IdentityStatus.QUALIFIEE
    profile = "fr-core-patient-ins" if qualified and sees_ins else "fr-core-patient"
    resource: dict[str, Any] = {
        "resourceType": "Patient",
        "id": identity.patient_id,
        "meta": {"profile": [f"{_CORE}/StructureDefinition/{profile}|{words.release}"]},
        "extension": [*_reliability(identity, version, words), _birth_place(traits)],
        "identifier": [*(_numbers(identity) if qualified and sees_ins else ()), *_ipp(traits, ipp_system)],
        "active": identity.merged_into is None,
        "name": list(_names(traits)),
        "gender": _GENDERS[traits.sex],
        "birthDate": traits.birth_date,
    }
    if identity.merged_into is not None:
        resource["link"] = [{"other": {"reference": f"Patient/{identity.merged_into}"}, "type": "replaced-by"}]
    return resource if resource["identifier"] else {key: one for key, one in resource.items() if key != "identifier"}


def _reliability(identity: Identity, version: str, words: _Words) -> Iterator[dict[str, Any]]:
    url = f"{_CORE}/StructureDefinition/fr-core-identity-reliability"
    parts: list[dict[str, Any]] = [_coded("identityStatus", words.status_system, words.statuses[identity.status])]
    channel = "SM" if identity.recovery is None else identity.recovery.channel
    parts.append(_coded("methodCollection", words.method_system, channel))
    if identity.check is not None:
        kind = identity.check.document_kind
        parts.append(_coded("validationMode", "fr-core-cs-mode-validation-identity", kind))
        parts.append({"url": "validationDate", "valueDate": identity.check.at.date().isoformat()})
    codes = sorted(_ATTRIBUTES[one] for one in identity.attributes if one in _ATTRIBUTES)
    if version == "2.2":
        system = f"{_CORE}/CodeSystem/fr-core-cs-identity-status-comment"
        coding = [{"system": system, "code": code} for code in codes]
        parts += [{"url": "comment", "valueCodeableConcept": {"coding": [one]}} for one in coding]
        codes = []
    yield {"url": url, "extension": parts}
    for code in codes:
        yield {"url": url, "extension": [_coded("identityStatus", words.status_system, code)]}


def _coded(url: str, system: str, code: str) -> dict[str, Any]:
    return {"url": url, "valueCoding": {"system": f"{_CORE}/CodeSystem/{system}", "code": code}}


def _birth_place(traits: Traits) -> dict[str, Any]:
    code = traits.birth_place_code
    abroad = code.startswith("99") and code != UNKNOWN_PLACE
    coding = {"system": _COUNTRIES if abroad else _COMMUNES, "code": code}
    insee = {"url": f"{_CORE}/StructureDefinition/fr-core-address-insee-code", "valueCoding": coding}
    return {"url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace", "valueAddress": {"extension": [insee]}}


def _numbers(identity: Identity) -> Iterator[dict[str, Any]]:
    if identity.recovery is None:
        return
    yield _number(identity.recovery.ins)
    for one in identity.former_ins:
        yield _number(one) | {"use": "old"}


def _number(ins: FormerIns) -> dict[str, Any]:
    code, use = _SLICES.get(ins.oid, ("INS-NIR", "official"))
    coding = {"system": f"{_CORE}/CodeSystem/fr-core-cs-v2-0203", "code": code}
    return {"use": use, "type": {"coding": [coding]}, "system": f"urn:oid:{ins.oid}", "value": ins.matricule}


def _ipp(traits: Traits, system: str) -> Iterator[dict[str, Any]]:
    if traits.local_id is not None:
        yield {"use": "usual", "system": system, "value": traits.local_id}


def _names(traits: Traits) -> Iterator[dict[str, Any]]:
    whole = f"{_CORE}/StructureDefinition/fr-core-patient-birth-list-given-name"
    yield {
        "use": "official",
        "family": traits.birth_name,
        "given": [traits.first_birth_given_name],
        "extension": [{"url": whole, "valueString": traits.birth_given_names}],
    }
    if traits.used_name is not None or traits.used_given_name is not None:
        given = traits.used_given_name or traits.first_birth_given_name
        yield {"use": "usual", "family": traits.used_name or traits.birth_name, "given": [given]}
