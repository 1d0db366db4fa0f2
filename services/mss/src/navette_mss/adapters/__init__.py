"""The outside: operator (SMTP, IMAP), directory, report service, database."""
