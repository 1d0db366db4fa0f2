"""Signing on: the right login opens a session, and every wrong one is refused before anything is opened."""

from typing import Any


async def test_a_radiologist_logs_in_and_comes_back_to_the_page_asked_for(browser: Any) -> None:
    answer = await browser.log_in(return_to="/api/report/pages/reports/1")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/api/report/pages/reports/1"
    session = (await browser.http.get("/auth/session")).json()
    assert session["rpps"] == "99700001003"
    assert {"site_id": "site-b", "role": "radiologist"} in session["grants"]
