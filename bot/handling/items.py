"""What every button and menu of the bot has in common."""

import re
from collections.abc import Awaitable, Callable
from typing import Any, Self

import discord
from discord.ui import Item, Modal

from bot.handling.interaction import Interaction
from bot.handling.tree import report_error

FORM_OPEN = 900.0
"""Seconds that a form may be filled in; discord.py cannot know of one that was closed, and would keep it for ever."""


class Reported:
    """Sends the errors of a dynamic item the way of all others; discord.py would only log them.

    A dynamic item is made from its custom id alone, so it works on a message of any age and after a restart, and
    asks the bot, ``interaction.client``, for everything else.
    """

    @classmethod
    async def from_custom_id(
        cls, _interaction: discord.Interaction[Any], _item: Item[Any], match: re.Match[str], /
    ) -> Self:
        """Make the item of a message that was sent before, perhaps by an earlier process."""
        return cls._from_match(match)

    @classmethod
    def _from_match(cls, match: re.Match[str], /) -> Self:
        """Make the item from its custom id, as the template takes it apart."""
        raise NotImplementedError

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Answer the click."""
        await _report_errors(interaction, self.respond)

    async def respond(self, interaction: Interaction) -> None:
        """Do what the item is for."""
        raise NotImplementedError


class ReportedModal(Modal):
    """A form whose errors are sent the way of all others; it waits a while to be filled in, and is then forgotten."""

    def __init__(self, title: str) -> None:
        super().__init__(title=title, timeout=FORM_OPEN)

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        """Answer the form."""
        await _report_errors(interaction, self.respond)

    async def respond(self, interaction: Interaction) -> None:
        """Do what the form is for."""
        raise NotImplementedError


async def _report_errors(interaction: Interaction, respond: Callable[[Interaction], Awaitable[None]]) -> None:
    interaction.client.tree.remember_handler()
    try:
        await respond(interaction)
    except Exception as error:  # noqa: BLE001 - the one place for them decides
        await report_error(interaction, error)


def is_private(interaction: discord.Interaction) -> bool:
    """Whether the message that was clicked is one that only the clicking member sees."""
    return interaction.message is not None and interaction.message.flags.ephemeral
