"""``/settings``: each user's own sampling parameters."""

from typing import Literal

import discord
from discord import app_commands
from discord.app_commands import Choice, Range
from discord.ext import commands

from bot.features.settings.controls import change_setting, settings_message, take_preset
from bot.features.settings.embeds import shown
from bot.presets import DESCRIPTIONS, PRESETS, Preset
from bot.rules import Rules
from bot.store import Store
from model.sampling.params import (
    MAX_LENGTH,
    NUM_RETURN_SEQUENCES,
    REPETITION_PENALTY,
    SEED,
    TEMPERATURE,
    TOP_K,
    TOP_P,
)

Parameter = Literal["temperature", "top_k", "top_p", "repetition_penalty", "max_length", "num_return_sequences", "seed"]
"""The parameters by name, for an option of a command."""


class Settings(commands.GroupCog, name="settings", description="How your songs are written"):
    """``show``, ``preset`` and ``reset``, and one subcommand a parameter, what most members want before the rest."""

    def __init__(self, store: Store, rules: Rules) -> None:
        self.store = store
        self.rules = rules

    @app_commands.command()
    async def show(self, interaction: discord.Interaction) -> None:
        """See your settings here, and change them."""
        here = await self.rules.of(interaction)
        await interaction.response.send_message(**settings_message(here.settings), ephemeral=True)

    @app_commands.command()
    @app_commands.describe(name="How the songs will be")
    @app_commands.choices(name=[Choice(name=f"{name}: {text}", value=name) for name, text in DESCRIPTIONS.items()])
    async def preset(self, interaction: discord.Interaction, name: Preset) -> None:
        """Set temperature, top_k, top_p and repetition_penalty together."""
        await take_preset(self.rules, interaction, PRESETS[name])
        values = PRESETS[name].model_dump(exclude_unset=True)
        listed = " · ".join(f"{parameter} {value}" for parameter, value in values.items())
        await interaction.response.send_message(
            f"Your preset is now **{name}**: {DESCRIPTIONS[name]}.\n-# {listed}", ephemeral=True
        )

    @app_commands.command()
    @app_commands.describe(value="0.1 is safe, 2 is wild")
    async def temperature(
        self, interaction: discord.Interaction, value: Range[float, TEMPERATURE.ge, TEMPERATURE.le]
    ) -> None:
        """Set how daring the words are."""
        await self._set(interaction, "temperature", value)

    @app_commands.command()
    @app_commands.describe(value="Tokens a song, a token being about four letters")
    async def max_length(
        self, interaction: discord.Interaction, value: Range[int, MAX_LENGTH.ge, MAX_LENGTH.le]
    ) -> None:
        """Set how long a song may get, at most up to the model's own limit."""
        await self._set(interaction, "max_length", value)

    @app_commands.command()
    @app_commands.describe(value="Songs a request")
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
    @app_commands.describe(value="A probability; 1 turns the limit off")
    async def top_p(self, interaction: discord.Interaction, value: Range[float, TOP_P.ge, TOP_P.le]) -> None:
        """Choose among the likeliest tokens that together reach this probability."""
        await self._set(interaction, "top_p", value)

    @app_commands.command()
    @app_commands.describe(value="How many; 0 turns the limit off")
    async def top_k(self, interaction: discord.Interaction, value: Range[int, TOP_K.ge, TOP_K.le]) -> None:
        """Choose each token among this many of the likeliest."""
        await self._set(interaction, "top_k", value)

    @app_commands.command()
    @app_commands.describe(value="1 turns it off, 2 is strong")
    async def repetition_penalty(
        self,
        interaction: discord.Interaction,
        value: Range[float, REPETITION_PENALTY.ge, REPETITION_PENALTY.le],
    ) -> None:
        """Hold back tokens that were used before."""
        await self._set(interaction, "repetition_penalty", value)

    @app_commands.command()
    @app_commands.describe(setting="Which one; leave it out for all")
    async def reset(self, interaction: discord.Interaction, setting: Parameter | None = None) -> None:
        """Go back to the defaults."""
        if setting is not None:
            await self.store.set_sampling(interaction.user.id, setting, None)
            sentence = f"Your **{setting}** is back to the default."
        else:
            await self.store.reset_sampling(interaction.user.id)
            sentence = "All your settings are back to the defaults."
        await interaction.response.send_message(sentence, ephemeral=True)

    async def _set(self, interaction: discord.Interaction, name: str, value: float | None) -> None:
        await change_setting(self.rules, interaction, name, value)
        await interaction.response.send_message(f"Your **{name}** is now **{shown(value)}**.", ephemeral=True)
