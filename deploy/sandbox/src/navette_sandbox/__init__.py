"""The whole platform on one machine: broker, database, national services, demo."""
