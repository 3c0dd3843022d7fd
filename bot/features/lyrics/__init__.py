"""Writing songs: the commands that ask for them, the messages that show them, the buttons under those.

``cog`` has the commands and ``buttons`` the buttons; ``Writer`` has songs written and shows them as they come;
``SongActions`` does what the buttons are for. ``request``, ``parts``, ``live`` and ``card`` know nothing
of Discord.
"""

from bot.features.lyrics.actions import SongActions
from bot.features.lyrics.buttons import CopyButton, SongButton, StopButton, TakeDownButton
from bot.features.lyrics.cog import Lyrics
from bot.features.lyrics.message import songs_message
from bot.features.lyrics.picture.sharing import PostButton, StyleSelect
from bot.features.lyrics.writing.writer import Writer

ITEMS = (SongButton, StopButton, CopyButton, TakeDownButton, StyleSelect, PostButton)
"""The buttons and the menu that work under messages of any age."""

__all__ = ["ITEMS", "Lyrics", "SongActions", "Writer", "songs_message"]
