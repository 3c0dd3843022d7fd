"""What members can do: one module a command."""

from bot.features.history import History
from bot.features.lyrics import Lyrics
from bot.features.settings import Settings

__all__ = ["History", "Lyrics", "Settings"]
