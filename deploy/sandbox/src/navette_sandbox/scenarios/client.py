"""The platform as its users reach it: Pro Santé Connect, then the gateway, with cookie and CSRF token."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Self, TypeVar

import httpx

from navette_sandbox.layout import Layout
from navette_sandbox.scenarios.catalogue import Patient

T = TypeVar("T")

_SETTLED = {"sent", "delivered", "read", "refused", "failed", "cancelled"}


class PlatformError(Exception):
    """The platform answered something else than expected, or not in time."""


async def poll(
    ask: Callable[[], Awaitable[T]], done: Callable[[T], bool], *, seconds: float, what: str, every: float = 0.25
) -> T:
    """Ask until the answer is the one waited for.

    Raises:
        PlatformError: it was not within `seconds`; the text says what was waited for.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            answer = await ask()
            if done(answer):
                return answer
        except (httpx.TransportError, PlatformError):
            if time.monotonic() >= deadline:
                raise
        if time.monotonic() >= deadline:
            raise PlatformError(f"{what}: not within {seconds:.0f} s")
        await asyncio.sleep(every)


@dataclass(frozen=True)
class Told:
    """One server-sent event."""

    event_id: str
    body: dict[str, Any]


async def _told(lines: AsyncIterator[str]) -> AsyncIterator[Told]:
    fields: dict[str, str] = {}
    async for line in lines:
        name, _, value = line.partition(": ")
        if line:
            fields[name] = value
        elif "data" in fields:
            yield Told(fields["id"], json.loads(fields["data"]))
            fields = {}


