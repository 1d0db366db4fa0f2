"""Through the gateway: the service gets a short token and nothing of the browser's; the browser gets the answer."""

import asyncio
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from navette_chassis.auth.jwks import JwksCache
from navette_chassis.auth.tokens import TokenVerifier

pytestmark = pytest.mark.asyncio(loop_scope="session")
PUBLIC_URL = "https://navette.test"


async def token_seen(browser: Any, upstream: Any) -> dict[str, Any]:
    """The verified claims of the token of the last request that reached the service."""
    keys = KeySet.import_key_set((await browser.http.get("/.well-known/jwks.json")).json())
    scheme, _, token = upstream.seen[-1]["headers"]["authorization"].partition(" ")
    assert scheme == "Bearer"
    return dict(jwt.decode(token, keys, algorithms=["ES256"]).claims)


async def test_a_service_learns_who_asks_from_a_token_for_it_alone(browser: Any, upstream: Any) -> None:
    await browser.log_in()
    answer = await browser.http.get("/api/report/reports?state=draft&page=2")
    assert answer.status_code == 200
    assert answer.text == "bonjour"
    assert answer.headers["etag"] == '"1"'
    assert upstream.seen[-1]["target"] == "/reports"
    assert upstream.seen[-1]["query"] == "state=draft&page=2"
    claims = await token_seen(browser, upstream)
    assert claims["iss"] == "navette-psc-auth"
    assert claims["aud"] == "report"
    assert claims["kind"] == "user"
    assert claims["rpps"] == "99700001003"
    assert claims["skills"] == ["SM44"]
    assert claims["sites"] == ["site-a", "site-b"]
    assert 0 < claims["exp"] - claims["iat"] <= 120


async def test_the_chassis_of_a_service_accepts_the_token_and_another_service_does_not(
    browser: Any, upstream: Any, psc_auth: Any
) -> None:
    await browser.log_in()
    await browser.http.get("/api/report/reports")
    token = upstream.seen[-1]["headers"]["authorization"].removeprefix("Bearer ")

    async def keys() -> Any:
        return (await browser.http.get("/.well-known/jwks.json")).json()

    def verifier(audience: str) -> TokenVerifier:
        return TokenVerifier(audience=audience, jwks=JwksCache(keys), clock=psc_auth.clock)

    principal = await verifier("report").verify(token)
    assert principal.rpps == "99700001003"
    assert principal.roles == {"radiologist"}
    with pytest.raises(Exception, match="audience_wrong"):
        await verifier("dmp").verify(token)


async def test_a_role_of_one_site_is_not_usable_at_another(browser: Any, upstream: Any) -> None:
    await browser.log_in()
    await browser.http.get("/api/report/reports")
    assert (await token_seen(browser, upstream))["roles"] == ["radiologist"]  # operator is for site-a only
    await browser.http.get("/api/report/reports", headers={"X-Navette-Site": "site-a"})
    claims = await token_seen(browser, upstream)
    assert claims["roles"] == ["operator", "radiologist"]
    assert claims["sites"] == ["site-a"]


async def test_the_site_chosen_in_the_session_counts_until_another_is_chosen(
    browser: Any, upstream: Any, audit: Any
) -> None:
    await browser.log_in()
    assert (await browser.post("/auth/situation", json={"site_id": "site-a"})).status_code == 204
    assert (await browser.http.get("/auth/session")).json()["site_id"] == "site-a"
    await browser.http.get("/api/report/reports")
    claims = await token_seen(browser, upstream)
    assert (claims["roles"], claims["sites"]) == (["operator", "radiologist"], ["site-a"])
    await audit("situation.selected", actor="rpps:99700001003", site_id="site-a")
    await browser.post("/auth/situation", json={"site_id": None})
    await browser.http.get("/api/report/reports")
    assert (await token_seen(browser, upstream))["sites"] == ["site-a", "site-b"]


@pytest.mark.parametrize(
    ("body", "status"),
    [({"site_id": "site-z"}, 403), ({}, 422), ({"site_id": 3}, 422), ({"site_id": "site-a", "x": 1}, 422)],
)
async def test_a_site_that_cannot_be_chosen_changes_nothing(browser: Any, body: dict[str, Any], status: int) -> None:
    await browser.log_in()
    assert (await browser.post("/auth/situation", json=body)).status_code == status
    assert (await browser.http.get("/auth/session")).json()["site_id"] is None


async def test_choosing_a_site_needs_the_csrf_token(browser: Any) -> None:
    await browser.log_in()
    assert (await browser.http.post("/auth/situation", json={"site_id": "site-a"})).status_code == 403


async def test_a_site_where_the_person_has_no_role_is_refused(browser: Any, upstream: Any, audit: Any) -> None:
    await browser.log_in()
    answer = await browser.http.get("/api/report/reports", headers={"X-Navette-Site": "site-z"})
    assert answer.status_code == 403
    assert upstream.seen == []
    await audit("gateway.refused:site", actor="rpps:99700001003")


