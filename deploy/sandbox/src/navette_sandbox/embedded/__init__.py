"""Broker and database as child processes, so that nothing but Python is needed to run Navette."""
