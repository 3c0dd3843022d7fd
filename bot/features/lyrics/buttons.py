"""The buttons and the menu under songs. What they carry is in their custom ids; what they do, in ``SongActions``."""

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, get_args

import discord
from discord.ui import Button, DynamicItem, Item, View

from bot.items import Reported
from model import LyricsError

if TYPE_CHECKING:  # The messages that Songs shows have these buttons in them.
    from bot.features.lyrics.actions import SongActions

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

ACTIONS: tuple[Action, ...] = get_args(Action)


def _songs(interaction: discord.Interaction[Any]) -> "SongActions":
    songs: SongActions = interaction.client.songs
    return songs


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


class SongButton(
    Reported,
    DynamicItem[Button[View]],
    template=rf"song:{SongPlace.TEMPLATE}(?::(?P<action>[a-z]+))?",
):
    """Does something with the song at a place."""

    def __init__(
        self,
        place: SongPlace,
        action: Action = "turn",
        *,
        label: str = "",
        style: discord.ButtonStyle = discord.ButtonStyle.secondary,
        disabled: bool = False,
        row: int | None = None,
    ) -> None:
        action_id = "" if action == "turn" else f":{action}"
        super().__init__(
            Button(label=label, style=style, custom_id=f"song:{place}{action_id}", disabled=disabled, row=row)
        )
        self.place = place
        self.action = action

    @classmethod
    async def from_custom_id(
        cls, _interaction: discord.Interaction[Any], _item: Item[Any], match: re.Match[str], /
    ) -> Self:
        """Make the button of a message that was sent before, perhaps by an earlier process."""
        action: Action = next((known for known in ACTIONS if known == match["action"]), "turn")
        return cls(SongPlace.from_match(match), action)

    async def respond(self, interaction: discord.Interaction[Any]) -> None:
        """Do it, where the song is the clicking member's own."""
        await _songs(interaction).press(interaction, self.action, self.place)


class StopButton(Reported, DynamicItem[Button[View]], template=r"stop:(?P<request>\d+)"):
    """Ends a request that is being written, and keeps what is there."""

    def __init__(self, request_id: int) -> None:
        super().__init__(Button(label="Stop", style=discord.ButtonStyle.danger, custom_id=f"stop:{request_id}"))
        self.request_id = request_id

    @classmethod
    async def from_custom_id(
        cls, _interaction: discord.Interaction[Any], _item: Item[Any], match: re.Match[str], /
    ) -> Self:
        """Make the button of a message that was sent before, perhaps by an earlier process."""
        return cls(int(match["request"]))

    async def respond(self, interaction: discord.Interaction[Any]) -> None:
        """Stop the request, where it is the clicking member's own."""
        await _songs(interaction).stop(interaction, self.request_id)


class CopyButton(Reported, DynamicItem[Button[View]], template=f"copy:{SongPlace.TEMPLATE}"):
    """Gives a copy of another member's songs to whoever clicks."""

    def __init__(self, place: SongPlace) -> None:
        super().__init__(
            Button(label="Get a copy of my own", style=discord.ButtonStyle.primary, custom_id=f"copy:{place}", row=1)
        )
        self.place = place

    @classmethod
    async def from_custom_id(
        cls, _interaction: discord.Interaction[Any], _item: Item[Any], match: re.Match[str], /
    ) -> Self:
        """Make the button of a message that was sent before, perhaps by an earlier process."""
        return cls(SongPlace.from_match(match))

    async def respond(self, interaction: discord.Interaction[Any]) -> None:
        """Show the copy."""
        await _songs(interaction).copy(interaction, self.place)


class TakeDownButton(Reported, DynamicItem[Button[View]], template=r"take-down:(?P<user>\d+)"):
    """Deletes a public message, for the member whose it is; it works when their songs are no longer kept, too."""

    def __init__(self, user_id: int) -> None:
        super().__init__(Button(label="Take down", custom_id=f"take-down:{user_id}", row=3))
        self.user_id = user_id

    @classmethod
    async def from_custom_id(
        cls, _interaction: discord.Interaction[Any], _item: Item[Any], match: re.Match[str], /
    ) -> Self:
        """Make the button of a message that was sent before, perhaps by an earlier process."""
        return cls(int(match["user"]))

    async def respond(self, interaction: discord.Interaction[Any]) -> None:
        """Delete the message the button is under."""
        if interaction.user.id != self.user_id:
            raise LyricsError("This is another member's: only they can take it down, and those who manage messages.")
        await interaction.response.defer()
        await interaction.delete_original_response()
        await interaction.followup.send("Taken down. `/history` has the song, as long as it is kept.", ephemeral=True)
