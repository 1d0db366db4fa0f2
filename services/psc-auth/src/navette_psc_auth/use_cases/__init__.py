"""What psc-auth does, one verb per module. Functions that take a unit of work never commit it."""
