"""Rules of a report, with no I/O, clock or chance: the content, its states, its documents, its journey."""
