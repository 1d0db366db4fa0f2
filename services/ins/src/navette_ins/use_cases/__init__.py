"""One verb per file; each receives the unit of work and never commits it."""
