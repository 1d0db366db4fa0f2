"""The content of the golden examples: an invented patient, invented professionals, invented documents."""

from collections.abc import Iterator
from datetime import UTC, datetime

from navette_contracts import events as e
from navette_contracts.sealed import Sealed

TRAITS = e.Traits(
    birth_name="NOMFICTIF",
    first_birth_given_name="EXEMPLE",
    birth_given_names="EXEMPLE DEUXIEME",
    birth_date="1980-01-31",
    sex="F",
    birth_place_code="99999",
    used_name="NOMUTILISE",
    local_id="IPP-EXEMPLE-1",
)
# Commune 999 of country 99999 does not exist; the key is right so that validating consumers accept it.
INS = e.Ins(matricule="280019999900118", oid="1.2.250.1.213.1.4.10")
REASON = "Exemple : compte rendu rattaché au mauvais examen."

_PATIENT = "01990000-0000-7000-8000-0000000000a1"
_OTHER_PATIENT = "01990000-0000-7000-8000-0000000000a2"
_REPORT = "01990000-0000-7000-8000-0000000000b1"
_REQUESTER = "01990000-0000-7000-8000-0000000000d1"
_RPPS = "99700000013"
_REQUESTER_RPPS = "99700000021"
_AT = datetime(2026, 3, 9, 10, 15, 30, tzinfo=UTC)
_UID = "1.2.250.1.999.1.1"
_UID_BEFORE = "1.2.250.1.999.1.0"
_SITE = "site-exemple"

_RECIPIENTS = (
    e.Recipient(recipient_id=_REQUESTER, role=e.RecipientRole.REQUESTER, rpps=_REQUESTER_RPPS, finess="990000001"),
    e.Recipient(recipient_id=_PATIENT, role=e.RecipientRole.PATIENT),
)
_DOCUMENT = e.DocumentReference(
    document_id="01990000-0000-7000-8000-0000000000e1",
    cda_sha256="c" * 64,
    cda_size=245760,
    pdf_sha256="d" * 64,
    pdf_size=131072,
    unique_id=_UID,
    set_id="1.2.250.1.999.1.2",
    version_number=2,
    level="N1",
)

_Examples = Iterator[tuple[str, e.Event]]


def examples(traits: Sealed[e.Traits], ins: Sealed[e.Ins], reason: Sealed[str]) -> _Examples:
    """Yield (name, event): `minimal` has required fields only, `full` has all."""
    yield from _patient(traits, ins)
    yield from _signed()
    yield from _composed()
    yield from _withdrawn_and_announced(reason)
    yield from _dmp()
    yield from _mss()
    yield (
        "minimal",
        e.AccessRecorded(
            actor="svc:mss",
            action="document.fetch",
            object_kind="document",
            object_id=_DOCUMENT.document_id,
            outcome="granted",
            at=_AT,
        ),
    )
    yield (
        "full",
        e.AccessRecorded(
            actor=f"rpps:{_RPPS}",
            action="report.sign",
            object_kind="report",
            object_id=_REPORT,
            site_id=_SITE,
            outcome="refused",
            at=_AT,
        ),
    )


def _patient(traits: Sealed[e.Traits], ins: Sealed[e.Ins]) -> _Examples:
    yield (
        "minimal",
        e.PatientIdentified(
            patient_id=_PATIENT,
            revision=1,
            status=e.IdentityStatus.PROVISOIRE,
            site_id=_SITE,
            traits=traits,
        ),
    )
    yield (
        "full",
        e.PatientIdentified(
            patient_id=_PATIENT,
            revision=3,
            status=e.IdentityStatus.QUALIFIEE,
            attributes=(e.IdentityAttribute.HOMONYME,),
            site_id=_SITE,
            traits=traits,
            ins=ins,
        ),
    )
    yield "full", e.PatientMerged(surviving_id=_PATIENT, absorbed_id=_OTHER_PATIENT, revision=4)


