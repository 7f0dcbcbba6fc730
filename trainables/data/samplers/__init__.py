"""Rules by which training images are drawn for an epoch, one file each."""
