"""The tables and figures on advisor networks (Ricci et al.)."""
