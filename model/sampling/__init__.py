"""How the next token of every song is chosen, by parameters of its own."""
