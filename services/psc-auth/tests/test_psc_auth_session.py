"""A session lives as long as it may, and ends everywhere when it ends."""

import json
import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="session")

EVENT = "http://schemas.openid.net/event/backchannel-logout"


async def session_status(browser: Any) -> int:
    return int((await browser.http.get("/auth/session")).status_code)


async def age(psc_auth: Any, **fields: timedelta) -> None:
    """Make every session older: each named moment moves into the past."""
    row = await psc_auth.database["sessions"].find_one({})
    moved = {name: row[name] - by for name, by in fields.items()}
    await psc_auth.database["sessions"].update_many({}, {"$set": moved})


async def test_without_session_the_answer_is_a_french_problem(browser: Any) -> None:
    answer = await browser.http.get("/auth/session")
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert "connectez-vous" in answer.json()["detail"]


async def test_an_invented_cookie_is_refused(browser: Any) -> None:
    browser.http.cookies.set("__Host-sid", "invented")
    assert await session_status(browser) == 401


async def test_a_session_ends_after_thirty_minutes_without_use(browser: Any, psc_auth: Any) -> None:
    await browser.log_in()
    await age(psc_auth, seen_at=timedelta(minutes=29))
    assert await session_status(browser) == 200
    await age(psc_auth, seen_at=timedelta(minutes=31))
    assert await session_status(browser) == 401


async def test_using_a_session_keeps_it_from_ending(browser: Any, psc_auth: Any) -> None:
    await browser.log_in()
    await age(psc_auth, seen_at=timedelta(minutes=29))
    assert await session_status(browser) == 200
    await age(psc_auth, seen_at=timedelta(minutes=29))
    assert await session_status(browser) == 200


@pytest.mark.parametrize("header", [{"X-Navette-By-Itself": "1"}, {"Accept": "text/event-stream"}])
async def test_a_page_that_refreshes_itself_does_not_keep_a_session_alive(
    browser: Any, psc_auth: Any, header: dict[str, str]
) -> None:
    await browser.log_in()
    await age(psc_auth, seen_at=timedelta(minutes=29))
    assert (await browser.http.get("/api/report/reports", headers=header)).status_code == 200
    await age(psc_auth, seen_at=timedelta(minutes=2))
    assert (await browser.http.get("/api/report/reports", headers=header)).status_code == 401


async def test_a_session_ends_after_four_hours_whatever_its_use(browser: Any, psc_auth: Any) -> None:
    await browser.log_in()
    row = await psc_auth.database["sessions"].find_one({})
    assert row["expires_at"] - row["created_at"] == timedelta(hours=4)
    await age(psc_auth, expires_at=timedelta(hours=4))
    assert await session_status(browser) == 401


# --- logging out ----------------------------------------------------------------------------------


async def test_logging_out_ends_both_sessions(browser: Any, provider: Any, audit: Any) -> None:
    await browser.log_in()
    answer = await browser.post("/auth/logout")
    assert answer.status_code == 200
    url = urlsplit(answer.json()["redirect"])
    asked = dict(parse_qsl(url.query))
    assert url.path.endswith("/logout")
    assert asked["post_logout_redirect_uri"] == "https://navette.test/auth/psc/logged-out"
    assert asked["id_token_hint"].count(".") == 2
    assert provider.revoked == ["refresh-1"]
    assert await session_status(browser) == 401
    await audit("logout.user", actor="rpps:99700001003")
    page = await browser.http.get("/auth/psc/logged-out", params={"state": asked["state"]})
    assert page.status_code == 200
    assert "déconnecté" in page.text


async def test_the_page_after_logout_accepts_no_state_and_refuses_an_unknown_one(browser: Any) -> None:
    await browser.log_in()
    await browser.post("/auth/logout")
    assert (await browser.http.get("/auth/psc/logged-out", params={"state": "other"})).status_code == 401
    assert (await browser.http.get("/auth/psc/logged-out")).status_code == 200


