"""Training: one trial from its first step to its result, without Ray."""
