"""INSi WS_INS2, search by traits: what is asked, how it is written, what comes back (spec/ins.md §2, §4)."""
