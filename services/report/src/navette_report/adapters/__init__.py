"""The outside of this service: documents on paper, the database, the document store."""