def _signed() -> _Examples:
    yield (
        "minimal",
        e.ReportSigned(
            report_id=_REPORT,
            version=1,
            patient_id=_PATIENT,
            site_id=_SITE,
            signed_by_rpps=_RPPS,
            signed_at=_AT,
            announcement_needed=False,
            withheld_from_dmp=False,
            withheld_from_patient=False,
            recipients=(),
        ),
    )
    yield (
        "full",
        e.ReportSigned(
            report_id=_REPORT,
            version=2,
            patient_id=_PATIENT,
            site_id=_SITE,
            signed_by_rpps=_RPPS,
            signed_at=_AT,
            visibility=e.Visibility(hidden_from_patient=True),
            announcement_needed=True,
            withheld_from_dmp=False,
            withheld_from_patient=True,
            recipients=_RECIPIENTS,
            replaces_version=1,
        ),
    )


def _composed() -> _Examples:
    yield (
        "minimal",
        e.ReportComposed(
            report_id=_REPORT,
            version=1,
            patient_id=_PATIENT,
            site_id=_SITE,
            document=_DOCUMENT,
            ins_qualified=False,
            audience=(e.Audience.PROFESSIONALS,),
            recipients=_RECIPIENTS[:1],
            author_rpps=_RPPS,
            composed_at=_AT,
        ),
    )
    yield (
        "full",
        e.ReportComposed(
            report_id=_REPORT,
            version=2,
            patient_id=_PATIENT,
            site_id=_SITE,
            document=_DOCUMENT,
            type_code="18748-4",
            ins_qualified=True,
            audience=(e.Audience.DMP, e.Audience.PROFESSIONALS, e.Audience.PATIENT),
            recipients=_RECIPIENTS,
            visibility=e.Visibility(hidden_from_patient=True),
            author_rpps=_RPPS,
            replaces_unique_id=_UID_BEFORE,
            composed_at=_AT,
        ),
    )


def _withdrawn_and_announced(reason: Sealed[str]) -> _Examples:
    yield "minimal", e.ReportWithdrawn(report_id=_REPORT, version=1, withdrawn_by_rpps=_RPPS, withdrawn_at=_AT)
    yield (
        "full",
        e.ReportWithdrawn(
            report_id=_REPORT,
            version=2,
            unique_id=_UID,
            withdrawn_by_rpps=_RPPS,
            withdrawn_at=_AT,
            reason=reason,
        ),
    )
    yield (
        "full",
        e.ReportAnnounced(report_id=_REPORT, version=2, announced_by=f"rpps:{_RPPS}", announced_at=_AT),
    )


def _dmp() -> _Examples:
    yield (
        "minimal",
        e.DmpPublished(
            report_id=_REPORT,
            version=1,
            unique_id=_UID,
            submission_unique_id="1.2.250.1.999.2.1",
            published_at=_AT,
        ),
    )
    yield (
        "full",
        e.DmpPublished(
            report_id=_REPORT,
            version=2,
            unique_id=_UID,
            entry_uuid="urn:uuid:0199aaaa-0000-7000-8000-0000000000f1",
            submission_unique_id="1.2.250.1.999.2.2",
            published_at=_AT,
        ),
    )
    yield (
        "full",
        e.DmpRejected(
            report_id=_REPORT,
            version=2,
            unique_id=_UID,
            error_class=e.ErrorClass.PERMANENT,
            code="XDSPatientIdDoesNotMatch",
            who_must_act=e.WhoMustAct.SECRETARY,
            rejected_at=_AT,
        ),
    )
    yield "full", e.DmpWithdrawn(report_id=_REPORT, version=2, unique_id=_UID, at=_AT)
    yield "full", e.DmpVisibilityChanged(report_id=_REPORT, version=2, unique_id=_UID, at=_AT)


def _mss() -> _Examples:
    message_id = "<exemple-1@mssante.exemple.invalid>"
    role = e.RecipientRole.REQUESTER
    yield (
        "full",
        e.MssSent(
            report_id=_REPORT,
            version=2,
            recipient_id=_REQUESTER,
            role=role,
            message_id=message_id,
            sent_at=_AT,
        ),
    )
    for kind in (e.MssDelivered, e.MssRead):
        yield (
            "full",
            kind(
                report_id=_REPORT,
                version=2,
                recipient_id=_REQUESTER,
                role=role,
                message_id=message_id,
                at=_AT,
            ),
        )
    yield (
        "full",
        e.MssFailed(
            report_id=_REPORT,
            version=2,
            recipient_id=_REQUESTER,
            role=role,
            error_class=e.ErrorClass.EXHAUSTED,
            code="4.4.7",
            who_must_act=e.WhoMustAct.OPERATOR,
            failed_at=_AT,
        ),
    )
