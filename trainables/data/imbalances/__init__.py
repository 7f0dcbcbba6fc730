"""Rules by which training labels are made wrong, one file each."""
