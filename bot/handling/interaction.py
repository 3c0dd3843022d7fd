"""What a handler may ask of the bot: the type that ``interaction.client`` has wherever it is used."""

from typing import TypeAlias

import discord
from discord.ext import commands

from bot.handling.songs import SongButtons
from bot.handling.tree import LyricsTree
from bot.rules import Rules
from bot.store import Store
from model import LyricsService


class LyricsClient(commands.Bot):
    """The bot, as handlers see it; ``LyricsBot`` is the one that there is."""

    tree: LyricsTree
    store: Store
    rules: Rules
    service: LyricsService
    songs: SongButtons


Interaction: TypeAlias = discord.Interaction[LyricsClient]
"""An interaction whose ``client`` is the bot; what needs no more of that than discord.py's has takes discord.py's."""
