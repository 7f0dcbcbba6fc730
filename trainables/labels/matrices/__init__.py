"""Label matrices: an array of numbers stands for each class (`label_representation`)."""
