"""Sends reports by MSSanté to professionals and patients."""
