"""Report models of the sites: texts to start from for an act, and choices they preset (spec/dsr.md §4 C1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pydantic import TypeAdapter

from navette_report.domain.choices import SignatureChoices, forbidden_combinations
from navette_report.domain.content import ReportContent
from navette_report.domain.fields import Line, Prose, RecipientId, Strict
from navette_report.domain.imaging import LoincCode


class ModelTexts(Strict):
    """What a report of a kind usually says; only what the author left empty is filled in."""

    indication: Prose = ""
    technique: Prose = ""
    comparison: Prose = ""
    findings: Prose = ""
    conclusion: Prose = ""


class ReportModel(Strict):
    """One model: for one site, or for all when `site_id` is None; for these acts, or for any when none is named."""

    name: RecipientId
    label: Line
    site_id: str | None = None
    acts: tuple[LoincCode, ...] = ()
    """LOINC codes of the acts it is meant for."""
    texts: ModelTexts = ModelTexts()
    choices: SignatureChoices = SignatureChoices()

    def fill(self, content: ReportContent) -> ReportContent:
        """The content with the texts of the model where it has none."""
        usual = self.texts.model_dump()
        return content.model_copy(update={name: text for name, text in usual.items() if not getattr(content, name)})

    def suits(self, loinc_code: str | None) -> bool:
        """Whether it may be offered for an act; every model may when the act is not known yet."""
        return loinc_code is None or not self.acts or loinc_code in self.acts


class ModelBook:
    """The models a site may write from; those of the site come before those of all."""

    def __init__(self, models: Iterable[ReportModel] = ()) -> None:
        self._models: Mapping[tuple[str | None, str], ReportModel] = {(one.site_id, one.name): one for one in models}

    def find(self, site_id: str, name: str) -> ReportModel | None:
        """The model of that name at a site, None when there is none."""
        return self._models.get((site_id, name)) or self._models.get((None, name))

    def of_site(self, site_id: str, loinc_code: str | None = None) -> list[ReportModel]:
        """Models usable at a site for an act: those made for the act first, then by name."""
        names = sorted({name for site, name in self._models if site in (None, site_id)})
        found = [model for name in names if (model := self.find(site_id, name)) is not None]
        return sorted((model for model in found if model.suits(loinc_code)), key=lambda model: not model.acts)


def load_models(data: bytes) -> ModelBook:
    """Models from a JSON array. Raises ValidationError, or ValueError for presets that exclude each other."""
    models = TypeAdapter(list[ReportModel]).validate_json(data)
    if any(forbidden_combinations(model.choices) for model in models):
        raise ValueError("report models: choices that exclude each other")
    return ModelBook(models)
