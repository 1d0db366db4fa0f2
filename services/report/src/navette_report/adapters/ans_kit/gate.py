"""Runs the rules of the kit on documents, in a thread of its own: Saxon keeps its compiled rules there."""

from __future__ import annotations

import importlib.util
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lxml import etree

from navette_report.adapters.ans_kit.schematron import Schema, SchemaError
from navette_report.adapters.ans_kit.stylesheet import stylesheet_of
from navette_report.domain.report import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable

PROFILES = (
    "schematrons/profils/IHE.sch",
    "schematrons/profils/CI-SIS_ModelesDeContenusCDA.sch",
    "schematrons/profils/CI-SIS_Modeles_ANS.sch",
    "schematrons/profils/structurationMinimale/ASIP-STRUCT-MIN-StrucMin.sch",
    "schematrons/profils/terminologies/schematron/terminologie.sch",
)
"""Rules of every document (spec/cda.md §1)."""
VOLET = "schematrons/CI-SIS_IMG-CR-IMG_2024.01.sch"
"""Rules of an imaging report with a structured body."""
GRAMMAR = "infrastructure/cda/CDA_extended.xsd"
_LONGEST = 300


class KitUnusable(Exception):  # noqa: N818 - read as "raise KitUnusable"
    """The kit or the engine it needs is not there. The message is one sentence for whoever starts the service."""


def check_usable(folder: Path) -> None:
    """Raises KitUnusable when the folder holds no kit, or saxonche is not installed."""
    missing = [name for name in (*PROFILES, VOLET, GRAMMAR) if not (folder / name).is_file()]
    if missing:
        raise KitUnusable(f"this folder holds no conformance kit: {missing[0]} is missing")
    if importlib.util.find_spec("saxonche") is None:
        raise KitUnusable("the conformance kit needs the Saxon engine: install navette-report[kit] or unset it")


class AnsKit:
    """The gate; safe to share between threads.

    Rules are compiled once, at `warm`; every run happens in the same thread. Raises KitUnusable at construction
    when saxonche is not installed or the folder holds no kit.
    """

    def __init__(self, folder: Path) -> None:
        check_usable(folder)
        import saxonche

        self._saxon: Any = saxonche
        self._folder = folder
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ans-kit")
        self._rules: dict[str, Any] = {}
        self._processor: Any = None
        self._grammar: etree.XMLSchema | None = None

    def warm(self) -> None:
        """Compile the rules now (about 3 s). Raises KitUnusable when a rule file cannot be compiled."""
        self._thread.submit(self._compile).result()

    def close(self) -> None:
        """Let go of the engine, in its own thread."""
        self._thread.submit(self._release).result()
        self._thread.shutdown()

    def check(self, cda: bytes, *, structured: bool) -> tuple[Finding, ...]:
        """What the rules of the kit say against a document; waits for the thread of the kit.

        A rule that cannot be run counts as a finding: what was not checked does not leave.
        """
        return self._thread.submit(self._run, cda, structured).result()

    def _compile(self) -> None:
        if self._rules:
            return
        self._processor = self._saxon.PySaxonProcessor(license=False)
        xslt = self._processor.new_xslt30_processor()
        compiled = {}
        for name in (*PROFILES, VOLET):
            try:
                text = stylesheet_of(Schema(self._folder / name))
                compiled[name] = xslt.compile_stylesheet(stylesheet_text=text)
            except (SchemaError, self._saxon.PySaxonApiError):
                compiled[name] = None
            if compiled[name] is None:
                raise KitUnusable(f"the rules of {name} in the conformance kit cannot be compiled")
        self._grammar = etree.XMLSchema(etree.parse(str(self._folder / GRAMMAR)))
        self._rules = compiled

    def _release(self) -> None:
        self._rules, self._processor = {}, None

    def _run(self, cda: bytes, structured: bool) -> tuple[Finding, ...]:
        self._compile()
        found = list(self._by_grammar(cda))
        node = self._processor.parse_xml(xml_text=cda.decode())
        for name in (*PROFILES, *((VOLET,) if structured else ())):
            try:
                answer = self._rules[name].transform_to_string(xdm_node=node)
            except self._saxon.PySaxonApiError:
                found.append(Finding(rule="rules_not_run", path=name))
                continue
            found += [
                Finding(rule=(one.text or "")[:_LONGEST], path=str(one.get("path")))
                for one in etree.fromstring(answer.encode()).iter("finding")
            ]
        return tuple(dict.fromkeys(found))

    def _by_grammar(self, cda: bytes) -> Iterable[Finding]:
        if self._grammar is None or self._grammar.validate(etree.fromstring(cda)):
            return ()
        # The message quotes the document; the type of the error and the place do not.
        errors: Any = self._grammar.error_log
        return [Finding(rule=f"xsd_{error.type_name.lower()}", path=str(error.path)) for error in errors]
