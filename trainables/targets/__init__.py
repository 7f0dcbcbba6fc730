"""Targets: what the network should emit."""
