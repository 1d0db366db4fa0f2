"""Sans-I/O medical document code shared by the services: identifiers, code tables, CDA reading, XDS metadata."""
