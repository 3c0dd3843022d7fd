"""What the buttons under songs ask of the bot; ``bot.features.lyrics.SongActions`` does it."""

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Protocol, Self

import discord

Action = Literal[
    "turn",
    "again",
    "continue",
    "variations",
    "share",
    "export",
    "favourite",
    "unfavourite",
    "details",
    "post",
    "delete",
    "erase",
]
"""What can be done with a song."""


@dataclass(frozen=True, slots=True)
class SongPlace:
    """Which song of a request a message shows, and which part of it."""

    request_id: int
    number: int
    part: int = 0
    alone: bool = False
    """Whether it is all that the message shows of the request: whoever sees it may see no other song of it."""

    TEMPLATE: ClassVar = r"(?P<request>\d+):(?P<number>-?\d+)(?P<alone>!?)(?:\.(?P<part>-?\d+))?"

    @classmethod
    def from_match(cls, match: re.Match[str]) -> Self:
        """Read the place in a custom id."""
        return cls(int(match["request"]), int(match["number"]), int(match["part"] or 0), bool(match["alone"]))

    def __str__(self) -> str:
        part = f".{self.part}" if self.part else ""
        return f"{self.request_id}:{self.number}{'!' if self.alone else ''}{part}"

    def within(self, num_songs: int) -> Self:
        """Return the place with a song that there is."""
        return replace(self, number=min(max(self.number, 0), num_songs - 1))


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

    @property
    def writing(self) -> Collection[int]:
        """The requests that are being written."""

    async def press(self, interaction: discord.Interaction, action: Action, place: SongPlace) -> None:
        """Do something with the song at a place."""

    async def copy(self, interaction: discord.Interaction, place: SongPlace) -> None:
        """Give whoever clicks a copy of another member's songs."""

    async def stop(self, interaction: discord.Interaction, request_id: int) -> None:
        """End a request that is being written."""
