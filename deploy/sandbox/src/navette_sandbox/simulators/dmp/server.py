"""The DMP double on the wire: HTTPS with client certificates, endpoints, faults, state views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from lxml import etree

from navette_sandbox.simulators.common import (
    COMMON_KINDS,
    HttpServer,
    Request,
    Response,
    Simulator,
    SimulatorConfig,
    View,
    server_context,
)
from navette_sandbox.simulators.dmp import mime, names, soap
from navette_sandbox.simulators.dmp.certificates import Authority
from navette_sandbox.simulators.dmp.errors import DmpFaultError, RegistryError, RegistryRefusalError
from navette_sandbox.simulators.dmp.existence import existence_response
from navette_sandbox.simulators.dmp.names import q
from navette_sandbox.simulators.dmp.provide import ProvideContext, provide
from navette_sandbox.simulators.dmp.queries import denied, query_response, retrieve_response
from navette_sandbox.simulators.dmp.registry import Registry
from navette_sandbox.simulators.dmp.settings import DmpSettings
from navette_sandbox.simulators.dmp.update import update
from navette_sandbox.simulators.dmp.vihf import Vihf, VihfVerifier

BASE = "/si-dmp-server/v2/services/"
OPERATIONS = {
    names.ACTION_PROVIDE: ("provide", "repository"),
    names.ACTION_RETRIEVE: ("retrieve", "repository"),
    names.ACTION_QUERY: ("query", "registry"),
    names.ACTION_UPDATE: ("update", "registry"),
    names.ACTION_EXISTENCE: ("existence", "patients"),
}
RESPONSE_ACTIONS = {
    "provide": f"{names.ACTION_PROVIDE}Response",
    "retrieve": f"{names.ACTION_RETRIEVE}Response",
    "query": f"{names.ACTION_QUERY}Response",
    "update": f"{names.ACTION_UPDATE}-Response",
    "existence": "urn:hl7-org:v3:PRPA_IN201308UV02",
}
SOAP_TYPE = "application/soap+xml; charset=UTF-8"


class DmpSimulator(Simulator):
    """See the package. Fault targets: ``provide``, ``retrieve``, ``query``, ``update``, ``existence``.

    Own fault kinds: ``soap_fault`` (``code`` = subcode), ``busy``, ``registry_error`` (``code`` = errorCode).
    """

    name = "dmp"
    kinds = COMMON_KINDS | {"soap_fault", "busy", "registry_error"}

    def __init__(self, config: SimulatorConfig, settings: DmpSettings | None = None) -> None:
        super().__init__(config)
        self.settings = settings or DmpSettings.load(config.data)
        self.registry = Registry(config.state)
        self.patient_states: dict[str, str] = {}
        authority = Authority(config.pki / "igc-ca.pem")
        self._verifier = VihfVerifier(authority, self.settings)
        self._provide = ProvideContext(self.settings, self.registry, authority, self.patient_states)
        self._messages: set[str] = set()
        self._http = HttpServer(
            self._answer,
            port=config.port,
            host=config.host,
            context=server_context(config.pki, "dmp-server"),
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
        """Forget what was stored."""
        self.registry.clear()

    def views(self) -> Mapping[str, View]:
        """documents, submissions, lots, patients."""
        return {
            "documents": self._documents_view,
            "submissions": lambda _: self.registry.files(),
            "lots": lambda _: self.registry.lots,
            "patients": lambda _: self.settings.patients | self.patient_states,
        }

    def commands(self) -> Mapping[str, Any]:
        """``POST /state/patients {"<matricule>": "active"|"closed"|"none"}``."""
        return {"patients": self.patient_states.update}

    def _documents_view(self, rest: Sequence[str]) -> Any:
        if not rest:
            return [entry.as_json() for entry in self.registry.entries.values()]
        entry = self.registry.entries.get(rest[0])
        if entry is None:
            return None
        if list(rest[1:]) == ["content"]:
            return Response(body=entry.content, content_type="text/xml")
        return entry.as_json() if len(rest) == 1 else None

    async def _answer(self, request: Request) -> Response:
        if request.method != "POST" or not request.path.startswith(BASE):
            return Response(status=404, body=b"Not Found", content_type="text/plain")
        endpoint = request.path.removeprefix(BASE)
        relates_to, operation, multipart = "", endpoint, False
        try:
            multipart = mime.parse_content_type(request.headers.get("content-type", ""))[0].startswith("multipart/")
            envelope, parts = self._read(request, multipart)
            relates_to = envelope.message_id
            operation = self._operation(envelope, request, endpoint, multipart)
            replaced = await self.http_faults(operation) or self._soap_faults(operation, relates_to)
            if replaced is not None:
                return replaced
            response = self._process(operation, envelope, parts, request)
        except DmpFaultError as error:
            self.refusals.record(operation, error.rule, error.reason, subcode=error.subcode)
            status = 400 if error.sender else 500
            return Response(status=status, body=soap.fault(error, relates_to), content_type=SOAP_TYPE)
        except RegistryRefusalError as refusal:
            for item in refusal.errors:
                self.refusals.record(operation, item.rule, item.context, code=item.code)
            return self._refused(operation, refusal.errors, relates_to)
        if self.faults.take(operation, "lost_answer"):
            return Response(cut=True)
        return response

    def _read(self, request: Request, multipart: bool) -> tuple[soap.Envelope, list[mime.Part]]:
        if not multipart:
            media_type, _ = mime.parse_content_type(request.headers.get("content-type", ""))
            if media_type != "application/soap+xml":
                raise DmpFaultError("http.content_type", "InvalidContentType", "application/soap+xml attendu")
            return soap.read_envelope(request.body), []
        root, parts = mime.split(request.headers["content-type"], request.body)
        root_type, parameters = mime.parse_content_type(root.headers.get("content-type", ""))
        if root_type != "application/xop+xml" or parameters.get("type") != "application/soap+xml":
            raise DmpFaultError("mime.root", "InvalidMime", "Partie racine application/xop+xml attendue")
        return soap.read_envelope(root.content), parts

    def _operation(self, envelope: soap.Envelope, request: Request, endpoint: str, multipart: bool) -> str:
        operation, expected = OPERATIONS.get(envelope.action, ("", ""))
        if not operation or endpoint != expected:
            raise DmpFaultError("addressing.Action", "ActionNotSupported", "Action inconnue sur cette adresse")
        _, parameters = mime.parse_content_type(request.headers["content-type"])
        if parameters.get("action", envelope.action) != envelope.action:
            raise DmpFaultError("http.action", "ActionMismatch", "action HTTP différente de wsa:Action")
        if operation == "provide" and not multipart:
            raise DmpFaultError("mime.mtom", "InvalidMime", "MTOM attendu (EX_2.1-1260)")
        if envelope.message_id in self._messages:
            raise DmpFaultError("addressing.replay", "InvalidAddressingHeader", "MessageID déjà utilisé")
        self._messages.add(envelope.message_id)
        return operation

    def _soap_faults(self, operation: str, relates_to: str) -> Response | None:
        fault = self.faults.take(operation, "soap_fault", "busy", "registry_error")
        if fault is None:
            return None
        if fault.kind == "soap_fault":
            error = DmpFaultError("fault", fault.code or "DMPInternalError", "Panne simulée", sender=False)
            return Response(status=500, body=soap.fault(error, relates_to), content_type=SOAP_TYPE)
        busy = "XDSRepositoryBusy" if operation in {"provide", "retrieve"} else "XDSRegistryBusy"
        code = busy if fault.kind == "busy" else fault.code or "XDSRepositoryError"
        return self._refused(operation, (RegistryError(code, "Panne simulée", "fault"),), relates_to)

    def _refused(self, operation: str, errors: tuple[RegistryError, ...], relates_to: str) -> Response:
        if operation == "query":
            content = etree.Element(q(names.QUERY, "AdhocQueryResponse"), nsmap={"query": names.QUERY})
            content.set("status", names.FAILURE)
            soap.add_errors(content, errors)
            etree.SubElement(content, q(names.RIM, "RegistryObjectList"), nsmap={"rim": names.RIM})
        else:
            content = soap.registry_response(errors)
            if operation == "retrieve":
                wrapped = etree.Element(q(names.XDSB, "RetrieveDocumentSetResponse"), nsmap={"xdsb": names.XDSB})
                wrapped.append(content)
                content = wrapped
        return self._wrap(operation, relates_to, content, [])

    def _wrap(
        self, operation: str, relates_to: str, content: etree._Element, parts: list[tuple[str, bytes]]
    ) -> Response:
        action = RESPONSE_ACTIONS[operation]
        envelope = soap.answer(action, relates_to, content)
        if operation not in {"provide", "retrieve"}:
            return Response(body=envelope, content_type=SOAP_TYPE)
        content_type, body = mime.join(envelope, parts, action)
        return Response(body=body, content_type=content_type)

    def _process(self, operation: str, envelope: soap.Envelope, parts: list[mime.Part], request: Request) -> Response:
        now = datetime.now(UTC)
        vihf = self._verifier.verify(envelope.assertion, request.peer, now)
        content, attachments = self._dispatch(operation, envelope, parts, vihf)
        return self._wrap(operation, envelope.message_id, content, attachments)

    def _dispatch(
        self, operation: str, envelope: soap.Envelope, parts: list[mime.Part], vihf: Vihf
    ) -> tuple[etree._Element, list[tuple[str, bytes]]]:
        if operation == "provide":
            if vihf.mode != "INDIRECTE":
                raise denied("provide")
            provide(envelope, parts, vihf, self._provide, datetime.now(UTC))
            return soap.registry_response(), []
        if operation == "retrieve":
            return retrieve_response(envelope.body, vihf, self.registry, self.settings)
        if operation == "query":
            return query_response(envelope.body, vihf, self.registry, self.settings), []
        if operation == "update":
            update(envelope, vihf, self.registry, self.settings)
            return soap.registry_response(), []
        state = self.settings.patient_state(vihf.matricule, self.patient_states)
        return existence_response(envelope.body, vihf, state), []
