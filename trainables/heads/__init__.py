"""Heads: what the network emits."""
