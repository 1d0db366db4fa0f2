"""Rules of the sign-on: no input, no output, no clock, no chance."""
