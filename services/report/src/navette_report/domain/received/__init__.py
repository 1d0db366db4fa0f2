"""Documents of others: what a correspondent, the DMP or a file brought about a patient, kept apart from our reports."""