async def test_a_person_who_lost_every_role_is_refused(browser: Any, upstream: Any, psc_auth: Any, audit: Any) -> None:
    await browser.log_in()
    await psc_auth.database["accounts"].update_many({}, {"$set": {"enabled": False}})
    answer = await browser.http.get("/api/report/reports")
    assert answer.status_code == 403
    assert "aucun rôle" in answer.json()["detail"]
    assert upstream.seen == []
    await audit("gateway.refused:no_role")


async def test_cookies_credentials_and_proxy_headers_of_the_browser_stay_here(browser: Any, upstream: Any) -> None:
    await browser.log_in()
    forged = {
        "Authorization": "Bearer forged",
        "X-Forwarded-For": "1.2.3.4",
        "X-Real-IP": "1.2.3.4",
        "X-Principal": "root",
        "Accept-Language": "fr",
    }
    await browser.http.get("/api/report/reports", headers=forged)
    seen = upstream.seen[-1]["headers"]
    assert "cookie" not in seen
    assert seen["authorization"] != "Bearer forged"
    assert not {"x-forwarded-for", "x-real-ip", "x-principal", "x-csrf-token"} & seen.keys()
    assert seen["accept-language"] == "fr"


async def test_a_body_and_its_type_reach_the_service(browser: Any, upstream: Any) -> None:
    await browser.log_in()
    answer = await browser.post("/api/report/created", json={"a": 1})
    assert answer.status_code == 201
    assert upstream.seen[-1]["method"] == "POST"
    assert upstream.seen[-1]["body"] == b'{"a":1}'
    assert upstream.seen[-1]["headers"]["content-type"] == "application/json"


async def test_a_service_cannot_set_cookies_and_its_locations_stay_behind_the_gateway(browser: Any) -> None:
    await browser.log_in()
    created = await browser.post("/api/report/created")
    assert created.headers["location"] == "/api/report/reports/1"
    assert "set-cookie" not in created.headers
    assert "x-own" not in created.headers
    away = await browser.http.get("/api/report/away")
    assert away.status_code == 303
    assert "location" not in away.headers


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_an_unsafe_request_without_csrf_token_never_reaches_the_service(
    browser: Any, upstream: Any, method: str
) -> None:
    await browser.log_in()
    answer = await browser.http.request(method, "/api/report/reports/1/sign")
    assert answer.status_code == 403
    assert upstream.seen == []


FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html"}


async def test_a_page_learns_the_token_its_forms_carry_and_the_form_goes_on_without_it(
    browser: Any, upstream: Any
) -> None:
    await browser.log_in()
    await browser.http.get("/api/report/pages/reports/1", headers=FORM | {"X-Navette-Form-Token": "forged"})
    assert upstream.seen[-1]["headers"]["x-navette-form-token"] == browser.csrf
    await browser.http.get("/api/report/reports", headers={"X-Navette-Form-Token": "forged"})
    assert "x-navette-form-token" not in upstream.seen[-1]["headers"]

    body = f"hidden_from_patient=on&reason=d%C3%A9j%C3%A0+vu+%26+bien&csrf_token={browser.csrf}"
    sent = FORM | {"Origin": PUBLIC_URL, "Sec-Fetch-Site": "same-origin"}
    answer = await browser.http.post("/api/report/pages/reports/1/sign", content=body, headers=sent)
    assert answer.status_code == 200
    assert upstream.seen[-1]["body"] == b"hidden_from_patient=on&reason=d%C3%A9j%C3%A0+vu+%26+bien"
    assert upstream.seen[-1]["headers"]["content-type"] == "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("body", "origin", "status"),
    [
        ("a=1", PUBLIC_URL, 403),
        ("a=1&csrf_token=guessed", PUBLIC_URL, 403),
        ("csrf_token={0}&csrf_token={0}", PUBLIC_URL, 403),
        ("csrf_token={0}", "https://evil.example", 403),
        ("csrf_token={0}", None, 403),
        ("csrf_token={0}&\xe9", PUBLIC_URL, 400),
        ("a", PUBLIC_URL, 400),
        ("", PUBLIC_URL, 403),
        ("a=" + "x" * 600_000, PUBLIC_URL, 413),
    ],
)
async def test_a_form_that_our_page_did_not_make_never_reaches_the_service(
    browser: Any, upstream: Any, body: str, origin: str | None, status: int
) -> None:
    await browser.log_in()
    headers = FORM | ({} if origin is None else {"Origin": origin})
    content = body.format(browser.csrf).encode("latin-1")
    answer = await browser.http.post("/api/report/pages/reports/1/sign", content=content, headers=headers)
    assert answer.status_code == status
    assert upstream.seen == []


