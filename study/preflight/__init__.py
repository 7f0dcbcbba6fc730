"""What is checked, estimated and shown before a trial starts."""
