"""Annuaire Santé FHIR API v2 (spec/annuaire.md §2): the searches needed to find one mailbox."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx

from navette_mss.domain.directory import FINESS_SYSTEM, RPPS_SYSTEMS, read_bundles
from navette_mss.domain.resolution import Decision, Resolution, resolve_professional, resolve_structure
from navette_mss.use_cases.ports import DirectoryAnswerError, DirectoryUnavailableError

MAX_PAGES = 10
_ELEMENTS = "identifier,name,telecom,active,practitioner,organization"


class AnnuaireClient:
    """Asks the API, never faster than its limit; remembers for a while the mailboxes it found without doubt."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        key: Callable[[], str],
        calls_per_second: float = 15.0,
        cache_seconds: float = 86_400,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = http
        self._key = key
        self._pause = 1 / calls_per_second
        self._cache_seconds = cache_seconds
        self._monotonic = monotonic
        self._next_call = 0.0
        self._known: dict[tuple[str | None, str | None], tuple[float, Resolution]] = {}

    async def resolve(self, rpps: str | None, finess: str | None) -> Resolution:
        """Candidates and decision. Raises `DirectoryUnavailableError`, `DirectoryAnswerError`."""
        asked = (rpps, finess)
        known = self._known.get(asked)
        if known is not None and self._monotonic() < known[0]:
            return known[1]
        found = await self._ask(rpps, finess)
        self._known.pop(asked, None)
        if found.decision is Decision.AUTO:
            # A doubt or a gap is asked again: somebody may just have completed the directory.
            self._known[asked] = (self._monotonic() + self._cache_seconds, found)
        return found

    def forget(self, rpps: str | None, finess: str | None) -> None:
        """Ask the API anew next time: the address it gave was refused."""
        self._known.pop((rpps, finess), None)

    async def _ask(self, rpps: str | None, finess: str | None) -> Resolution:
        bundles: list[Mapping[str, Any]] = []
        if rpps is not None:
            question = {
                "identifier": f"{RPPS_SYSTEMS[0]}|{rpps}",
                "_revinclude": "PractitionerRole:practitioner",
                "_elements": _ELEMENTS,
            }
            bundles += await self._search("Practitioner", question)
        if finess is not None:
            question = {"identifier": f"{FINESS_SYSTEM}|{finess}", "_elements": _ELEMENTS}
            bundles += await self._search("Organization", question)
        directory = read_bundles(bundles)
        if rpps is not None:
            return resolve_professional(directory, rpps, finess)
        return resolve_structure(directory, finess or "")

    async def _search(self, resource: str, question: Mapping[str, str]) -> list[Mapping[str, Any]]:
        bundle = await self._get(str(self._http.base_url.join(resource)), question)
        bundles = [bundle]
        while (following := self._next_page(bundle)) is not None and len(bundles) < MAX_PAGES:
            bundle = await self._get(following, None)
            bundles.append(bundle)
        return bundles

    async def _get(self, url: str, question: Mapping[str, str] | None) -> Mapping[str, Any]:
        await self._take_turn()
        headers = {"ESANTE-API-KEY": self._key(), "Accept": "application/fhir+json"}
        try:
            answer = await self._http.get(url, params=question, headers=headers)
        except httpx.HTTPError as error:
            raise DirectoryUnavailableError("directory-unreachable") from error
        if answer.status_code in (401, 403):
            raise DirectoryUnavailableError("directory-key-refused")
        if answer.status_code == 429 or answer.status_code >= 500:
            raise DirectoryUnavailableError("directory-unavailable")
        if answer.status_code != 200:
            raise DirectoryAnswerError
        try:
            bundle = answer.json()
        except ValueError as error:
            raise DirectoryUnavailableError("directory-answer-cut") from error
        if not isinstance(bundle, Mapping) or bundle.get("resourceType") != "Bundle":
            raise DirectoryAnswerError
        return bundle

    def _next_page(self, bundle: Mapping[str, Any]) -> str | None:
        """The next page, only on the same host and below the same path. Raises `DirectoryAnswerError`."""
        links = bundle.get("link")
        for link in links if isinstance(links, list) else []:
            if not isinstance(link, Mapping) or link.get("relation") != "next":
                continue
            url, base = urlsplit(str(link.get("url", ""))), self._http.base_url
            same_host = (url.scheme, url.netloc) == (base.scheme, base.netloc.decode("ascii"))
            if not same_host or not url.path.startswith(base.path) or ".." in url.path:
                raise DirectoryAnswerError
            return url.geturl()
        return None

    async def _take_turn(self) -> None:
        now = self._monotonic()
        turn = max(now, self._next_call)
        self._next_call = turn + self._pause
        if turn > now:
            await asyncio.sleep(turn - now)
