"""Tables of one's own data, which no paper has printed."""
