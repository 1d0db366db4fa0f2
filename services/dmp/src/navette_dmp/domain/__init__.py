"""Rules, builders and parsers of the DMP connector: no I/O, no clock, no random."""
