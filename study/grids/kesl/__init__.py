"""The tables of the KESL poster (Yuan et al., ICPR 2020)."""
