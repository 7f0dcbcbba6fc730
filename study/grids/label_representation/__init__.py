"""The tables and figures on matrices as labels (Chen et al.)."""

PREFIX = "label"
