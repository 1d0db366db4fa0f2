"""The VIHF and the transport: each broken rule is refused."""

import ssl
from datetime import UTC, datetime, timedelta

import httpx
import pytest

SAML = "{urn:oasis:names:tc:SAML:2.0:assertion}"
WSA = "{http://www.w3.org/2005/08/addressing}"


def attribute(name: str, value: str | None):
    """Set the text of an attribute, or drop the attribute."""

    def edit(assertion):
        found = next(item for item in assertion.iter(f"{SAML}Attribute") if item.get("Name") == name)
        if value is None:
            found.getparent().remove(found)
        else:
            found[0].text = value

    return edit


def issued(**shift: int):
    def edit(assertion):
        moment = datetime.now(UTC) + timedelta(**shift)
        assertion.set("IssueInstant", moment.strftime("%Y-%m-%dT%H:%M:%SZ"))

    return edit


def issuer(assertion) -> None:
    assertion[0].text = "CN=AUTRE,C=FR"


def drop_specialty(assertion) -> None:
    role = next(item for item in assertion.iter(f"{SAML}Attribute") if "subject:role" in item.get("Name"))
    role.remove(role[1])


def add_audience(assertion) -> None:
    conditions = assertion.makeelement(f"{SAML}Conditions")
    conditions.append(assertion.makeelement(f"{SAML}AudienceRestriction"))
    assertion.insert(2, conditions)


@pytest.mark.parametrize(
    ("edit", "rule"),
    [
        (attribute("VIHF_Version", "2.0"), "vihf.version"),
        (attribute("Authentification_mode", "DIRECTE"), "vihf.mode"),
        (attribute("Authentification_mode", None), "vihf.mode"),
        (attribute("Identifiant_Structure", "1990000001"), "vihf.structure"),
        (attribute("Secteur_Activite", "SA08"), "vihf.sector"),
        (attribute("Ressource_URN", "urn:autre"), "vihf.resource_urn"),
        (attribute("LPS_Nom", None), "vihf.lps"),
        (attribute("LPS_Version", None), "vihf.lps"),
        (attribute("LPS_ID_HOMOLOGATION_DMP", None), "vihf.lps"),
        (attribute("urn:oasis:names:tc:xspa:1.0:subject:subject-id", None), "vihf.attribute"),
        (attribute("urn:oasis:names:tc:xacml:2.0:subject:role", None), "vihf.role"),
        (attribute("urn:oasis:names:tc:xspa:1.0:subject:purposeofuse", None), "vihf.purpose"),
        (
            attribute(
                "urn:oasis:names:tc:xacml:2.0:resource:resource-id", "279035121518988^^^&1.2.250.1.213.1.4.8&ISO^NH"
            ),
            "vihf.resource_id",
        ),
        (
            attribute(
                "urn:oasis:names:tc:xacml:2.0:resource:resource-id", "279035121518989^^^&1.2.250.1.213.1.4.2&ISO^NH"
            ),
            "vihf.resource_id",
        ),
        (drop_specialty, "vihf.specialty"),
        (issued(minutes=-10), "vihf.freshness"),
        (issued(minutes=10), "vihf.freshness"),
        (issuer, "vihf.issuer"),
        (add_audience, "vihf.audience"),
        (lambda assertion: assertion.set("Version", "1.1"), "vihf.layout"),
    ],
)
async def test_a_broken_vihf_rule_is_a_fault(dmp, edit, rule: str) -> None:
    await dmp.refused(dmp.message(vihf_edits=[edit]), "soap:DMPInvalidVIHF", rule)


async def test_a_vihf_changed_after_signing_is_a_fault(dmp) -> None:
    message = dmp.message(signed_edits=[attribute("LPS_Version", "2.0")])
    await dmp.refused(message, "soap:DMPInvalidVIHF", "vihf.signature")