class Person:
    """One logged-in user of the platform."""

    def __init__(self, layout: Layout, rpps: str) -> None:
        context = ssl.create_default_context(cafile=str(layout.pki.internal_ca))
        context.load_verify_locations(layout.pki.igc_ca)
        self._rpps = rpps
        self._layout = layout
        self._base = layout.url("psc-auth")
        self._http = httpx.AsyncClient(verify=context, timeout=60.0)
        self._csrf = ""

    async def __aenter__(self) -> Self:
        await self.log_in()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._http.aclose()

    async def log_in(self) -> None:
        """Log in with Pro Santé Connect; the double approves as a telephone would.

        Raises:
            PlatformError: the login did not end in a session of this person.
        """
        control = self._layout.control_url("psc")
        (await self._http.post(f"{control}/approve-next", json={"subject": f"8{self._rpps}"})).raise_for_status()
        answer = await self._http.get(f"{self._base}/auth/psc/login", follow_redirects=False)
        for _hop in range(5):
            if not answer.is_redirect or answer.headers["location"].startswith("/api/"):
                break
            answer = await self._http.get(answer.url.join(answer.headers["location"]), follow_redirects=False)
        session = await self._http.get(f"{self._base}/auth/session")
        if session.status_code != 200 or session.json()["rpps"] != self._rpps:
            raise PlatformError(f"login refused: {answer.status_code} at {answer.url.path}")
        self._csrf = session.json()["csrf_token"]

    async def get(self, service: str, path: str, **query: Any) -> Any:
        """JSON of a GET through the gateway."""
        return (await self._send("GET", service, path, params=query)).json()

    async def get_bytes(self, service: str, path: str) -> bytes:
        """Body of a GET through the gateway."""
        return (await self._send("GET", service, path)).content

    async def post(self, service: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """JSON answer to a POST through the gateway."""
        answer = await self._send("POST", service, path, json=body or {})
        return answer.json() if answer.content else None

    @asynccontextmanager
    async def watch(self, service: str, path: str, last: str | None = None) -> AsyncIterator[AsyncIterator[Told]]:
        """Server-sent events of a path; `last` is the id of the last one seen. The iterator ends with the stream.

        Raises:
            PlatformError: the stream was refused.
        """
        headers = {} if last is None else {"Last-Event-ID": last}
        timeout = httpx.Timeout(15.0, read=None)
        async with self._http.stream(
            "GET", f"{self._base}/api/{service}{path}", headers=headers, timeout=timeout
        ) as answer:
            if answer.status_code != 200:
                raise PlatformError(f"GET {service}{path} answered {answer.status_code}")
            yield _told(answer.aiter_lines())

    async def page(self, service: str, path: str) -> str:
        """A page as a browser asks for it."""
        answer = await self._http.get(f"{self._base}/api/{service}{path}", headers={"Accept": "text/html"})
        answer.raise_for_status()
        return answer.text

    async def submit(self, service: str, path: str, fields: dict[str, str]) -> httpx.Response:
        """Send a form as a browser without script does: no header of ours, only where it comes from."""
        headers = {"Accept": "text/html", "Origin": self._base}
        url = f"{self._base}/api/{service}{path}"
        return await self._http.post(url, data=fields, headers=headers, follow_redirects=False)

    async def log_out(self) -> None:
        """End the session."""
        headers = {"X-CSRF-Token": self._csrf, "Origin": self._base}
        (await self._http.post(f"{self._base}/auth/logout", headers=headers)).raise_for_status()

    async def attempt(
        self, service: str, path: str, body: dict[str, Any] | None = None, *, key: str = ""
    ) -> tuple[int, dict[str, Any]]:
        """Status and JSON answer to a POST that may be refused; `key`: its idempotency key, if it has one."""
        own = {"Idempotency-Key": key} if key else {}
        answer = await self._request("POST", service, path, own, json=body or {})
        return answer.status_code, dict(answer.json())

    async def _request(
        self, method: str, service: str, path: str, own: Mapping[str, str] = MappingProxyType({}), **more: Any
    ) -> httpx.Response:
        headers = {"X-CSRF-Token": self._csrf, "Origin": self._base, **own}
        return await self._http.request(method, f"{self._base}/api/{service}{path}", headers=headers, **more)

    async def _send(self, method: str, service: str, path: str, **more: Any) -> httpx.Response:
        answer = await self._request(method, service, path, **more)
        if answer.status_code >= 400:
            detail = answer.text[:300] if "json" in answer.headers.get("content-type", "") else ""
            raise PlatformError(f"{method} {service}{path} answered {answer.status_code} {detail}")
        return answer


class Secretary(Person):
    """Registers patients and follows their identity."""

    async def register(self, patient: Patient, site_id: str) -> str:
        """Create a patient with the strict traits; returns the id."""
        created = await self.post(
            "ins",
            "/patients",
            {
                "site_id": site_id,
                "birth_name": patient.birth_name,
                "first_birth_given_name": patient.first_given_name,
                "birth_given_names": patient.given_names,
                "birth_date": patient.birth_date,
                "sex": patient.sex,
                "birth_place_code": patient.birth_place_code,
            },
        )
        return str(created["patient_id"])

    async def check_identity(self, patient_id: str) -> None:
        """Record that an identity card was seen."""
        await self.post("ins", f"/patients/{patient_id}/identity-checks", {"document_kind": "CN"})

    async def search_ins(self, patient_id: str) -> None:
        """Ask INSi for the INS."""
        await self.post("ins", f"/patients/{patient_id}/insi-search")

    async def wait_status(self, patient_id: str, status: str, seconds: float = 90.0) -> None:
        """Wait until the identity has this status."""
        await poll(
            lambda: self.get("ins", f"/patients/{patient_id}"),
            lambda answer: answer["status"] == status,
            seconds=seconds,
            what=f"identity {status}",
        )

    async def qualify(self, patient_id: str) -> None:
        """Identity card seen and INS recovered: the identity becomes qualified."""
        await self.check_identity(patient_id)
        await self.search_ins(patient_id)
        await self.wait_status(patient_id, "qualifiee")


class Supervisor(Person):
    """Of the cellule d'identitovigilance: decides what a secretary may not."""

    async def cases(self) -> list[dict[str, Any]]:
        """What waits for a decision."""
        return list((await self.get("ins", "/cases"))["cases"])

    async def decide(self, case_id: str, decision: str) -> None:
        """Confirm or dismiss a case."""
        await self.post("ins", f"/cases/{case_id}/decision", {"decision": decision})

    async def confirm_homonyms(self, patient_ids: list[str]) -> None:
        """Two people who look alike: both records say so from now on."""
        case = await self.post("ins", "/cases", {"kind": "homonym", "patient_ids": patient_ids})
        await self.decide(case["case_id"], "confirm")


class Radiologist(Person):
    """Writes, signs and follows reports; also operates the services."""

    async def draft(self, patient_id: str, site_id: str, content: dict[str, Any]) -> str:
        """Write a draft; returns the id of the report. A patient just registered is known here a moment later."""
        body = {"patient_id": patient_id, "site_id": site_id, "content": content}
        status, answer = await poll(
            lambda: self.attempt("report", "/reports", body),
            lambda found: not found[1].get("type", "").endswith("identity-unknown"),
            seconds=30.0,
            what="patient known to report",
        )
        if status != 201:
            raise PlatformError(f"draft answered {status} {answer.get('detail', '')}")
        return str(answer["report_id"])

    async def sign(self, report_id: str, choices: dict[str, bool] | None = None) -> None:
        """Validate."""
        await self.post("report", f"/reports/{report_id}/sign", dict(choices or {}))

    async def see_identity(self, report_id: str) -> None:
        """Look at the page of a draft until it says that the identity is qualified, as one does before signing."""
        await poll(
            lambda: self.get_bytes("report", f"/pages/reports/{report_id}"),
            lambda page: "INS qualifiée".encode() in page,
            seconds=60.0,
            what="identity qualified on the page of the report",
        )

    async def announce(self, report_id: str) -> None:
        """Record that the patient was told the result."""
        await self.post("report", f"/reports/{report_id}/announce")

    async def replace(self, report_id: str, built_on: int, content: dict[str, Any]) -> None:
        """Write the next version and validate it."""
        await self.post("report", f"/reports/{report_id}/replace", {"built_on": built_on, "content": content})
        await self.sign(report_id)

    async def withdraw(self, report_id: str, reason: str) -> None:
        """Annul a report."""
        await self.post("report", f"/reports/{report_id}/withdraw", {"reason": reason})

    async def journeys(self) -> dict[str, dict[str, Any]]:
        """The last 200 reports that changed, with their lines, by id."""
        answer = await self.get("report", "/reports", limit=200)
        return {one["report"]["report_id"]: one for one in answer["reports"]}

    async def journey(self, report_id: str) -> dict[str, Any]:
        """One report with its lines."""
        return dict(await self.get("report", f"/reports/{report_id}/journey"))

    async def notices(self, service: str) -> list[dict[str, Any]]:
        """Notices of outages that the service gave to its operators."""
        answer = await self.get(service, "/ops/notices")
        return list(answer["notices"] if isinstance(answer, dict) else answer)


def settled(journey: dict[str, Any]) -> bool:
    """Whether every line of a journey has come to an end (sent or given up)."""
    return bool(journey["lines"]) and all(line["state"] in _SETTLED for line in journey["lines"])


def arrived(journey: dict[str, Any]) -> bool:
    """Whether every line of a journey was sent or delivered."""
    return bool(journey["lines"]) and all(line["state"] in {"sent", "delivered", "read"} for line in journey["lines"])
