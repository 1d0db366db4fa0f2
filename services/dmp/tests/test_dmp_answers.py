"""Every answer the DMP, a proxy or the network may give, and what it means for the delivery."""

from pathlib import Path

import pytest
from navette_contracts.events import WhoMustAct
from navette_dmp.domain import names
from navette_dmp.domain.outcomes import (
    FAULTS,
    HTTP_STATUSES,
    REGISTRY_ERRORS,
    Action,
    Verdict,
    judge,
    judge_response,
    safe_code,
)
from navette_dmp.domain.registry import RegistryResponse, read_registry_response
from navette_dmp.domain.soap import Answer, Fault, Unreadable, read_answer

ID = "urn:uuid:00000000-0000-4000-8000-000000000041"
SOAP_TYPE = "application/soap+xml; charset=UTF-8"
RESPONSE = (
    '<rs:RegistryResponse xmlns:rs="urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0" '
    'status="urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:{status}">{errors}</rs:RegistryResponse>'
)
ERROR = (
    '<rs:RegistryErrorList><rs:RegistryError errorCode="{code}" codeContext="ctx" severity="{severity}"/>'
    "</rs:RegistryErrorList>"
)
SEVERITY = "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:"


def soap(body: str, *, prefix: str = "soap", relates_to: str | None = ID) -> bytes:
    relates = f"<a:RelatesTo>{relates_to}</a:RelatesTo>" if relates_to else ""
    return (
        f'<{prefix}:Envelope xmlns:{prefix}="{names.SOAP}" xmlns:a="{names.WSA}"><{prefix}:Header>{relates}'
        f"</{prefix}:Header><{prefix}:Body>{body}</{prefix}:Body></{prefix}:Envelope>"
    ).encode()


def fault(code: str, subcode: str | None = None) -> bytes:
    sub = f"<s:Subcode><s:Value>x:{subcode}</s:Value></s:Subcode>" if subcode else ""
    return soap(
        f'<s:Fault xmlns:s="{names.SOAP}" xmlns:x="urn:x"><s:Code><s:Value>s:{code}</s:Value>{sub}</s:Code>'
        '<s:Reason><s:Text xml:lang="fr">Motif citant PATIENT SECRET</s:Text></s:Reason></s:Fault>'
    )


def registry(status: str, code: str | None = None, severity: str = "Error") -> bytes:
    errors = ERROR.format(code=code, severity=SEVERITY + severity) if code else ""
    return soap(RESPONSE.format(status=status, errors=errors))


def verdict(data: bytes, *, status: int = 200, content_type: str = SOAP_TYPE) -> Verdict:
    return judge(read_answer(status, content_type, data), message_id=ID)


SUCCESS = registry("Success")


def test_success_is_stored() -> None:
    assert verdict(SUCCESS) == Verdict(Action.STORED, "ok")


def test_success_with_a_warning_is_a_success() -> None:
    assert verdict(registry("Success", "XDSExtraMetadataNotSaved", "Warning")).action is Action.STORED


def test_prefixes_do_not_matter() -> None:
    body = RESPONSE.format(status="Success", errors="").replace("rs:Reg", "ns7:Reg").replace("xmlns:rs=", "xmlns:ns7=")
    assert verdict(soap(body, prefix="S")).action is Action.STORED


def mime(root: bytes, *, first: bytes = b"", encoding: str = "binary") -> tuple[str, bytes]:
    body = (
        first
        + b"--u:1\r\nContent-Type: application/xop+xml\r\nContent-Transfer-Encoding: "
        + encoding.encode()
        + b"\r\nContent-ID: <root.message@repo>\r\n\r\n"
        + root
        + b"\r\n--u:1--\r\n"
    )
    kind = 'multipart/related; boundary="u:1"; type="application/xop+xml"; start="<root.message@repo>"'
    return kind, body


def test_a_success_in_mtom_is_stored() -> None:
    content_type, body = mime(SUCCESS)
    assert verdict(body, content_type=content_type).action is Action.STORED


def test_a_success_after_another_part_is_stored() -> None:
    content_type, body = mime(SUCCESS, first=b"--u:1\r\nContent-ID: <x>\r\n\r\n<html/>\r\n")
    assert verdict(body, content_type=content_type).action is Action.STORED


def test_a_fault_in_mtom_is_a_fault() -> None:
    content_type, body = mime(fault("Sender", "DMPInvalidCertificate"))
    found = verdict(body, status=500, content_type=content_type)
    assert (found.action, found.code) == (Action.STOP, "DMPInvalidCertificate")
    assert found.who is WhoMustAct.ADMINISTRATOR


