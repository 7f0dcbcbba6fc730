"""What the trials say: runs, tables, figures, the report."""
