"""Tracking: the storage, projected to MLflow."""
