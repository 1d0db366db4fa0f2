"""The outside of the service: the DMP, the document store of report, certificates, the database."""