async def test_logging_out_works_while_the_provider_does_not(browser: Any, provider: Any) -> None:
    await browser.log_in()
    provider.broken.add("revoke")
    answer = await browser.post("/auth/logout")
    assert answer.json() == {"redirect": None}
    assert await session_status(browser) == 401


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="no token"),
        pytest.param({"X-CSRF-Token": "0" * 64}, id="wrong token"),
        pytest.param({"X-CSRF-Token": "right", "Origin": "https://evil.test"}, id="another origin"),
        pytest.param({"X-CSRF-Token": "right", "Origin": "null"}, id="opaque origin"),
        pytest.param({"X-CSRF-Token": "right", "Sec-Fetch-Site": "cross-site"}, id="another site"),
        pytest.param({"X-CSRF-Token": "right", "Sec-Fetch-Site": "same-site"}, id="a neighbour"),
    ],
)
async def test_a_logout_another_site_asks_for_is_refused(browser: Any, audit: Any, headers: dict[str, str]) -> None:
    await browser.log_in()
    sent = {name: browser.csrf if value == "right" else value for name, value in headers.items()}
    answer = await browser.http.post("/auth/logout", headers=sent)
    assert answer.status_code == 403
    assert answer.json()["type"] == "urn:navette:problem:csrf-refused"
    assert await session_status(browser) == 200
    refused = "token" if "right" not in headers.values() else "sec_fetch_site" if "Origin" not in headers else "origin"
    await audit(f"csrf.refused:{refused}", actor="rpps:99700001003")


async def test_our_own_page_may_log_out(browser: Any) -> None:
    await browser.log_in()
    own = {"X-CSRF-Token": browser.csrf, "Origin": "https://navette.test", "Sec-Fetch-Site": "same-origin"}
    assert (await browser.http.post("/auth/logout", headers=own)).status_code == 200


async def test_the_csrf_token_of_another_session_is_refused(new_browser: Callable[[], Any]) -> None:
    one, other = new_browser(), new_browser()
    await one.log_in()
    await other.log_in()
    one.csrf = other.csrf
    assert (await one.post("/auth/logout")).status_code == 403


# --- back-channel logout --------------------------------------------------------------------------


def logout_claims(provider: Any) -> dict[str, Any]:
    now = int(time.time())
    return {
        "iss": provider.issuer,
        "aud": "navette-test",
        "iat": now,
        "exp": now + 120,
        "jti": str(uuid.uuid4()),
        "sid": "sid-1",
        "sub": provider.person["sub"],
        "events": {EVENT: {}},
    }


async def order_logout(browser: Any, token: str) -> Any:
    return await browser.http.post("/auth/backchannel-logout", data={"logout_token": token})


async def test_the_provider_can_end_a_session(browser: Any, provider: Any, audit: Any) -> None:
    await browser.log_in()
    answer = await order_logout(browser, provider.token(logout_claims(provider), "logout+jwt"))
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert await session_status(browser) == 401
    await audit("logout.backchannel", actor="rpps:99700001003")


async def test_the_provider_can_end_all_sessions_of_a_subject(new_browser: Callable[[], Any], provider: Any) -> None:
    one, other = new_browser(), new_browser()
    await one.log_in()
    await other.log_in()
    claims = logout_claims(provider)
    del claims["sid"]
    await order_logout(one, provider.token(claims))
    assert (await session_status(one), await session_status(other)) == (401, 401)


async def test_an_order_for_another_session_ends_nothing(browser: Any, provider: Any) -> None:
    await browser.log_in()
    assert (await order_logout(browser, provider.token({**logout_claims(provider), "sid": "sid-9"}))).status_code == 200
    assert await session_status(browser) == 200


async def test_a_logout_order_works_once(browser: Any, provider: Any) -> None:
    token = provider.token(logout_claims(provider))
    assert (await order_logout(browser, token)).status_code == 200
    await browser.log_in()
    again = await order_logout(browser, token)
    assert again.status_code == 400
    assert again.json()["type"].endswith("logout-token-replayed")
    assert await session_status(browser) == 200


@pytest.mark.parametrize(
    ("change", "check"),
    [
        pytest.param({"iss": "https://evil.test"}, "iss", id="another issuer"),
        pytest.param({"aud": "another-client"}, "aud", id="another audience"),
        pytest.param({"iat": 1}, "iat", id="old"),
        pytest.param({"iat": 9_999_999_999}, "iat", id="from the future"),
        pytest.param({"iat": None}, "iat", id="no issue time"),
        pytest.param({"exp": 1}, "exp", id="expired"),
        pytest.param({"events": {}}, "events", id="no logout event"),
        pytest.param({"events": None}, "events", id="no events"),
        pytest.param({"nonce": "n"}, "nonce", id="an ID token in disguise"),
        pytest.param({"jti": ""}, "jti", id="no id"),
        pytest.param({"sid": None, "sub": None}, "sid_or_sub", id="nobody named"),
    ],
)
async def test_a_logout_order_with_a_wrong_claim_is_refused(
    browser: Any, provider: Any, change: dict[str, Any], check: str
) -> None:
    await browser.log_in()
    answer = await order_logout(browser, provider.token({**logout_claims(provider), **change}))
    assert answer.status_code == 400
    assert answer.json()["type"] == f"urn:navette:problem:logout-token-{check}"
    assert await session_status(browser) == 200