@pytest.mark.parametrize(
    ("status", "content_type", "data", "action", "code"),
    [
        (502, "text/html", b"<html>Bad gateway</html>", Action.UNKNOWN, "http-502"),
        (503, "text/html", b"", Action.UNKNOWN, "http-503"),
        (500, SOAP_TYPE, b"", Action.UNKNOWN, "http-500"),
        (200, SOAP_TYPE, b"", Action.UNKNOWN, "unreadable-answer"),
        (200, "text/html", b"<html/>", Action.UNKNOWN, "unreadable-answer"),
        (200, SOAP_TYPE, b"<not closed", Action.UNKNOWN, "unreadable-answer"),
        (200, SOAP_TYPE, b"<a/>", Action.UNKNOWN, "unreadable-answer"),
        (200, SOAP_TYPE, soap(""), Action.UNKNOWN, "unreadable-answer"),
        (200, SOAP_TYPE, soap("<other/>"), Action.UNKNOWN, "unexpected-answer"),
        (200, 'multipart/related; boundary="x"', b"junk", Action.UNKNOWN, "unreadable-answer"),
        (302, "text/html", b"", Action.UNKNOWN, "http-302"),
        (400, "text/plain", b"no", Action.STOP, "http-400"),
        (401, "text/html", b"", Action.STOP, "http-401"),
        (403, "text/html", b"", Action.STOP, "http-403"),
        (404, "text/html", b"", Action.STOP, "http-404"),
        (413, "text/html", b"", Action.STOP, "http-413"),
        (429, "text/html", b"", Action.RETRY, "http-429"),
    ],
)
def test_an_answer_that_is_no_soap_message(
    status: int, content_type: str, data: bytes, action: Action, code: str
) -> None:
    found = verdict(data, status=status, content_type=content_type)
    assert (found.action, found.code) == (action, code)


def test_a_gateway_that_finds_nobody_counts_as_down() -> None:
    assert verdict(b"<html/>", status=503, content_type="text/html").endpoint_down
    assert not verdict(b"<html/>", status=500, content_type="text/html").endpoint_down


@pytest.mark.parametrize(
    "attack",
    [
        b"<!DOCTYPE a [<!ENTITY x 'y'>]>" + SUCCESS,
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]>' + SUCCESS,
        b"<a>" * 10_000,
    ],
)
def test_hostile_xml_in_an_answer_is_not_read(attack: bytes) -> None:
    assert verdict(attack).action is Action.UNKNOWN


def test_an_answer_to_another_message_decides_nothing() -> None:
    data = soap(RESPONSE.format(status="Success", errors=""), relates_to="urn:uuid:other")
    assert verdict(data) == Verdict(Action.UNKNOWN, "answer-to-another-message")


def test_an_answer_that_relates_to_nothing_is_accepted() -> None:
    data = soap(RESPONSE.format(status="Success", errors=""), relates_to=None)
    assert verdict(data).action is Action.STORED


@pytest.mark.parametrize("status", ["Failure", "PartialSuccess"])
def test_a_failure_without_a_reason_leaves_the_outcome_open(status: str) -> None:
    assert verdict(registry(status)) == Verdict(Action.UNKNOWN, "unnamed-failure")


# The whole table of spec/dmp.md §10.2, as a second reading of it.
ACTIONS = {
    Action.DUPLICATE: "XDSDuplicateUniqueIdInRegistry",
    Action.STOP: (
        "XDSRegistryDuplicateUniqueIdInMessage XDSRepositoryDuplicateUniqueIdInMessage XDSNonIdenticalHash "
        "XDSNonIdenticalSize XDSPatientIdDoesNotMatch XDSUnknownPatientId XDSMissingDocument "
        "XDSMissingDocumentMetadata XDSRegistryMetadataError XDSRepositoryMetadataError "
        "XDSMetadataIdentifierError XDSObjectTypeError XDSTooManyResults XDSUnknownStoredQuery "
        "XDSStoredQueryMissingParam XDSStoredQueryParamNumber XDSResultNotSinglePatient "
        "XDSDocumentUniqueIdError XDSUnknownRepositoryId InvalidDocumentContent LocalPolicyRestrictionError"
    ),
    Action.REFRESH: (
        "XDSRegistryDeprecatedDocumentError XDSReplaceFailed UnresolvedReferenceException ReferencesExistException "
        "XDSMetadataUpdateError XDSMetadataUpdateOperationError XDSMetadataVersionError UnmodifiableMetadataError "
        "XDSPatientIDReconciliationError"
    ),
    Action.RETRY: (
        "XDSRegistryBusy XDSRepositoryBusy XDSRegistryNotAvailable XDSRegistryOutOfResources "
        "XDSRepositoryOutOfResources"
    ),
    Action.UNKNOWN: "XDSRegistryError XDSRepositoryError",
    Action.STORED: "XDSExtraMetadataNotSaved",
}


def test_the_table_knows_every_code_of_the_guide_with_its_action() -> None:
    expected = {code: action for action, codes in ACTIONS.items() for code in codes.split()}
    assert {code: action for code, (action, _) in REGISTRY_ERRORS.items()} == expected


