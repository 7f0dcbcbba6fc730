"""Rules that make classes unequal, one file each."""
