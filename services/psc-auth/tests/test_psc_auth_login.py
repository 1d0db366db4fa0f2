"""Signing on: the right login opens a session, and every wrong one is refused before anything is opened."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from navette_chassis import SystemClock
from navette_psc_auth.adapters.psc import PscProvider
from navette_psc_auth.domain.errors import ProviderMisconfigured, ProviderUnavailable

pytestmark = pytest.mark.asyncio(loop_scope="session")

LOGIN = "/auth/psc/login"


async def test_a_radiologist_logs_in_and_comes_back_to_the_page_asked_for(browser: Any, audit: Any) -> None:
    answer = await browser.log_in(return_to="/api/report/pages/reports/1")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/api/report/pages/reports/1"
    session = (await browser.http.get("/auth/session")).json()
    assert session["rpps"] == "99700001003"
    assert session["name"] == "Alix RADIOLOGUE-FICTIF"
    assert session["acr"] == "eidas1"
    assert {"site_id": "site-b", "role": "radiologist"} in session["grants"]
    line = await audit("login.success")
    assert line["actor"] == "rpps:99700001003"
    assert line["outcome"] == "granted"


@pytest.mark.dsr("RIS.PSC.01", "PSC.08")
async def test_the_authorization_request_is_the_one_pro_sante_connect_asks_for(browser: Any, provider: Any) -> None:
    url = urlsplit(await browser.begin())
    asked = dict(parse_qsl(url.query))
    assert f"{url.scheme}://{url.netloc}{url.path}" == provider.issuer.replace(
        "/auth/realms/esante-wallet", "/wallet/auth"
    )
    assert asked["response_type"] == "code"
    assert asked["scope"] == "openid scope_all"
    assert asked["acr_values"] == "eidas1"
    assert asked["redirect_uri"] == "https://navette.test/auth/psc/callback"
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["state"]) >= 22
    assert len(asked["nonce"]) >= 22


async def test_state_nonce_and_challenge_are_new_each_time(browser: Any) -> None:
    first, second = [dict(parse_qsl(urlsplit(await browser.begin()).query)) for _ in range(2)]
    for name in ("state", "nonce", "code_challenge"):
        assert first[name] != second[name]


async def test_the_session_cookie_is_out_of_reach_of_scripts_and_of_other_sites(browser: Any) -> None:
    answer = await browser.log_in()
    (cookie,) = [one for one in answer.headers.get_list("set-cookie") if one.startswith("__Host-sid=")]
    for flag in ("Secure", "HttpOnly", "SameSite=lax", "Path=/"):
        assert flag in cookie
    assert "Domain" not in cookie
    assert len(cookie.split(";")[0]) >= 43


async def test_only_the_digest_of_the_cookie_and_sealed_tokens_are_stored(browser: Any, psc_auth: Any) -> None:
    await browser.log_in()
    row = await psc_auth.database["sessions"].find_one({})
    stored = json.dumps(row, default=str)
    for secret in (browser.http.cookies["__Host-sid"], browser.csrf, "refresh-1", "access-1"):
        assert secret not in stored


async def test_the_secrets_of_a_login_under_way_are_not_readable_in_the_store(browser: Any, psc_auth: Any) -> None:
    asked = dict(parse_qsl(urlsplit(await browser.begin()).query))
    stored = json.dumps(await psc_auth.database["logins"].find_one({}), default=str)
    assert asked["state"] not in stored
    assert asked["nonce"] not in stored
    assert browser.http.cookies["__Host-pre"] not in stored


async def test_logging_in_again_gives_a_new_session_and_ends_the_old_one(browser: Any, psc_auth: Any) -> None:
    await browser.log_in()
    old = browser.http.cookies["__Host-sid"]
    await browser.log_in()
    assert browser.http.cookies["__Host-sid"] != old
    assert await psc_auth.database["sessions"].count_documents({}) == 1


async def test_two_tabs_can_log_in_at_the_same_time(browser: Any, provider: Any) -> None:
    first, second = await browser.begin(), await browser.begin()
    cookie = browser.http.cookies["__Host-pre"]
    assert (await browser.callback(provider.approve(first))).status_code == 303
    browser.http.cookies.set("__Host-pre", cookie, domain="navette.test", path="/")
    assert (await browser.callback(provider.approve(second))).status_code == 303


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.test/",
        "//evil.test/",
        "/\\evil.test",
        "/api/report/pages/../../../evil",
        "/api/report/pages/%2e%2e/x",
        "/api/report/pages//evil.test",
        "/auth/logout",
        "javascript:alert(1)",
        "/api/report/pages/\r\nSet-Cookie: a=b",
    ],
)
async def test_a_return_address_that_is_not_one_of_our_pages_is_refused(browser: Any, target: str) -> None:
    answer = await browser.http.get(LOGIN, params={"return_to": target})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "return_to"


# --- the callback: each check refuses -------------------------------------------------------------


async def refused(browser: Any, psc_auth: Any, answer: Any, status: int = 401) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("text/html")
    assert "__Host-sid" not in browser.http.cookies
    assert await psc_auth.database["sessions"].count_documents({}) == 0
    assert "CANARI" not in answer.text


async def test_a_state_nobody_gave_is_refused(browser: Any, psc_auth: Any, provider: Any, audit: Any) -> None:
    parameters = provider.approve(await browser.begin())
    await refused(browser, psc_auth, await browser.callback({**parameters, "state": "invented"}))
    line = await audit("login.refused:state")
    assert line["outcome"] == "refused"
    assert line["actor"] == "anonymous"


async def test_a_callback_works_once(browser: Any, provider: Any) -> None:
    parameters = provider.approve(await browser.begin())
    cookie = browser.http.cookies["__Host-pre"]
    assert (await browser.callback(parameters)).status_code == 303
    browser.http.cookies.set("__Host-pre", cookie, domain="navette.test", path="/")
    assert (await browser.callback(parameters)).status_code == 401


async def test_a_stolen_state_neither_passes_in_another_browser_nor_spoils_the_login_of_its_owner(
    new_browser: Callable[[], Any], provider: Any
) -> None:
    owner, thief = new_browser(), new_browser()
    parameters = provider.approve(await owner.begin())
    await thief.begin()
    assert (await thief.callback(parameters)).status_code == 401
    assert (await owner.callback(parameters)).status_code == 303


async def test_a_callback_without_the_cookie_of_the_login_is_refused(
    browser: Any, psc_auth: Any, provider: Any
) -> None:
    parameters = provider.approve(await browser.begin())
    browser.http.cookies.clear()
    await refused(browser, psc_auth, await browser.callback(parameters))


async def test_a_login_left_for_more_than_ten_minutes_is_refused(browser: Any, psc_auth: Any, provider: Any) -> None:
    parameters = provider.approve(await browser.begin())
    await psc_auth.database["logins"].update_many({}, {"$set": {"expires_at": psc_auth.clock.now()}})
    await refused(browser, psc_auth, await browser.callback(parameters))


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"error": "access_denied"}, "code_and_error"),
        ({"code": None}, "code_missing"),
        ({"iss": "https://evil.test/realm"}, "iss_mismatch"),
        ({"iss": None}, "iss_missing"),
        ({"code": None, "error": "server_error", "error_description": "CANARI"}, "provider_error"),
        ({"code": "CANARI"}, "code_exchange"),
        ({"code": "x" * 5000}, "parameters"),
        ({"state": None}, "state_missing"),
    ],
)
async def test_a_wrong_callback_is_refused(
    browser: Any, psc_auth: Any, provider: Any, audit: Any, change: dict[str, str | None], check: str
) -> None:
    parameters = {**provider.approve(await browser.begin()), **change}
    sent = {name: value for name, value in parameters.items() if value is not None}
    await refused(browser, psc_auth, await browser.callback(sent))
    await audit(f"login.refused:{check}")


async def test_a_parameter_given_twice_is_refused(browser: Any, psc_auth: Any, provider: Any) -> None:
    parameters = provider.approve(await browser.begin())
    answer = await browser.http.get("/auth/psc/callback", params=[*parameters.items(), ("state", "other")])
    await refused(browser, psc_auth, answer)


async def test_giving_up_at_the_provider_is_told_kindly_and_audited(
    browser: Any, psc_auth: Any, provider: Any, audit: Any
) -> None:
    parameters = provider.approve(await browser.begin())
    del parameters["code"]
    answer = await browser.callback({**parameters, "error": "access_denied"})
    await refused(browser, psc_auth, answer)
    assert "annulé" in answer.text
    await audit("login.cancelled:user")


async def test_a_wrong_issuer_wins_over_giving_up(browser: Any, provider: Any, audit: Any) -> None:
    parameters = provider.approve(await browser.begin())
    del parameters["code"]
    await browser.callback({**parameters, "error": "access_denied", "iss": "https://evil.test/"})
    await audit("login.refused:iss_mismatch")


Claims = Callable[[dict[str, Any]], Any]


@pytest.mark.parametrize(
    ("change", "check"),
    [
        pytest.param(lambda c: c.update(iss="https://evil.test"), "id_token_iss", id="another issuer"),
        pytest.param(lambda c: c.pop("iss"), "id_token_iss", id="no issuer"),
        pytest.param(lambda c: c.update(aud="another-client"), "id_token_aud", id="another audience"),
        pytest.param(lambda c: c.update(aud="other", azp="navette-test"), "id_token_aud", id="ours only as azp"),
        pytest.param(lambda c: c.pop("aud"), "id_token_aud", id="no audience"),
        pytest.param(lambda c: c.update(azp="another-client"), "id_token_azp", id="another authorized party"),
        pytest.param(
            lambda c: (c.update(aud=["navette-test", "other"]), c.pop("azp")),
            "id_token_azp",
            id="two audiences, no authorized party",
        ),
        pytest.param(lambda c: c.update(nonce="another"), "id_token_nonce", id="another nonce"),
        pytest.param(lambda c: c.pop("nonce"), "id_token_nonce", id="no nonce"),
        pytest.param(lambda c: c.update(acr="0"), "id_token_acr", id="acr too low"),
        pytest.param(lambda c: c.pop("acr"), "id_token_acr", id="no acr"),
        pytest.param(lambda c: c.update(exp=c["iat"] - 60, iat=c["iat"] - 180), "id_token_exp", id="expired"),
        pytest.param(lambda c: c.update(exp=c["iat"] - 40), "id_token_exp", id="expired 40 s ago, leeway is 30"),
        pytest.param(lambda c: c.pop("exp"), "id_token_exp", id="no expiry"),
        pytest.param(lambda c: c.update(iat=c["iat"] + 600, exp=c["iat"] + 720), "id_token_iat", id="from the future"),
        pytest.param(lambda c: c.pop("iat"), "id_token_iat", id="no issue time"),
        pytest.param(lambda c: c.update(nbf=c["iat"] + 600), "id_token_nbf", id="not yet valid"),
        pytest.param(lambda c: c.update(auth_time=c["iat"] - 5 * 3600), "id_token_auth_time", id="old authentication"),
        pytest.param(lambda c: c.update(auth_time=c["iat"] + 3600), "id_token_auth_time", id="future authentication"),
        pytest.param(lambda c: c.update(at_hash="AAAAAAAAAAAAAAAAAAAAAA"), "id_token_at_hash", id="wrong at_hash"),
        pytest.param(lambda c: c.pop("sub"), "id_token_sub", id="no subject"),
        pytest.param(lambda c: c.update(sub=""), "id_token_sub", id="empty subject"),
    ],
)
async def test_an_id_token_with_a_wrong_claim_is_refused(
    browser: Any, psc_auth: Any, provider: Any, audit: Any, change: Claims, check: str
) -> None:
    provider.change_claims = change
    await refused(browser, psc_auth, await browser.log_in())
    await audit(f"login.refused:{check}")


async def test_clocks_may_differ_by_thirty_seconds(browser: Any, provider: Any) -> None:
    provider.change_claims = lambda c: c.update(iat=c["iat"] + 20)
    assert (await browser.log_in()).status_code == 303


@pytest.mark.parametrize(
    ("signer", "check"),
    [
        ("unsigned", "id_token_alg"),
        ("signed_with_public_key", "id_token_alg"),
        ("signed_ps256", "id_token_alg"),
        ("signed_with_another_key", "id_token_bad_signature"),
        ("signed_by_unknown_kid", "id_token_kid"),
        ("signed_without_kid", "id_token_kid"),
        ("signed_with_crit", "id_token_crit"),
    ],
)
async def test_an_id_token_that_is_not_signed_by_the_provider_in_rs256_is_refused(
    browser: Any, psc_auth: Any, provider: Any, audit: Any, signers: Any, signer: str, check: str
) -> None:
    provider.sign = signers[signer]
    await refused(browser, psc_auth, await browser.log_in())
    await audit(f"login.refused:{check}")


@pytest.mark.parametrize(
    ("change", "check"),
    [
        pytest.param(lambda a: a.pop("id_token"), "id_token_missing", id="no ID token"),
        pytest.param(lambda a: a.update(id_token=None), "id_token_missing", id="null ID token"),
        pytest.param(lambda a: a.update(id_token="a.b.c.d.e"), "id_token_form", id="five parts"),
        pytest.param(lambda a: a.update(id_token="a.b.c"), "id_token_form", id="not JSON"),
        pytest.param(lambda a: a.update(id_token="x" * 20000), "id_token_too_long", id="too long"),
    ],
)
async def test_a_token_answer_without_a_proper_id_token_is_refused(
    browser: Any, psc_auth: Any, provider: Any, audit: Any, change: Claims, check: str
) -> None:
    provider.change_answer = change
    await refused(browser, psc_auth, await browser.log_in())
    await audit(f"login.refused:{check}")


async def test_userinfo_of_somebody_else_is_refused(browser: Any, psc_auth: Any, provider: Any, audit: Any) -> None:
    provider.change_userinfo = lambda userinfo: {**userinfo, "sub": "f:x:899700001011"}
    await refused(browser, psc_auth, await browser.log_in())
    await audit("login.refused:userinfo_sub")


async def test_userinfo_that_is_not_plain_json_is_refused(browser: Any, psc_auth: Any, provider: Any) -> None:
    provider.userinfo_type = "application/jwt"
    await refused(browser, psc_auth, await browser.log_in())


async def test_userinfo_that_is_not_an_object_is_refused(browser: Any, psc_auth: Any, provider: Any) -> None:
    provider.change_userinfo = lambda _userinfo: ["CANARI"]
    await refused(browser, psc_auth, await browser.log_in())


async def test_userinfo_refused_by_the_provider_is_a_refusal(browser: Any, psc_auth: Any, provider: Any) -> None:
    provider.userinfo_status = 401
    await refused(browser, psc_auth, await browser.log_in())


@pytest.mark.parametrize("subject", ["899700001004", "99700001003", "0123456789", "", "8997000010030"])
async def test_a_national_identifier_that_is_not_8_and_a_valid_rpps_is_refused(
    browser: Any, psc_auth: Any, provider: Any, subject: str
) -> None:
    provider.change_userinfo = lambda userinfo: {**userinfo, "SubjectNameID": subject}
    await refused(browser, psc_auth, await browser.log_in(), 403)


# --- from identity to rights ----------------------------------------------------------------------


@pytest.mark.dsr("RIS.PSC.01")
async def test_a_professional_without_account_is_refused_and_named_in_the_audit(
    browser: Any, psc_auth: Any, provider: Any, audit: Any
) -> None:
    provider.person["SubjectNameID"] = "899700001011"
    answer = await browser.log_in()
    await refused(browser, psc_auth, answer, 403)
    assert "aucun compte" in answer.text
    assert (await audit("login.refused:no_account"))["actor"] == "rpps:99700001011"


async def test_a_role_given_locally_does_not_count_when_the_registration_does_not_allow_it(
    browser: Any, psc_auth: Any, provider: Any, audit: Any
) -> None:
    # The accounts file makes this technologist a radiologist; Pro Santé Connect says profession 98.
    provider.person["SubjectNameID"] = "899700001037"
    provider.person["SubjectRefPro"]["exercices"][0].update(codeProfession="98", codeSavoirFaire="")
    await refused(browser, psc_auth, await browser.log_in(), 403)
    await audit("login.refused:no_role")


async def test_a_disabled_account_is_refused(browser: Any, psc_auth: Any, audit: Any) -> None:
    await psc_auth.database["accounts"].update_many({}, {"$set": {"enabled": False}})
    await refused(browser, psc_auth, await browser.log_in(), 403)
    await audit("login.refused:no_role")


# --- the provider in trouble ----------------------------------------------------------------------


@pytest.mark.parametrize("broken", ["token", "userinfo"])
async def test_a_provider_that_breaks_down_during_a_login_is_told_as_such(
    browser: Any, psc_auth: Any, provider: Any, broken: str
) -> None:
    provider.broken.add(broken)
    answer = await browser.log_in()
    await refused(browser, psc_auth, answer, 503)
    assert "ne répond pas" in answer.text
    assert provider.requests.count("authorization_code") == 1  # a code is never sent twice


async def test_an_unknown_key_makes_us_ask_for_the_keys_again_once_a_minute_at_most(
    visit: Any, new_login: Any, provider: Any
) -> None:
    async with visit() as browser:
        honest = provider.key
        asked = provider.requests.count("certs")
        try:
            provider.key = RSAKey.generate_key(2048, {"kid": "k2", "use": "sig"})
            for _ in range(3):
                assert (await new_login(browser)).status_code == 401
            assert provider.requests.count("certs") == asked
        finally:
            provider.key = honest


async def test_a_withdrawn_key_is_forgotten_and_a_new_one_learnt(
    visit: Any, new_login: Any, provider: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("navette_psc_auth.adapters.psc_app._KEYS_MIN_INTERVAL", 0.0)
    monkeypatch.setattr("navette_psc_auth.adapters.psc_app._KEYS_LIFE", 0.0)
    async with visit() as browser:
        honest = provider.key
        try:
            provider.key = RSAKey.generate_key(2048, {"kid": "k2", "use": "sig"})
            assert (await new_login(browser)).status_code == 303
            provider.sign = lambda _provider, claims: jwt.encode(
                {"alg": "RS256", "kid": "k1"}, claims, honest, algorithms=["RS256"]
            )
            assert (await new_login(browser)).status_code == 401
        finally:
            provider.key = honest


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"issuer": "https://evil.test"}, id="another issuer"),
        pytest.param({"token_endpoint": "http://127.0.0.1/token"}, id="a plain-text endpoint"),
        pytest.param({"jwks_uri": None}, id="no keys"),
        pytest.param({"code_challenge_methods_supported": ["plain"]}, id="no S256"),
        pytest.param({"id_token_signing_alg_values_supported": ["HS256"]}, id="no RS256"),
        pytest.param({"token_endpoint_auth_methods_supported": ["none"]}, id="not our authentication"),
    ],
)
async def test_a_discovery_document_that_contradicts_the_settings_is_not_used(
    make_settings: Any, provider: Any, change: dict[str, Any]
) -> None:
    provider.change_discovery = lambda document: document.update(change)
    found = PscProvider(make_settings(), SystemClock())
    with pytest.raises(ProviderUnavailable, match="discovery_contradicts_settings"):
        await found.authorize()
    await found.check()  # outside production: said in the log, the service starts
    production = PscProvider(make_settings().model_copy(update={"environment": "production"}), SystemClock())
    with pytest.raises(ProviderMisconfigured):
        await production.check()


async def test_a_provider_that_is_away_at_the_start_is_found_when_it_is_back(make_settings: Any, provider: Any) -> None:
    provider.broken.add("discovery")
    found = PscProvider(make_settings(), SystemClock())
    await found.check()
    with pytest.raises(ProviderUnavailable, match="discovery"):
        await found.authorize()
    provider.broken.clear()
    assert (await found.authorize()).url.startswith("https://")
