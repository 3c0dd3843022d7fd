"""One training run: the steps in it, what is saved of it and shown of it."""
