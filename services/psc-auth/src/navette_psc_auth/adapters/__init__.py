"""The outside of psc-auth: Pro Santé Connect, the services behind the gateway, key files, the database."""
