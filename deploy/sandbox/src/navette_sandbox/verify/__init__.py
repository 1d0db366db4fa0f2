"""Checks of what the platform produced, written without its document code.

Each reader parses with general libraries (lxml, pypdf, zipfile, email) and knows only the published
formats, so that a mistake of the code that writes cannot hide in the code that reads.
"""
