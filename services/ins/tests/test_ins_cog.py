"""The communes the service carries: a code nobody knows is a warning (spec/ins.md §3)."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest
from navette_ins.adapters.cog import PlacesUnusable, known_places, load_places, read_codes

LIST = (files("navette_ins") / "data" / "communes.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "code",
    [
        "38185",  # Grenoble
        "75056",  # Paris, and one of its arrondissements
        "75101",
        "2A004",  # Ajaccio
        "97411",  # Saint-Denis de La Réunion
        "97502",  # Saint-Pierre-et-Miquelon, New Caledonia
        "98818",
        "01340",  # a commune that is part of Arboys en Bugey since 2016
        "20004",  # Ajaccio before 1976
        "99350",  # abroad: no list of countries is carried
        "99999",
    ],
)
def test_a_code_of_today_or_of_before_a_merger_is_known(code: str) -> None:
    assert known_places()(code)


@pytest.mark.parametrize("code", ["2A020", "00001", "38999", "96001"])
def test_a_code_of_no_commune_is_not_known(code: str) -> None:
    assert not known_places()(code)


@pytest.mark.parametrize(
    "text", ["", LIST.replace(" 001-219", " 001-218"), LIST.partition("\n03 ")[0], LIST.replace("sha256 ", "sha256 0")]
)
def test_a_list_that_was_edited_or_cut_stops_the_start(text: str) -> None:
    with pytest.raises(PlacesUnusable):
        read_codes(text)


def test_where_the_list_comes_from_is_written_in_it() -> None:
    head = LIST.splitlines()[:4]
    assert "@etalab/decoupage-administratif" in head[1]
    assert "Licence Ouverte" in head[2]
    assert len(read_codes(LIST)) > 39_000


def test_a_list_of_the_installation_with_countries_judges_them_too(tmp_path: Path) -> None:
    file = tmp_path / "places.csv"
    file.write_text("COG,LIBELLE\n38185,Grenoble\n")
    assert load_places(file)("99350")
    file.write_text("COG,LIBELLE\n38185,Grenoble\n99350,Maroc\n")
    assert load_places(file)("99350")
    assert not load_places(file)("99777")
