"""XDS metadata of a submission: one model and one serialiser for the DMP (ITI-41) and for XDM archives."""

from navette_documents.xds.ebrim import metadata_xml, submit_objects_request
from navette_documents.xds.from_cda import Visibility, author_of, entry_from_cda, patient_cx, unique_id_of
from navette_documents.xds.model import (
    Association,
    AssociationKind,
    Author,
    DocumentEntry,
    Submission,
    SubmissionSet,
)

__all__ = [
    "Association",
    "AssociationKind",
    "Author",
    "DocumentEntry",
    "Submission",
    "SubmissionSet",
    "Visibility",
    "author_of",
    "entry_from_cda",
    "metadata_xml",
    "patient_cx",
    "submit_objects_request",
    "unique_id_of",
]