async def test_a_form_sent_after_the_session_ended_leads_to_the_login_and_back_to_its_page(browser: Any) -> None:
    answer = await browser.http.post("/api/report/pages/reports/1/sign", content="a=1", headers=FORM)
    assert answer.status_code == 303
    assert httpx.URL(answer.headers["location"]).params["return_to"] == "/api/report/pages/reports/1/sign"


async def test_without_session_nothing_reaches_the_service(browser: Any, upstream: Any) -> None:
    answer = await browser.http.get("/api/report/reports")
    assert answer.status_code == 401
    assert (await browser.http.post("/api/report/reports")).status_code == 401
    assert upstream.seen == []


async def test_without_session_a_page_leads_to_the_login_and_back(browser: Any) -> None:
    answer = await browser.http.get("/api/report/pages/reports/1?tab=2", headers={"Accept": "text/html"})
    assert answer.status_code == 303
    target = httpx.URL(answer.headers["location"])
    assert target.path == "/auth/psc/login"
    assert target.params["return_to"] == "/api/report/pages/reports/1?tab=2"
    assert (await browser.http.get(str(target))).status_code == 303


@pytest.mark.parametrize(
    "path",
    [
        "/api/report/internal/documents/1/cda",
        "/api/report/Internal/documents/1/cda",
        "/api/report/%69nternal/documents/1/cda",
        "/api/report/%6detrics",
        "/api/report/metrics",
        "/api/report/livez",
        "/api/report/readyz",
        "/api/report/a/%2e%2e/internal/x",
        "/api/report/a%2f..%2finternal",
        "/api/report/a/%2E./internal",
        "/api/report//internal/x",
        "/api/report/a%5cb",
        "/api/report/a%00",
        "/api/unknown/x",
        "/api/psc-auth/internal/tokens",
    ],
)
async def test_paths_between_services_are_not_for_browsers(browser: Any, upstream: Any, path: str) -> None:
    await browser.log_in()
    request = browser.http.build_request("GET", "https://navette.test/")
    request.url = httpx.URL("https://navette.test").copy_with(raw_path=path.encode())
    assert (await browser.http.send(request)).status_code == 404
    assert upstream.seen == []


async def test_an_encoded_path_reaches_the_service_as_it_was_written(browser: Any, upstream: Any) -> None:
    await browser.log_in()
    await browser.http.get("/api/report/pages/caf%C3%A9%20noir")
    assert upstream.seen[-1]["target"] == "/pages/caf%C3%A9%20noir"


async def test_a_service_that_is_down_is_named_in_french_with_what_to_do(browser: Any) -> None:
    await browser.log_in()
    answer = await browser.http.get("/api/ins/patients/1")
    assert answer.status_code == 503
    problem = answer.json()
    assert problem["type"] == "urn:navette:problem:service-down"
    assert "« identités » ne répond pas" in problem["detail"]
    assert answer.headers["retry-after"] == "5"


async def test_a_service_that_does_not_answer_in_time_is_told_apart(visit: Any) -> None:
    async with visit(upstream_timeout_seconds=0.3) as browser:
        answer = await browser.http.get("/api/report/silent")
        assert answer.status_code == 504
        assert "Vérifiez si votre demande a été prise en compte" in answer.json()["detail"]


async def test_events_are_passed_on_as_they_come(visit: Any) -> None:
    async with visit() as browser, browser.http.stream("GET", "/api/report/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        # The service never ends this answer: to get the first event at all is the proof.
        async for chunk in answer.aiter_raw():
            assert chunk == b"data: un\n\n"
            break


async def test_a_stream_of_events_ends_after_its_longest_time(visit: Any) -> None:
    async with visit(stream_max_seconds=0.3) as browser:
        answer = await browser.http.get("/api/report/events")
        assert answer.status_code == 200
        assert answer.content == b"data: un\n\n"


async def test_a_logout_ends_the_open_streams_of_the_session(visit: Any) -> None:
    # Far from its longest time, which is five minutes.
    async with (
        visit(stream_check_seconds=0.1) as browser,
        asyncio.timeout(60),
        browser.http.stream("GET", "/api/report/events") as answer,
    ):
        chunks = answer.aiter_raw()
        assert await anext(chunks) == b"data: un\n\n"
        assert (await browser.post("/auth/logout")).status_code == 200
        assert [one async for one in chunks] == []


async def test_a_large_document_is_passed_on_whole(visit: Any) -> None:
    async with visit() as browser:
        answer = await browser.http.get("/api/report/big")
        assert answer.headers["content-type"] == "application/pdf"
        assert len(answer.content) == 64 * 65536


async def test_a_body_larger_than_allowed_never_reaches_the_service(visit: Any, upstream: Any) -> None:
    async with visit(max_document_body_bytes=1000) as browser:
        answer = await browser.post("/api/report/created", content=b"x" * 1001)
        assert answer.status_code == 413
        assert upstream.seen == []
