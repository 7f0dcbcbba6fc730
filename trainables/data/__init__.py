"""Data sets, the batches drawn from them, and augmentation."""
