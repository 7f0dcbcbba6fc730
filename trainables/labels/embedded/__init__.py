"""The embedded word vectors: a cut of GloVe 6B, 100 numbers a word; README.md says whence."""
