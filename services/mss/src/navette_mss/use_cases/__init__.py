"""One verb per file; each receives what it needs and commits nothing itself."""
