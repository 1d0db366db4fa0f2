"""XML namespaces and actions of the SOAP exchanges with the DMP (spec/dmp.md §3)."""

from __future__ import annotations

from typing import Final, cast

SOAP: Final = "http://www.w3.org/2003/05/soap-envelope"
WSA: Final = "http://www.w3.org/2005/08/addressing"
WSA_ANONYMOUS: Final = "http://www.w3.org/2005/08/addressing/anonymous"
WSSE: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
SAML: Final = "urn:oasis:names:tc:SAML:2.0:assertion"
XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
HL7: Final = "urn:hl7-org:v3"
DSIG: Final = "http://www.w3.org/2000/09/xmldsig#"
XADES: Final = "http://uri.etsi.org/01903/v1.1.1#"
XDSB: Final = "urn:ihe:iti:xds-b:2007"
XOP: Final = "http://www.w3.org/2004/08/xop/include"
RIM: Final = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"
RS: Final = "urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0"
QUERY: Final = "urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0"

PROVIDE_AND_REGISTER: Final = "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b"
UPDATE_DOCUMENT_SET: Final = "urn:ihe:iti:2010:UpdateDocumentSet"
REGISTRY_STORED_QUERY: Final = "urn:ihe:iti:2007:RegistryStoredQuery"


def q(namespace: str, local: str) -> str:
    """Qualified name in Clark notation, as lxml wants it."""
    return f"{{{namespace}}}{local}"


def default_namespace(namespace: str) -> dict[str, str]:
    """nsmap that declares `namespace` without a prefix."""
    # lxml takes None as the prefix of the default namespace; its type stubs know text only.
    return cast("dict[str, str]", {None: namespace})
