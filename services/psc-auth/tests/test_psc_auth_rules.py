"""The rules alone: who may be what, where one may go, what passes the gateway, what settings are refused."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from navette_psc_auth.domain.errors import LoginRefused
from navette_psc_auth.domain.gateway import public_location, same_origin, upstream_path
from navette_psc_auth.domain.professional import eligible_roles, professional_of, rpps_of, skills_of
from navette_psc_auth.domain.return_to import safe_return_to
from navette_psc_auth.domain.rights import Account, Grant, active_grants, rights_of
from navette_psc_auth.domain.session import csrf_matches, csrf_token, digest
from navette_psc_auth.settings import PscAuthSettings
from navette_psc_auth.use_cases.load_accounts import AccountsUnusable, read_accounts
from pydantic import ValidationError

IMAGING = ["SM44", "SM28"]


def person(*exercises: dict[str, Any], **claims: Any) -> dict[str, Any]:
    return {"SubjectNameID": "899700001003", "SubjectRefPro": {"exercices": list(exercises)}, **claims}


def exercise(profession: str, skill: str = "", category: str = "C", roles: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "codeProfession": profession,
        "codeCategorieProfessionnelle": category,
        "codeSavoirFaire": skill,
        "nomDexercice": "FICTIF",
        "prenomDexercice": "ALIX",
        "activities": [{"codeRole": role} for role in roles],
    }


# --- identity -------------------------------------------------------------------------------------


def test_the_rpps_is_what_follows_the_8() -> None:
    assert rpps_of("899700001003", production=True) == "99700001003"


@pytest.mark.parametrize(
    "national_id", ["899700001004", "99700001003", "0123456789", "", "8", "ANS123", "８99700001003"]
)
def test_anything_else_than_8_and_a_valid_rpps_is_refused(national_id: str) -> None:
    with pytest.raises(LoginRefused, match="national_id"):
        rpps_of(national_id, production=False)


def test_an_edit_identity_is_known_outside_production_only() -> None:
    assert rpps_of("ANS20260101000001", production=False) is None
    with pytest.raises(LoginRefused, match="national_id"):
        rpps_of("ANS20260101000001", production=True)


@pytest.mark.parametrize(
    ("userinfo", "roles"),
    [
        pytest.param(person(exercise("10", "SM44")), {"radiologist"}, id="radiologist"),
        pytest.param(person(exercise("10", "SM54")), set(), id="general practitioner"),
        pytest.param(person(exercise("10", "SM44", "E")), set(), id="student"),
        pytest.param(person(exercise("98")), {"technologist"}, id="technologist"),
        pytest.param(person(exercise("99", roles=("331",))), {"secretary"}, id="secretary by role"),
        pytest.param(person(exercise("", roles=("340",))), set(), id="director of IT"),
        pytest.param(person(exercise("10", roles=("331",))), set(), id="a physician is no secretary"),
        pytest.param(person(exercise("98"), exercise("10", "SM28")), {"technologist", "radiologist"}, id="two"),
        pytest.param({"SubjectNameID": "899700001003"}, set(), id="no SubjectRefPro"),
        pytest.param({"SubjectNameID": "899700001003", "SubjectRefPro": "x"}, set(), id="not an object"),
        pytest.param(person(["x"], {"activities": "x"}), set(), id="not exercises"),  # type: ignore[arg-type]
    ],
)
def test_the_registration_says_which_roles_a_person_may_be_offered(userinfo: Any, roles: set[str]) -> None:
    assert eligible_roles(professional_of(userinfo, production=True), IMAGING) == roles


@pytest.mark.parametrize(
    ("exercises", "skills"),
    [
        ([exercise("10", "SM28")], ("SM28",)),
        ([exercise("10", "SM54"), exercise("10", "SM44"), exercise("10", "SM28")], ("SM44", "SM28")),
        ([exercise("10", "SM44"), exercise("10", "SM44")], ("SM44",)),
        ([exercise("10", "SM44", "E"), exercise("98", "SM44"), exercise("10", "")], ()),
    ],
)
def test_a_radiologist_is_known_by_what_they_are_registered_for(exercises: list[Any], skills: tuple[str, ...]) -> None:
    assert skills_of(professional_of(person(*exercises), production=True), IMAGING) == skills


@pytest.mark.parametrize("skill", ["SM44", "SM74", "SM94", "SM55", "SM28", "C69"])
def test_every_specialty_of_radiology_makes_a_radiologist_unless_it_is_set_otherwise(skill: str) -> None:
    usual = PscAuthSettings.model_fields["imaging_skills"].default
    assert eligible_roles(professional_of(person(exercise("10", skill)), production=True), usual) == {"radiologist"}


def test_the_name_is_the_one_of_exercise_or_else_the_civil_one() -> None:
    assert professional_of(person(exercise("10")), production=True).name == "Alix FICTIF"
    civil = {"SubjectNameID": "899700001003", "given_name": "ALIX", "family_name": "CIVIL"}
    assert professional_of(civil, production=True).name == "Alix CIVIL"


def test_sixty_activities_and_unknown_claims_are_no_problem() -> None:
    many = exercise("99", roles=tuple(["331"] * 60))
    assert eligible_roles(professional_of(person(many, unknown={"a": [1]}), production=True), IMAGING) == {"secretary"}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda c: st.lists(c) | st.dictionaries(st.text(), c)
    )
)
def test_no_shape_of_userinfo_breaks_the_reader(shape: Any) -> None:
    found = professional_of(
        {"SubjectNameID": "899700001003", "SubjectRefPro": shape, "authMode": shape}, production=True
    )
    assert found.rpps == "99700001003"


# --- rights ---------------------------------------------------------------------------------------

A, B = "site-a", "site-b"


def test_a_role_needs_the_local_table_and_the_registration() -> None:
    account = Account("1", "n", (Grant(A, "radiologist"), Grant(A, "secretary"), Grant(B, "operator")))
    assert active_grants(account, {"radiologist"}) == (Grant(A, "radiologist"), Grant(B, "operator"))
    assert active_grants(Account("1", "n", account.grants, enabled=False), {"radiologist"}) == ()


def test_the_cellule_d_identitovigilance_is_named_by_the_table_alone(tmp_path: Path) -> None:
    grant = Grant(A, "identity-supervisor")
    assert active_grants(Account("1", "n", (grant,)), set()) == (grant,)
    file = tmp_path / "accounts.json"
    row = {"rpps": "99700001003", "name": "Edith FICTIF", "roles": [{"site_id": A, "role": grant.role}]}
    file.write_text(json.dumps([row]))
    assert [one.roles[0].role for one in read_accounts(file)] == ["identity-supervisor"]


def test_rights_at_one_site_are_those_given_there() -> None:
    grants = [Grant(A, "radiologist"), Grant(B, "secretary")]
    assert rights_of(grants, A).roles == ("radiologist",)
    assert rights_of(grants, A).sites == (A,)
    assert rights_of(grants, "site-z") == rights_of([])


ROLES = st.sampled_from(["radiologist", "secretary", "operator"])


@given(st.lists(st.builds(Grant, st.sampled_from([A, B, "site-c"]), ROLES)), st.none() | st.sampled_from([A, B]))
def test_no_combination_of_grants_gives_a_role_at_a_site_where_it_was_not_given(
    grants: list[Grant], site: str | None
) -> None:
    rights = rights_of(grants, site)
    for one_site in rights.sites:
        for role in rights.roles:
            assert Grant(one_site, role) in grants


# --- addresses ------------------------------------------------------------------------------------


@given(st.text())
def test_whatever_is_asked_one_returns_to_a_page_of_ours_or_is_refused(asked: str) -> None:
    target = safe_return_to(asked, default="/home", prefixes=["/api/report/pages/"])
    assert target is None or target == "/home" or target.startswith("/api/report/pages/")


def test_the_default_page_is_used_when_none_is_asked() -> None:
    assert safe_return_to(None, default="/home", prefixes=[]) == "/home"
    assert safe_return_to("", default="/home", prefixes=[]) == "/home"


@given(st.text(alphabet="./\\%2ef internal\x00", max_size=30))
def test_no_path_reaches_what_is_between_services(raw: str) -> None:
    path = upstream_path(raw)
    assert path is None or (".." not in path.split("/") and not path.lower().startswith("/internal"))


@pytest.mark.parametrize(
    ("location", "seen"),
    [
        ("/reports/1", "/api/report/reports/1"),
        ("https://evil.test/", None),
        ("//evil.test/", None),
        ("reports/1", None),
        ("/a\r\nX: y", None),
    ],
)
def test_a_location_stays_within_its_service(location: str, seen: str | None) -> None:
    assert public_location(location, "report") == seen


@pytest.mark.parametrize(
    "other", ["null", "", "https://navette.test:8443", "http://navette.test", "https://x:y", "https://[::"]
)
def test_another_origin_is_another_origin(other: str) -> None:
    assert not same_origin(other, "https://navette.test")
    assert same_origin("https://navette.test:443", "https://navette.test/")


def test_a_csrf_token_belongs_to_one_cookie() -> None:
    assert csrf_matches("cookie", csrf_token("cookie"))
    assert not csrf_matches("cookie", csrf_token("other"))
    assert not csrf_matches("cookie", None)
    assert not csrf_matches("cookie", "é")
    assert csrf_token("cookie") != digest("cookie")


# --- files and settings ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        ("{", "json_invalid"),
        ([{"rpps": "99700001003", "name": "x"}], "roles"),
        ([{"rpps": "99700001004", "name": "x", "roles": []}], "rpps"),
        ([{"rpps": "99700001003", "name": "x", "roles": [{"site_id": "a", "role": "boss"}]}], "role"),
        ([{"rpps": "99700001003", "name": "x", "roles": [], "more": 1}], "more"),
        ([{"rpps": "99700001003", "name": "x", "roles": []}] * 2, "twice"),
    ],
)
def test_an_accounts_file_with_a_mistake_is_refused_by_field(tmp_path: Path, rows: Any, named: str) -> None:
    file = tmp_path / "accounts.json"
    file.write_text(rows if isinstance(rows, str) else json.dumps(rows))
    with pytest.raises(AccountsUnusable, match=named) as refusal:
        read_accounts(file)
    assert "99700001004" not in str(refusal.value)


@pytest.fixture
def settings_values(tmp_path: Path) -> dict[str, Any]:
    file = tmp_path / "file"
    file.write_text("x")
    return {
        "environment": "production",
        "kafka_bootstrap": "kafka:9093",
        "kafka_ca": file,
        "mongo_uri": "mongodb://mongo/?tls=true",
        "http_cert": file,
        "http_key": file,
        "internal_ca": file,
        "psc_auth_url": "https://psc-auth",
        "public_url": "https://navette.example",
        "psc_issuer": "https://auth.psc.example/realm",
        "psc_client_id": "navette",
        "psc_client_cert": file,
        "psc_client_key": file,
        "signing_keys": file,
        "keyring": file,
        "upstreams": {"report": "https://report:8080"},
    }


def test_complete_settings_are_accepted_for_production(settings_values: dict[str, Any]) -> None:
    settings = PscAuthSettings(**settings_values)
    assert settings.redirect_uri == "https://navette.example/auth/psc/callback"
    assert settings.limits.absolute == timedelta(hours=4)
    assert settings.limits.idle == timedelta(minutes=30)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"public_url": "http://navette.example"}, "public_url must be https"),
        ({"public_url": "navette.example"}, "public_url"),
        ({"psc_issuer": "http://auth.psc.example/realm"}, "psc_issuer must be https"),
        ({"upstreams": {"report": "http://report:8080"}}, "upstreams.report must be https"),
        ({"psc_client_cert": None}, "psc_client_cert"),
        ({"psc_client_key": None}, "psc_client_cert and psc_client_key"),
        ({"psc_auth_method": "client_secret_basic"}, "psc_client_secret_file"),
        ({"psc_auth_method": "none"}, "psc_auth_method"),
        ({"session_max_seconds": 5 * 3600}, "session_max_seconds"),
        ({"session_idle_seconds": 3600}, "session_idle_seconds"),
        ({"psc_discovery_path": "x"}, "psc_discovery_path"),
        ({"psc_allowed_acr": []}, "psc_allowed_acr"),
        ({"keyring": None}, "keyring is required"),
    ],
)
def test_settings_that_are_unsafe_or_incomplete_are_refused(
    settings_values: dict[str, Any], change: dict[str, Any], named: str
) -> None:
    with pytest.raises(ValidationError, match=named):
        PscAuthSettings(**{**settings_values, **change})
