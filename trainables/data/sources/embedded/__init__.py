"""The embedded digits; README.md says whose they are."""
