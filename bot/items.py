"""What every button and menu of the bot has in common."""

from typing import Any

import discord

from bot.tree import report_error


class Reported:
    """Sends the errors of a dynamic item the way of all others; discord.py would only log them.

    A dynamic item is made from its custom id alone, so it works on a message of any age and after a restart, and
    asks the bot, ``interaction.client``, for everything else.
    """

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Answer the click."""
        interaction.client.tree.remember_handler()
        try:
            await self.respond(interaction)
        except Exception as error:  # noqa: BLE001 - the one place for them decides
            await report_error(interaction, error)

    async def respond(self, interaction: discord.Interaction[Any]) -> None:
        """Do what the item is for."""
        raise NotImplementedError


def is_private(interaction: discord.Interaction[Any]) -> bool:
    """Whether the message that was clicked is one that only the clicking member sees."""
    return interaction.message is not None and interaction.message.flags.ephemeral