async def test_a_vihf_without_signature_is_a_fault(dmp) -> None:
    message = dmp.message(signed_edits=[lambda assertion: assertion.remove(assertion[1])])
    await dmp.refused(message, "soap:DMPInvalidVIHF", "vihf.layout")


async def test_the_same_vihf_twice_is_a_fault(dmp) -> None:
    first = dmp.message()
    await dmp.accepted(first)
    await dmp.refused(dmp.message(assertion_id=first.assertion_id), "soap:DMPInvalidVIHF", "vihf.replay")


@pytest.mark.parametrize("name", ["dmp-auth", "rogue-client", "expired-client"])
async def test_a_certificate_that_is_no_valid_seal_cannot_sign(dmp, name: str) -> None:
    message = dmp.message(signer=dmp.person(name))
    await dmp.refused(message, "soap:DMPInvalidCertificate", "vihf.certificate")


async def test_sha1_signatures_are_a_fault(dmp) -> None:
    def edit(assertion) -> None:
        for item in assertion.iter("{http://www.w3.org/2000/09/xmldsig#}SignatureMethod"):
            item.set("Algorithm", "http://www.w3.org/2000/09/xmldsig#rsa-sha1")

    await dmp.refused(dmp.message(signed_edits=[edit]), "soap:DMPInvalidVIHF", "vihf.algorithm")


async def test_air_may_not_feed(dmp) -> None:
    message = dmp.message(mode="INDIRECTE_RENFORCEE")
    await dmp.refused(message, "soap:DMPAccessDeniedByRightsService", "rights.provide")


@pytest.mark.parametrize("header", ["MessageID", "To", "ReplyTo", "Action"])
async def test_each_addressing_header_is_required(dmp, header: str) -> None:
    def edit(envelope) -> None:
        envelope[0].remove(envelope[0].find(f"{WSA}{header}"))

    message = dmp.message(envelope_edits=[edit])
    expected = "A required header representing a Message Addressing Property is not present"
    await dmp.refused(message, expected, f"addressing.{header}")


async def test_a_message_id_is_used_once(dmp) -> None:
    first = dmp.message()
    await dmp.accepted(first)
    await dmp.refused(dmp.message(message_id=first.message_id), "MessageID", "addressing.replay")


async def test_mtom_is_mandatory(dmp) -> None:
    message = dmp.message()
    body = message.provide_body(message.cda(), message.lot_signature(message.cda()))
    envelope = message.envelope("urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b", body)
    async with dmp.client() as http:
        answer = await http.post(
            "/repository", content=envelope, headers={"content-type": "application/soap+xml; charset=UTF-8"}
        )
    assert answer.status_code == 400
    assert "MTOM" in answer.text


async def test_a_package_without_its_last_boundary_is_a_fault(dmp) -> None:
    content_type, body = dmp.message().provide()
    async with dmp.client() as http:
        answer = await http.post(
            "/repository", content=body.replace(b"--limite--", b""), headers={"content-type": content_type}
        )
    assert answer.status_code == 400
    assert "mime.structure" in dmp.simulator.refusals.rules


@pytest.mark.parametrize("name", [None, "rogue-client", "expired-client"])
async def test_tls_needs_a_valid_client_certificate(dmp, name: str | None) -> None:
    content_type, body = dmp.message().provide()
    async with dmp.client(name) as http:
        with pytest.raises((httpx.TransportError, ssl.SSLError)):
            await http.post("/repository", content=body, headers={"content-type": content_type})
    assert "tls.handshake" in dmp.simulator.refusals.rules


async def test_the_seal_is_no_client_certificate(dmp) -> None:
    answer = await dmp.send(dmp.message(), client_name="mss-client")
    assert "ResponseStatusType:Success" in answer.text
    content_type, body = dmp.message().provide()
    async with dmp.client("dmp-sign") as http:
        answer = await http.post("/repository", content=body, headers={"content-type": content_type})
    assert "soap:DMPInvalidCertificate" in answer.text
    assert "vihf.tls" in dmp.simulator.refusals.rules
