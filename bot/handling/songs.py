"""What the buttons under songs ask of the bot; ``bot.features.lyrics.SongActions`` does it."""

from typing import Literal, Protocol

import discord

Action = Literal[
    "turn", "again", "continue", "variations", "share", "export", "favourite", "unfavourite", "post", "delete", "erase"
]
"""What can be done with a song."""


class CardButtons(Protocol):
    """Answers clicks under a song's card; an unknown style, of an older message, is the first there is."""

    async def restyle(self, interaction: discord.Interaction, request_id: int, number: int, style: str) -> None:
        """Show the card in another style, in place."""

    async def post(self, interaction: discord.Interaction, request_id: int, number: int, style: str) -> None:
        """Post the card in the channel."""


class SongButtons(Protocol):
    """Answers clicks, whoever's they are."""

    @property
    def sharing(self) -> CardButtons:
        """Answers clicks under a song's card."""

    async def press(
        self, interaction: discord.Interaction, action: Action, request_id: int, number: int, part: int
    ) -> None:
        """Do something with a song, or with the part of it that is shown."""

    async def copy(self, interaction: discord.Interaction, request_id: int, number: int) -> None:
        """Give whoever clicks a copy of another member's songs."""

    async def stop(self, interaction: discord.Interaction, request_id: int) -> None:
        """End a request that is being written."""
