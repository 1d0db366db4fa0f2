"""A schematron file with everything it refers to pulled in: includes, abstract patterns, the default phase."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from pathlib import Path

from lxml import etree

SCH = "http://purl.oclc.org/dsdl/schematron"
_QUERIES = ("test", "context", "select", "value")

Element = etree._Element


class SchemaError(Exception):
    """A rule file that cannot be used. The message names the file and what is wrong with it."""


def sch(name: str) -> str:
    """The qualified name of a schematron element."""
    return f"{{{SCH}}}{name}"


class Schema:
    """One rule file, complete.

    Raises SchemaError for a missing or malformed file. The files of the kit are trusted: an administrator put
    them there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.root = _complete(self.path, ())
        _instantiate(self.root, self.path)
        self.abstract_rules = {
            str(rule.get("id")): rule for rule in self.root.iter(sch("rule")) if rule.get("abstract") == "true"
        }

    @property
    def namespaces(self) -> dict[str, str]:
        """Prefixes the queries use."""
        return {str(ns.get("prefix")): str(ns.get("uri")) for ns in self.root.iterfind(sch("ns"))}

    @property
    def patterns(self) -> list[Element]:
        """The patterns of the default phase, all of them when there is none."""
        every = self.root.findall(sch("pattern"))
        wanted = self.root.get("defaultPhase", "#ALL")
        if wanted == "#ALL":
            return every
        for phase in self.root.iterfind(sch("phase")):
            if phase.get("id") == wanted:
                active = {one.get("pattern") for one in phase.iterfind(sch("active"))}
                return [pattern for pattern in every if pattern.get("id") in active]
        raise SchemaError(f"{self.path.name}: the default phase does not exist")

    def lets(self) -> Iterator[Element]:
        """Variables every query may use. Those of a pattern count too: the files of the ANS rely on it."""
        yield from self.root.iterfind(sch("let"))
        seen = set()
        for pattern in self.patterns:
            for variable in pattern.iterfind(sch("let")):
                if variable.get("name") not in seen:
                    seen.add(variable.get("name"))
                    yield variable


def _complete(path: Path, opened: tuple[Path, ...]) -> Element:
    found = _whatever_case(path)
    if found in opened:
        raise SchemaError(f"{path.name}: includes itself")
    parser = etree.XMLParser(remove_comments=True, remove_pis=True, resolve_entities=False, no_network=True)
    try:
        root = etree.parse(str(found), parser).getroot()
    except (OSError, etree.XMLSyntaxError):
        raise SchemaError(f"{path.name}: missing or malformed") from None
    for include in list(root.iter(sch("include"))):
        href = str(include.get("href", "")).partition("#")[0]
        included = _complete(Path(os.path.normpath(found.parent / href)), (*opened, found))
        parent = include.getparent()
        if parent is not None:
            parent.replace(include, included)
    return root


def _whatever_case(path: Path) -> Path:
    """The path as the disk spells it: the files were written where case does not count."""
    if path.exists():
        return path
    known = Path(path.anchor)
    for part in path.parts[1:]:
        here = known / part
        if not here.exists() and known.is_dir():
            here = next((one for one in known.iterdir() if one.name.lower() == part.lower()), here)
        known = here
    return known


def _instantiate(root: Element, path: Path) -> None:
    """Replace each `is-a` pattern by its abstract one with the parameters filled in."""
    abstract = {one.get("id"): one for one in root.iterfind(sch("pattern")) if one.get("abstract") == "true"}
    for pattern in [one for one in root.iterfind(sch("pattern")) if one.get("is-a")]:
        model = abstract.get(pattern.get("is-a"))
        if model is None:
            raise SchemaError(f"{path.name}: a pattern is an unknown one")
        values = [(f"${one.get('name')}", str(one.get("value", ""))) for one in pattern.iterfind(sch("param"))]
        # The longest first: $ab must not be taken for $a.
        values.sort(key=lambda pair: -len(pair[0]))
        made = copy.deepcopy(model)
        del made.attrib["abstract"]
        made.set("id", str(pattern.get("id") or pattern.get("is-a")))
        for element in made.iter():
            for name in _QUERIES:
                if element.get(name) is not None:
                    element.set(name, _filled(str(element.get(name)), values))
            # What a rule says names its parameters too.
            element.text = _filled(element.text or "", values)
            element.tail = _filled(element.tail or "", values)
        root.replace(pattern, made)
    for pattern in abstract.values():
        root.remove(pattern)


def _filled(query: str, values: list[tuple[str, str]]) -> str:
    for name, value in values:
        query = query.replace(name, value)
    return query
