"""``/history`` and ``/favourites``: a user's own songs, newest first, and searched."""

import discord
from discord import app_commands
from discord.app_commands import Range
from discord.ext import commands

from bot.features.lists.buttons import MAX_SEARCH, list_message
from bot.markup import sendable
from bot.store import ListName, Store

Search = Range[str, 1, MAX_SEARCH]


class History(commands.Cog):
    """Shows users what was written for them, privately."""

    def __init__(self, store: Store) -> None:
        self.store = store

    @app_commands.command()
    @app_commands.describe(search="Words of the lyrics, the prompt or the title; the last may be a beginning")
    async def history(self, interaction: discord.Interaction, search: Search | None = None) -> None:
        """Look through your own songs, newest first: open, post or delete them."""
        await self._show(interaction, "history", search)

    @app_commands.command()
    @app_commands.describe(search="Words of the lyrics, the prompt or the title; the last may be a beginning")
    async def favourites(self, interaction: discord.Interaction, search: Search | None = None) -> None:
        """Look through the songs that you marked with Favourite, the latest first."""
        await self._show(interaction, "favourites", search)

    async def _show(self, interaction: discord.Interaction, name: ListName, search: str | None) -> None:
        words = " ".join(sendable(search or "").split()) or None
        message = await list_message(self.store, name, interaction.user.id, page=0, search=words)
        await interaction.response.send_message(**message, ephemeral=True)
