"""Registry objects read from ebRIM with their structural rules (spec/dmp.md §6.1)."""

from __future__ import annotations

from dataclasses import dataclass, field

from lxml import etree

from navette_sandbox.simulators.dmp import names
from navette_sandbox.simulators.dmp.errors import Problems
from navette_sandbox.simulators.dmp.names import q
from navette_sandbox.simulators.dmp.xml import attribute, children, elements, text

_ORDER = ["Slot", "Name", "Description", "VersionInfo", "Classification", "ExternalIdentifier"]


@dataclass(frozen=True, slots=True)
class Coded:
    """A coded classification."""

    code: str
    system: str
    label: str


@dataclass(slots=True)
class RegistryObject:
    """A RegistryPackage or ExtrinsicObject."""

    element: etree._Element
    object_id: str
    slots: dict[str, list[str]] = field(default_factory=dict)
    name: str = ""
    codes: dict[str, list[Coded]] = field(default_factory=dict)
    authors: dict[str, list[dict[str, list[str]]]] = field(default_factory=dict)
    nodes: list[str] = field(default_factory=list)
    external: dict[str, list[str]] = field(default_factory=dict)

    def slot(self, name: str) -> str:
        """The single value of a slot, empty if absent or repeated."""
        values = self.slots.get(name, [])
        return values[0] if len(values) == 1 else ""

    def external_id(self, scheme: str) -> str:
        """The single value of an external identifier, empty if absent or repeated."""
        values = self.external.get(scheme, [])
        return values[0] if len(values) == 1 else ""


@dataclass(frozen=True, slots=True)
class Association:
    """One association with its slots."""

    kind: str
    source: str
    target: str
    slots: dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Submission:
    """The content of a SubmitObjectsRequest."""

    package: RegistryObject
    documents: dict[str, RegistryObject]
    associations: list[Association]


def slots_of(element: etree._Element) -> dict[str, list[str]]:
    """Slots by name, values in order."""
    return {
        attribute(slot, "name"): [
            text(value) for value in slot.iterfind(f"{q(names.RIM, 'ValueList')}/{q(names.RIM, 'Value')}")
        ]
        for slot in children(element, q(names.RIM, "Slot"))
    }


def label_of(element: etree._Element) -> str:
    """``Name/LocalizedString/@value``."""
    return attribute(element.find(f"{q(names.RIM, 'Name')}/{q(names.RIM, 'LocalizedString')}"), "value")


def read_object(element: etree._Element, problems: Problems) -> RegistryObject:
    """One registry object; structural mistakes go to ``problems``."""
    object_id = attribute(element, "id")
    problems.require(bool(object_id), "id absent", "ebrim.id")
    local_names = [etree.QName(item).localname for item in elements(element)]
    known = [name for name in local_names if name in _ORDER]
    problems.require(known == local_names, f"{object_id} : élément inattendu", "ebrim.order")
    problems.require(known == sorted(known, key=_ORDER.index), f"{object_id} : ordre des éléments", "ebrim.order")
    result = RegistryObject(element, object_id, slots_of(element), label_of(element))
    for slot_name, values in result.slots.items():
        problems.require(bool(values) and all(values), f"{object_id} : slot {slot_name} vide", "ebrim.slot")
    for item in children(element, q(names.RIM, "Classification")):
        owner = attribute(item, "id") and attribute(item, "classifiedObject") == object_id
        problems.require(bool(owner), f"{object_id} : id ou classifiedObject", "ebrim.classification")
        _read_classification(item, result)
    for item in children(element, q(names.RIM, "ExternalIdentifier")):
        owner = attribute(item, "id") and attribute(item, "registryObject") == object_id
        problems.require(bool(owner), f"{object_id} : id ou registryObject", "ebrim.external_identifier")
        problems.require(bool(label_of(item)), f"{object_id} : Name d'identifiant", "ebrim.external_identifier")
        result.external.setdefault(attribute(item, "identificationScheme"), []).append(attribute(item, "value"))
    return result


def _read_classification(item: etree._Element, result: RegistryObject) -> None:
    if item.get("classificationNode") is not None:
        result.nodes.append(attribute(item, "classificationNode"))
        return
    scheme = attribute(item, "classificationScheme")
    slots = slots_of(item)
    if scheme in {names.SET_AUTHOR, names.DOC_AUTHOR}:
        result.authors.setdefault(scheme, []).append(slots)
        return
    systems = slots.get("codingScheme", [])
    coded = Coded(attribute(item, "nodeRepresentation"), systems[0] if len(systems) == 1 else "", label_of(item))
    result.codes.setdefault(scheme, []).append(coded)


def read_submission(request: etree._Element, problems: Problems) -> Submission | None:
    """A ``lcm:SubmitObjectsRequest``; ``None`` (with a problem noted) without exactly one package."""
    listing = request.find(q(names.RIM, "RegistryObjectList"))
    if request.tag != q(names.LCM, "SubmitObjectsRequest") or listing is None:
        problems.add("XDSRegistryMetadataError", "SubmitObjectsRequest attendu", "ebrim.request")
        return None
    packages = children(listing, q(names.RIM, "RegistryPackage"))
    if len(packages) != 1:
        problems.add("XDSRegistryMetadataError", "un lot et un seul attendu", "ebrim.package")
        return None
    documents: dict[str, RegistryObject] = {}
    for element in children(listing, q(names.RIM, "ExtrinsicObject")):
        document = read_object(element, problems)
        problems.require(document.object_id not in documents, "fiche en double", "ebrim.id")
        documents[document.object_id] = document
    associations: list[Association] = []
    for element in children(listing, q(names.RIM, "Association")):
        association = Association(
            attribute(element, "associationType"),
            attribute(element, "sourceObject"),
            attribute(element, "targetObject"),
            slots_of(element),
        )
        complete = all((attribute(element, "id"), association.kind, association.source, association.target))
        problems.require(complete, "association incomplète", "ebrim.association")
        associations.append(association)
    return Submission(read_object(packages[0], problems), documents, associations)
