"""What one trial is and how it is trained; knows nothing of studies, tables, or trackers."""
