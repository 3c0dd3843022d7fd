"""The checkpoint folder: what is in it, its weights and its tokenizer."""
