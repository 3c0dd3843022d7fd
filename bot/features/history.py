"""``/history``: a user's own songs, newest first."""

import discord
from discord import app_commands
from discord.ext import commands

from bot.features.buttons import history_message
from bot.store import Store


class History(commands.Cog):
    """Shows users what was written for them, privately."""

    def __init__(self, store: Store) -> None:
        self.store = store

    @app_commands.command()
    async def history(self, interaction: discord.Interaction) -> None:
        """Look through your own songs, newest first."""
        message = await history_message(self.store, interaction.user.id, page=0)
        await interaction.response.send_message(**message, ephemeral=True)
