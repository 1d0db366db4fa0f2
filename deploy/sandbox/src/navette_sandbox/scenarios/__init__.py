"""What the demonstration plays: fictitious reports, the people they are about, and eleven scenarios."""
