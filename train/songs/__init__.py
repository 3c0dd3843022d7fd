"""Whatever lyrics there are, read as songs."""
