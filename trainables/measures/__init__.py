"""Measures: what is computed of a finished trial, one a file."""
