"""What members can do: one module a command, and a folder for songs."""

from bot.features.help import Help
from bot.features.lists.history import History
from bot.features.lyrics import Lyrics
from bot.features.privacy import Privacy
from bot.features.retention import Retention
from bot.features.server import Server
from bot.features.settings.settings import Settings

__all__ = ["Help", "History", "Lyrics", "Privacy", "Retention", "Server", "Settings"]
