"""Reports written elsewhere: what a message says, whom and which examination it concerns, what becomes of it."""
