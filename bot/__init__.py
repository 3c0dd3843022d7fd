"""The Discord bot: ``python -m bot``."""
