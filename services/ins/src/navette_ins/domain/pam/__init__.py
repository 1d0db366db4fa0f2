"""Identities over HL7 v2 (IHE PAM France): what a message says, what it may change, what is told (spec/ins.md §7)."""
