"""Sans-I/O medical document code shared by the services."""
