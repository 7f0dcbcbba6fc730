"""Augmentations, batched on the device."""
