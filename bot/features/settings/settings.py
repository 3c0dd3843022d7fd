"""``/settings``: each user's own sampling parameters."""

from typing import Any

import discord
from discord import app_commands
from discord.app_commands import Choice, Range
from discord.ext import commands

from bot.features.settings.controls import change_setting, settings_message, take_preset
from bot.features.settings.embeds import shown
from bot.rules import Rules
from bot.sampling.parameters import PARAMETERS, Parameter
from bot.sampling.presets import DESCRIPTIONS, PRESETS, Preset
from bot.store import Store


class Settings(commands.GroupCog, name="settings", description="How your songs are written"):
    """``show``, ``preset`` and ``reset``, and one subcommand a parameter, what most members want before the rest."""

    def __init__(self, store: Store, rules: Rules) -> None:
        self.store = store
        self.rules = rules
        assert self.app_command is not None, "it is a group"
        for parameter in PARAMETERS:
            self.app_command.add_command(self._command(parameter))

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
    @app_commands.describe(setting="Which one; leave it out for all")
    @app_commands.choices(setting=[Choice(name=parameter.name, value=parameter.name) for parameter in PARAMETERS])
    async def reset(self, interaction: discord.Interaction, setting: str | None = None) -> None:
        """Go back to the defaults."""
        if setting is not None:
            await self.store.set_sampling(interaction.user.id, setting, None)
            sentence = f"Your **{setting}** is back to the default."
        else:
            await self.store.reset_sampling(interaction.user.id)
            sentence = "All your settings are back to the defaults."
        await interaction.response.send_message(sentence, ephemeral=True)

    def _command(self, parameter: Parameter) -> app_commands.Command[Any, ..., None]:
        """Return the command that sets a parameter."""

        @app_commands.describe(value=parameter.value)
        async def change(interaction: discord.Interaction, value: float | None) -> None:
            await change_setting(self.rules, interaction, parameter.name, value)
            await interaction.response.send_message(
                f"Your **{parameter.name}** is now **{shown(value)}**.", ephemeral=True
            )

        # discord.py makes the command's option of these.
        values: Any = Range[parameter.kind, parameter.bounds.ge, parameter.bounds.le]
        change.__annotations__["value"] = values | None if parameter.optional else values
        change.__defaults__ = (None,) if parameter.optional else None
        return app_commands.Command(name=parameter.name, description=parameter.command, callback=change)
