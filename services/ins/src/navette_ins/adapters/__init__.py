"""The outside of the service: the database and INSi."""
