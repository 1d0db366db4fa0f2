"""Rules of identities (RNIV) and the messages of INSi. No I/O, no clock, no random."""
