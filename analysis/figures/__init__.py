"""Figures: what a study's trials show, drawn."""