@pytest.mark.parametrize(
    "signer", ["unsigned", "signed_with_public_key", "signed_with_another_key", "signed_by_unknown_kid"]
)
async def test_a_logout_order_the_provider_did_not_sign_is_refused(
    browser: Any, provider: Any, signers: Any, signer: str
) -> None:
    await browser.log_in()
    assert (await order_logout(browser, signers[signer](provider, logout_claims(provider)))).status_code == 400
    assert await session_status(browser) == 200


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "é.é.é"])
async def test_a_logout_order_that_is_no_token_is_refused(browser: Any, token: str) -> None:
    assert (await order_logout(browser, token)).status_code in {400, 422}


# --- the provider's session -----------------------------------------------------------------------

DUE = timedelta(minutes=16)


async def test_a_session_in_use_renews_its_tokens_and_keeps_only_the_new_ones(
    browser: Any, provider: Any, psc_auth: Any
) -> None:
    await browser.log_in()
    before = (await psc_auth.database["sessions"].find_one({}))["tokens"]
    provider.refresh_answer = (200, {"access_token": "access-2", "refresh_token": "refresh-2", "token_type": "Bearer"})
    await age(psc_auth, refreshed_at=DUE)
    assert await session_status(browser) == 200
    assert provider.requests.count("refresh_token") == 1
    assert (await psc_auth.database["sessions"].find_one({}))["tokens"] != before
    assert await session_status(browser) == 200
    assert provider.requests.count("refresh_token") == 1
    await browser.post("/auth/logout")
    assert provider.revoked == ["refresh-2"]


async def test_when_the_provider_says_its_session_is_over_ours_is_too(
    browser: Any, provider: Any, psc_auth: Any, audit: Any
) -> None:
    await browser.log_in()
    provider.refresh_answer = (400, {"error": "invalid_grant"})
    await age(psc_auth, refreshed_at=DUE)
    assert await session_status(browser) == 401
    await audit("session.ended:provider")


async def test_when_the_provider_does_not_answer_people_go_on_working(
    browser: Any, provider: Any, psc_auth: Any
) -> None:
    await browser.log_in()
    provider.broken.add("token")
    await age(psc_auth, refreshed_at=DUE)
    assert await session_status(browser) == 200
    assert await session_status(browser) == 200
    assert provider.requests.count("refresh_token") == 1  # asked again in a minute, not at each request


async def test_renewed_tokens_of_somebody_else_end_the_session(
    browser: Any, provider: Any, psc_auth: Any, audit: Any
) -> None:
    await browser.log_in()
    claims = {**provider.claims("n", "access-2"), "sub": "f:x:899700001011"}
    del claims["nonce"]
    answer = {"access_token": "access-2", "token_type": "Bearer", "id_token": provider.token(claims)}
    provider.refresh_answer = (200, answer)
    await age(psc_auth, refreshed_at=DUE)
    assert await session_status(browser) == 401
    await audit("session.refused:refreshed_sub")


async def test_renewed_id_tokens_of_the_same_person_are_kept(browser: Any, provider: Any, psc_auth: Any) -> None:
    await browser.log_in()
    claims = provider.claims("n", "access-2")
    del claims["nonce"]
    answer = {"access_token": "access-2", "token_type": "Bearer", "id_token": provider.token(claims)}
    provider.refresh_answer = (200, answer)
    await age(psc_auth, refreshed_at=DUE)
    assert await session_status(browser) == 200
    hint = dict(parse_qsl(urlsplit((await browser.post("/auth/logout")).json()["redirect"]).query))["id_token_hint"]
    assert json.dumps(hint) == json.dumps(answer["id_token"])


async def test_a_role_taken_away_no_longer_counts_at_the_next_request(browser: Any, psc_auth: Any) -> None:
    await browser.log_in()
    await psc_auth.database["accounts"].update_many({}, {"$set": {"grants": []}})
    assert (await browser.http.get("/auth/session")).json()["grants"] == []
