"""The routes of psc-auth: parse, call a use case, answer."""
