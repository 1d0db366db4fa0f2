"""From a schematron to a stylesheet that answers with what failed: rule and path, never a value.

Each rule becomes a template. A pattern of several rules is a mode of its own, a walk through the document: the
first rule that matches an element wins. Patterns of one rule, most of them, share one walk, on which every rule that
matches an element is asked: a walk for each took three times as long.
"""

from __future__ import annotations

from lxml import etree

from navette_report.adapters.ans_kit.schematron import SCH, Element, Schema, SchemaError, sch

XSL = "http://www.w3.org/1999/XSL/Transform"
_OWN = "urn:navette:kit"
_SHARED = "shared"
"""Mode of the patterns of one rule."""
_SILENT = frozenset({"warning", "warn", "info", "information"})
_STEP = (
    "for $e in $node/ancestor-or-self::* return concat(local-name($e), '[', "
    "1 + count($e/preceding-sibling::*[node-name() = node-name($e)]), ']')"
)


def stylesheet_of(schema: Schema) -> str:
    """The stylesheet, as text. Raises SchemaError when a rule extends one that does not exist."""
    return _Writer(schema).text()


class _Writer:
    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._written: set[str] = set()
        spaces = {"xsl": XSL, "kit": _OWN, "xs": "http://www.w3.org/2001/XMLSchema"}
        spaces |= {prefix: uri for prefix, uri in schema.namespaces.items() if prefix not in ("xml", *spaces)}
        self._root = etree.Element(f"{{{XSL}}}stylesheet", nsmap=spaces)
        self._root.set("version", "3.0")
        self._root.set("exclude-result-prefixes", "#all")
        self._root.set("{http://www.w3.org/XML/1998/namespace}base", schema.path.as_uri())

    def text(self) -> str:
        function = _xsl(self._root, "function", name="kit:path")
        function.set("as", "xs:string")
        _xsl(function, "param", name="node")
        _xsl(function, "sequence", select=f"string-join({_STEP}, '/')")
        for variable in self._schema.lets():
            _let(self._root, variable)
        start = _xsl(self._root, "template", match="/")
        answer = etree.SubElement(start, "findings")
        # What no rule is about: on to what it holds.
        other = _xsl(self._root, "template", match="node()", mode="#all", priority="-2")
        _xsl(other, "apply-templates", select="*", mode="#current")
        _xsl(answer, "apply-templates", select="/", mode=_SHARED)
        for place, pattern in enumerate(self._schema.patterns, 1):
            rules = [rule for rule in pattern.iterfind(sch("rule")) if rule.get("abstract") != "true"]
            if len(rules) == 1:
                _xsl(self._rule(rules[0], _SHARED, place), "next-match")
            elif rules:
                _xsl(answer, "apply-templates", select="/", mode=f"p{place}")
                self._first_of(rules, f"p{place}")
        return etree.tostring(self._root, encoding="unicode")

    def _first_of(self, rules: list[Element], mode: str) -> None:
        for rank, rule in enumerate(reversed(rules), 1):
            _xsl(self._rule(rule, mode, rank), "apply-templates", select="*", mode=mode)

    def _rule(self, rule: Element, mode: str, rank: int) -> Element:
        match = str(rule.get("context"))
        template = _xsl_of(rule, self._root, "template", match=match, mode=mode, priority=str(rank))
        self._assertions(rule, template)
        return template

    def _assertions(self, rule: Element, template: Element) -> None:
        for child in rule:
            if child.tag == sch("let"):
                _let(template, child)
            elif child.tag == sch("extends"):
                _xsl(template, "call-template", name=self._shared(str(child.get("rule"))))
            elif child.tag in (sch("assert"), sch("report")) and _decides(child):
                test = str(child.get("test"))
                broken = f"not({test})" if child.tag == sch("assert") else test
                failing = _xsl_of(child, template, "if", test=broken)
                found = etree.SubElement(failing, "finding", path="{kit:path(.)}")
                _xsl(found, "text").text = _sentence(child)

    def _shared(self, name: str) -> str:
        """The template of an abstract rule, written when the first rule extends it: some are never used, and
        could not be compiled."""
        template = f"rule-{name}"
        if name not in self._written:
            if name not in self._schema.abstract_rules:
                raise SchemaError(f"{self._schema.path.name}: a rule extends an unknown one")
            self._written.add(name)
            self._assertions(self._schema.abstract_rules[name], _xsl(self._root, "template", name=template))
        return template


def _decides(assertion: Element) -> bool:
    """Whether a document fails by it: warnings are not for the gate."""
    return (assertion.get("role") or assertion.get("flag") or "error").lower() not in _SILENT


def _sentence(assertion: Element) -> str:
    """What the rule says in its own words, an ellipsis for each value of the document."""
    words = [assertion.text or ""]
    for child in assertion:
        words.append("…" if child.tag in (sch("value-of"), sch("name")) else "".join(map(str, child.itertext())))
        words.append(child.tail or "")
    return " ".join("".join(words).split()) or str(assertion.get("id") or "assertion")


def _xsl(parent: Element, name: str, /, **attributes: str) -> Element:
    return etree.SubElement(parent, f"{{{XSL}}}{name}", attrib=attributes)


def _xsl_of(source: Element, parent: Element, name: str, /, **attributes: str) -> Element:
    """An instruction that keeps the prefixes known where `source` stands: rules declare some of their own."""
    spaces = {prefix: uri for prefix, uri in source.nsmap.items() if prefix and uri != SCH}
    return etree.SubElement(parent, f"{{{XSL}}}{name}", attrib=attributes, nsmap=spaces)


def _let(parent: Element, variable: Element) -> None:
    made = _xsl_of(variable, parent, "variable", name=str(variable.get("name")))
    if variable.get("value") is not None:
        made.set("select", str(variable.get("value")))
    else:
        made.text = variable.text
