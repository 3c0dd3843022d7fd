"""Songs as tokens, and tokens as batches."""
