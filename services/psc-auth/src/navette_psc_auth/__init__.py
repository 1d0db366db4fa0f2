"""Pro Santé Connect sign-on, sessions, roles, internal tokens and gateway."""
