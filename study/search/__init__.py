"""Hyper-parameter search: Optuna's ask and tell over a persistent storage."""
