"""What members can do: one module a command, and a folder for songs."""

from bot.features.history import History
from bot.features.lyrics import Lyrics
from bot.features.settings import Settings

__all__ = ["History", "Lyrics", "Settings"]
