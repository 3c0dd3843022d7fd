"""``/settings``: each user's own sampling parameters."""

import discord
from discord import app_commands
from discord.app_commands import Range
from discord.ext import commands

from bot.render import settings_embed
from bot.store import Store
from model.sampling import (
    MAX_LENGTH,
    NUM_RETURN_SEQUENCES,
    REPETITION_PENALTY,
    SEED,
    TEMPERATURE,
    TOP_K,
    TOP_P,
)


class Settings(commands.GroupCog, name="settings", description="How your songs are written"):
    """One subcommand a parameter, and ``show`` and ``reset``."""

    def __init__(self, store: Store) -> None:
        self.store = store

    @app_commands.command()
    @app_commands.describe(value="0.1 is safe, 2 is wild; 0.7 unless you set it")
    async def temperature(
        self, interaction: discord.Interaction, value: Range[float, TEMPERATURE.ge, TEMPERATURE.le]
    ) -> None:
        """Set how daring the words are."""
        await self._set(interaction, "temperature", value)

    @app_commands.command()
    @app_commands.describe(value="How many; 0 turns the limit off; 50 unless you set it")
    async def top_k(self, interaction: discord.Interaction, value: Range[int, TOP_K.ge, TOP_K.le]) -> None:
        """Choose each token among this many of the likeliest."""
        await self._set(interaction, "top_k", value)

    @app_commands.command()
    @app_commands.describe(value="A probability; 1 turns the limit off; 0.95 unless you set it")
    async def top_p(self, interaction: discord.Interaction, value: Range[float, TOP_P.ge, TOP_P.le]) -> None:
        """Choose among the likeliest tokens that together reach this probability."""
        await self._set(interaction, "top_p", value)

    @app_commands.command()
    @app_commands.describe(value="1 turns it off, 2 is strong; 1.2 unless you set it")
    async def repetition_penalty(
        self,
        interaction: discord.Interaction,
        value: Range[float, REPETITION_PENALTY.ge, REPETITION_PENALTY.le],
    ) -> None:
        """Hold back tokens that were used before."""
        await self._set(interaction, "repetition_penalty", value)

    @app_commands.command()
    @app_commands.describe(value="Tokens a song, a token being about four letters; 100 unless you set it")
    async def max_length(
        self, interaction: discord.Interaction, value: Range[int, MAX_LENGTH.ge, MAX_LENGTH.le]
    ) -> None:
        """Set how long a song may get, at most up to the model's own limit."""
        await self._set(interaction, "max_length", value)

    @app_commands.command()
    @app_commands.describe(value="Songs a request; 3 unless you set it")
    async def num_return_sequences(
        self,
        interaction: discord.Interaction,
        value: Range[int, NUM_RETURN_SEQUENCES.ge, NUM_RETURN_SEQUENCES.le],
    ) -> None:
        """Set how many songs you get."""
        await self._set(interaction, "num_return_sequences", value)

    @app_commands.command()
    @app_commands.describe(value="Leave it out to draw a new one each time")
    async def seed(self, interaction: discord.Interaction, value: Range[int, SEED.ge, SEED.le] | None = None) -> None:
        """Fix the seed: the same prompt and settings then give the same songs."""
        await self._set(interaction, "seed", value)

    @app_commands.command()
    async def show(self, interaction: discord.Interaction) -> None:
        """Show your settings."""
        sampling = await self.store.sampling(interaction.user.id)
        await interaction.response.send_message(embed=settings_embed(sampling), ephemeral=True)

    @app_commands.command()
    async def reset(self, interaction: discord.Interaction) -> None:
        """Bring all your settings back to the defaults."""
        await self.store.reset_sampling(interaction.user.id)
        await interaction.response.send_message("All your settings are back to the defaults.", ephemeral=True)

    async def _set(self, interaction: discord.Interaction, name: str, value: float | None) -> None:
        await self.store.set_sampling(interaction.user.id, name, value)
        shown = "a new one each time" if value is None else value
        await interaction.response.send_message(f"Your **{name}** is now **{shown}**.", ephemeral=True)
