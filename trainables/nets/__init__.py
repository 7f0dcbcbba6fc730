"""Networks: image to features."""
