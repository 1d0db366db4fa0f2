"""Authoring, signature, composition and journey of imaging reports."""
