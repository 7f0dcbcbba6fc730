"""One file for each published table or figure."""
