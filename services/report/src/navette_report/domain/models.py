"""Report models of the sites, with the choices they preset (spec/dsr.md §4 C1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pydantic import TypeAdapter

from navette_report.domain.choices import SignatureChoices, forbidden_combinations
from navette_report.domain.fields import Line, RecipientId, Strict


class ReportModel(Strict):
    """One model: for one site, or for all when `site_id` is None."""

    name: RecipientId
    label: Line
    site_id: str | None = None
    choices: SignatureChoices = SignatureChoices()


class ModelBook:
    """The models a site may write from; those of the site come before those of all."""

    def __init__(self, models: Iterable[ReportModel] = ()) -> None:
        self._models: Mapping[tuple[str | None, str], ReportModel] = {(one.site_id, one.name): one for one in models}

    def find(self, site_id: str, name: str) -> ReportModel | None:
        """The model of that name at a site, None when there is none."""
        return self._models.get((site_id, name)) or self._models.get((None, name))

    def of_site(self, site_id: str) -> list[ReportModel]:
        """Models usable at a site, by name."""
        names = sorted({name for site, name in self._models if site in (None, site_id)})
        return [model for name in names if (model := self.find(site_id, name)) is not None]


def load_models(data: bytes) -> ModelBook:
    """Models from a JSON array. Raises ValidationError, or ValueError for presets that exclude each other."""
    models = TypeAdapter(list[ReportModel]).validate_json(data)
    if any(forbidden_combinations(model.choices) for model in models):
        raise ValueError("report models: choices that exclude each other")
    return ModelBook(models)
