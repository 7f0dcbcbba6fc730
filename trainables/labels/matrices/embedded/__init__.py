"""The embedded speech of the digits' names; README.md says by which engine."""
