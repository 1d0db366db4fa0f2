"""What this service does, one verb per file. Use cases receive a unit of work and never commit one."""
