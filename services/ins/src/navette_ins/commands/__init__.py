"""Commands of an operator: `python -m navette_ins import|reindex`."""
