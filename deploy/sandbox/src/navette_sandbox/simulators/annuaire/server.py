"""The directory double on the wire: API key, searches, paging, OperationOutcome, faults."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from navette_sandbox.simulators.annuaire.resources import Json, resources_of
from navette_sandbox.simulators.annuaire.search import PARAMETERS, SearchError, search, subset
from navette_sandbox.simulators.common import (
    COMMON_KINDS,
    HttpServer,
    Request,
    Response,
    Simulator,
    SimulatorConfig,
    View,
    json_response,
    server_context,
)

PACKAGED = Path(__file__).parent.parent / "data" / "directory.json"
BASE = "/fhir/v2"
FHIR_JSON = "application/fhir+json"
DEFAULT_COUNT = 50


def outcome(status: int, code: str, text: str) -> Response:
    """An OperationOutcome."""
    issue = {"severity": "error", "code": code, "diagnostics": text}
    return json_response({"resourceType": "OperationOutcome", "issue": [issue]}, status, FHIR_JSON)


class AnnuaireSimulator(Simulator):
    """See the package. Fault targets: ``metadata``, ``_page`` and the resource types.

    ``http_error`` with ``status`` 429 or 500 answers an OperationOutcome; own kind ``cut_body``: half an answer.
    """

    name = "annuaire"
    kinds = COMMON_KINDS | {"cut_body"}

    def __init__(self, config: SimulatorConfig, *, api_keys: tuple[str, ...] = ()) -> None:
        super().__init__(config)
        data = json.loads((config.data or PACKAGED).read_text(encoding="utf-8"))
        self._resources = resources_of(data)
        self._keys = api_keys
        self._pages: dict[str, list[tuple[Json, str]]] = {}
        self.calls: list[dict[str, Any]] = []
        self._http = HttpServer(
            self._answer,
            port=config.port,
            host=config.host,
            context=server_context(config.pki, "annuaire-server", client_certificate="none"),
            refusing=self.faults.down,
            on_handshake_error=self.note_handshake_error,
        )

    async def start_main(self) -> None:
        """Open the HTTPS port."""
        await self._http.start()

    async def stop_main(self) -> None:
        """Close the HTTPS port."""
        await self._http.stop()

    def ports(self) -> Mapping[str, int]:
        """The HTTPS port."""
        return {"port": self._http.port}

    def reset_state(self) -> None:
        """Forget the calls."""
        self.calls.clear()

    def views(self) -> Mapping[str, View]:
        """calls."""
        return {"calls": lambda _: self.calls}

    async def _answer(self, request: Request) -> Response:
        path = request.path.rstrip("/")
        if not path.startswith(BASE):
            return self._elsewhere(path, request)
        operation = path.removeprefix(BASE).strip("/").removesuffix("/_search")
        self.calls.append({"operation": operation, "query": request.query})
        refused = self._refused(request, operation) or await self._scripted(operation)
        if refused is not None:
            return refused
        response = self._dispatch(request, operation)
        if self.faults.take(operation, "lost_answer"):
            return Response(cut=True)
        if self.faults.take(operation, "cut_body"):
            return Response(response.status, response.body[: len(response.body) // 2], response.content_type)
        return response

    @staticmethod
    def _elsewhere(path: str, request: Request) -> Response:
        """The path without version leads to v2; anything else is unknown."""
        if not path.startswith("/fhir"):
            return outcome(404, "not-found", "HAPI-0302: unknown path")
        target = f"{BASE}{path.removeprefix('/fhir')}?{request.query_string}"
        return Response(status=301, headers={"location": target})

    def _refused(self, request: Request, operation: str) -> Response | None:
        key = request.headers.get("esante-api-key", "")
        if not key or (self._keys and key not in self._keys):
            self.refusals.record(operation, "key", "ESANTE-API-KEY absente ou inconnue")
            return outcome(401, "security", "Invalid API key")
        if operation.partition("/")[0] in PARAMETERS and not self._reading(request):
            self.refusals.record(operation, "method", request.method)
            return outcome(405, "not-supported", "writing is forbidden")
        return None

    @staticmethod
    def _reading(request: Request) -> bool:
        form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
        return request.method == "GET" or (request.method == "POST" and request.path.endswith("/_search") and form)

    async def _scripted(self, operation: str) -> Response | None:
        fault = await self.http_faults(operation)
        return None if fault is None else outcome(fault.status, "throttled", "panne simulée")

    def _dispatch(self, request: Request, operation: str) -> Response:
        if operation == "metadata":
            return json_response(self._capability(), content_type=FHIR_JSON)
        if operation == "_page":
            return self._page(request)
        kind, _, identifier = operation.partition("/")
        if kind not in PARAMETERS:
            self.refusals.record(operation, "resource", "ressource inconnue")
            return outcome(404, "not-found", "HAPI-0302: unknown resource type")
        if identifier:
            resource = self._resources.get(operation)
            return outcome(404, "not-found", "unknown id") if resource is None else self._json(resource)
        query = (
            request.query
            if request.method == "GET"
            else Request("GET", request.path, request.body.decode("utf-8", "replace"), {}, b"", None).query
        )
        try:
            return self._bundle(request, kind, query)
        except (SearchError, ValueError) as error:
            self.refusals.record(operation, "parameter", str(error))
            return outcome(400, "processing", str(error))

    @staticmethod
    def _json(data: Json) -> Response:
        return json_response(data, content_type=FHIR_JSON)

    def _bundle(self, request: Request, kind: str, query: list[tuple[str, str]]) -> Response:
        results = search(self._resources, kind, query)
        values = dict(query)
        count = int(values.get("_count", DEFAULT_COUNT))
        if "_elements" in values:
            elements = [name.strip() for name in values["_elements"].split(",")]
            results = [(subset(item, elements), mode) for item, mode in results]
        total = sum(mode == "match" for _, mode in results)
        return self._json(self._slice(request, results, max(1, count), total, f"{kind}?{urlencode(query)}"))

    def _page(self, request: Request) -> Response:
        token = dict(request.query).get("id", "")
        pending = self._pages.pop(token, None)
        if pending is None:
            return outcome(410, "expired", "HAPI-0517: page expired")
        count = int(token.partition("-")[0])
        return self._json(self._slice(request, pending, count, None, f"_page?id={token}"))

    def _slice(
        self, request: Request, results: list[tuple[Json, str]], count: int, total: int | None, asked: str
    ) -> Json:
        host = request.headers.get("host", "localhost")
        base = f"https://{host}{BASE}"
        links = [{"relation": "self", "url": f"{base}/{asked}"}]
        if len(results) > count:
            token = f"{count}-{secrets.token_urlsafe(12)}"
            self._pages[token] = results[count:]
            links.append({"relation": "next", "url": f"{base}/_page?id={token}"})
        entries = [
            {
                "fullUrl": f"{base}/{item['resourceType']}/{item['id']}",
                "resource": item,
                "search": {"mode": mode},
            }
            for item, mode in results[:count]
        ]
        bundle: Json = {"resourceType": "Bundle", "type": "searchset", "link": links, "entry": entries}
        if total is not None:
            bundle["total"] = total
        return bundle

    def _capability(self) -> Json:
        resources = [
            {
                "type": kind,
                "interaction": [{"code": "read"}, {"code": "search-type"}],
                "searchParam": [{"name": name} for name in parameters],
            }
            for kind, parameters in PARAMETERS.items()
        ]
        return {
            "resourceType": "CapabilityStatement",
            "status": "active",
            "kind": "instance",
            "fhirVersion": "4.0.1",
            "format": ["json"],
            "rest": [{"mode": "server", "resource": resources}],
        }
