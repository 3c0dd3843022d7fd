"""Fine-tunes GPT-2 on lyrics: ``python -m train fit --help``."""
