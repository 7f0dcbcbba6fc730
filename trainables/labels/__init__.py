"""What the classes are like, before any image is seen."""