@pytest.mark.parametrize("code", sorted(REGISTRY_ERRORS))
def test_each_registry_error_is_shown_verbatim(code: str) -> None:
    found = verdict(registry("Failure", code))
    assert found.code == code
    assert found.action is REGISTRY_ERRORS[code][0]


def test_whoever_is_stopped_is_told_who_must_act() -> None:
    rules = [*REGISTRY_ERRORS.values(), *FAULTS.values(), *HTTP_STATUSES.values()]
    assert all(who is not WhoMustAct.NOBODY for action, who in rules if action is Action.STOP)


@pytest.mark.parametrize(
    ("code", "who"),
    [
        ("XDSUnknownPatientId", "secretary"),
        ("XDSPatientIdDoesNotMatch", "secretary"),
        ("LocalPolicyRestrictionError", "administrator"),
        ("XDSRegistryMetadataError", "operator"),
    ],
)
def test_who_must_act_depends_on_the_reason(code: str, who: str) -> None:
    assert verdict(registry("Failure", code)).who.value == who


def test_an_unknown_code_is_never_retried() -> None:
    found = verdict(registry("Failure", "DMPSomethingNew"))
    assert (found.action, found.code, found.who) == (Action.STOP, "DMPSomethingNew", WhoMustAct.OPERATOR)


def test_of_several_errors_the_duplicate_decides_then_the_refusal() -> None:
    def of(*codes: str) -> Action:
        return judge_response(RegistryResponse(False, codes, ())).action

    assert of("XDSReplaceFailed", "XDSDuplicateUniqueIdInRegistry") is Action.DUPLICATE
    assert of("XDSRegistryBusy", "XDSRegistryMetadataError") is Action.STOP
    assert of("XDSRegistryBusy", "XDSRegistryError") is Action.UNKNOWN


@pytest.mark.parametrize(
    ("data", "action", "code"),
    [
        (fault("Receiver"), Action.UNKNOWN, "fault:Receiver"),
        (fault("Receiver", "Timeout"), Action.UNKNOWN, "fault:Timeout"),
        (fault("Sender"), Action.STOP, "fault:Sender"),
        (fault("Receiver", "DMPNew"), Action.STOP, "fault:DMPNew"),
        (fault("Sender", "DMPAccessDeniedByRightsService"), Action.STOP, "DMPAccessDeniedByRightsService"),
        (fault("MustUnderstand"), Action.STOP, "fault:MustUnderstand"),
    ],
)
def test_faults_are_read_by_their_subcode(data: bytes, action: Action, code: str) -> None:
    found = verdict(data, status=500)
    assert (found.action, found.code) == (action, code)


def test_the_text_of_a_fault_and_the_context_of_an_error_are_not_kept() -> None:
    answer = read_answer(500, SOAP_TYPE, fault("Sender", "DMPInvalidCertificate"))
    assert answer == Fault("Sender", "DMPInvalidCertificate")
    assert "SECRET" not in repr(answer)


@pytest.mark.parametrize("code", ["XDS Error<1>", "é", "", "__", "a" * 300])
def test_any_code_becomes_one_an_event_may_carry(code: str) -> None:
    shown = safe_code(code)
    assert shown
    assert len(shown) <= 64
    assert shown[0].isalnum()
    assert all(c.isascii() and (c.isalnum() or c in "_.:/#-") for c in shown)


def test_a_query_answer_lists_each_entry_once() -> None:
    data = soap(
        '<q:AdhocQueryResponse xmlns:q="urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0" '
        'xmlns:r="urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0" '
        'status="urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Success"><r:RegistryObjectList>'
        '<r:ObjectRef id="urn:uuid:1"/><r:ObjectRef id="urn:uuid:1"/><r:ObjectRef id="urn:uuid:2"/>'
        "</r:RegistryObjectList></q:AdhocQueryResponse>"
    )
    answer = read_answer(200, SOAP_TYPE, data)
    assert isinstance(answer, Answer)
    response = read_registry_response(answer.body)
    assert response is not None
    assert response.entries == ("urn:uuid:1", "urn:uuid:2")
    assert response.success


@pytest.mark.conformance
@pytest.mark.parametrize(
    ("file", "action"),
    [
        ("response-success.xml", Action.STORED),
        ("response-failure-duplicate.xml", Action.DUPLICATE),
        ("soap-fault.xml", Action.STOP),
    ],
)
def test_the_example_answers_are_read(conformance: Path, file: str, action: Action) -> None:
    data = (conformance / "xds/own-examples" / file).read_bytes()
    assert verdict(data).action is action


def test_an_unreadable_answer_says_which_rule_it_broke() -> None:
    assert read_answer(200, SOAP_TYPE, b"") == Unreadable("empty body", 200)
    assert read_answer(200, SOAP_TYPE, b"<!DOCTYPE a><a/>") == Unreadable("xml: dtd", 200)
