"""Losses: how far the output is from the target."""
