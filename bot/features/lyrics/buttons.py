"""The buttons and the menu under songs. What they carry is in their custom ids; what they do, in ``SongActions``."""

import re
from typing import Self, get_args

import discord
from discord.ui import Button, DynamicItem, View

from bot.handling.interaction import Interaction
from bot.handling.items import Reported
from bot.handling.songs import Action, SongPlace
from model import LyricsError

ACTIONS: tuple[Action, ...] = get_args(Action)


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
    def _from_match(cls, match: re.Match[str], /) -> Self:
        action: Action = next((known for known in ACTIONS if known == match["action"]), "turn")
        return cls(SongPlace.from_match(match), action)

    async def respond(self, interaction: Interaction) -> None:
        """Do it, where the song is the clicking member's own."""
        await interaction.client.songs.press(interaction, self.action, self.place)


class StopButton(Reported, DynamicItem[Button[View]], template=r"stop:(?P<request>\d+)"):
    """Ends a request that is being written, and keeps what is there."""

    def __init__(self, request_id: int) -> None:
        super().__init__(Button(label="Stop", style=discord.ButtonStyle.danger, custom_id=f"stop:{request_id}"))
        self.request_id = request_id

    @classmethod
    def _from_match(cls, match: re.Match[str], /) -> Self:
        return cls(int(match["request"]))

    async def respond(self, interaction: Interaction) -> None:
        """Stop the request, where it is the clicking member's own."""
        await interaction.client.songs.stop(interaction, self.request_id)


class CopyButton(Reported, DynamicItem[Button[View]], template=f"copy:{SongPlace.TEMPLATE}"):
    """Gives a copy of another member's songs to whoever clicks."""

    def __init__(self, place: SongPlace) -> None:
        super().__init__(
            Button(label="Get a copy of my own", style=discord.ButtonStyle.primary, custom_id=f"copy:{place}", row=1)
        )
        self.place = place

    @classmethod
    def _from_match(cls, match: re.Match[str], /) -> Self:
        return cls(SongPlace.from_match(match))

    async def respond(self, interaction: Interaction) -> None:
        """Show the copy."""
        await interaction.client.songs.copy(interaction, self.place)


class TakeDownButton(Reported, DynamicItem[Button[View]], template=r"take-down:(?P<user>\d+)"):
    """Deletes a public message, for the member whose it is; it works when their songs are no longer kept, too."""

    def __init__(self, user_id: int) -> None:
        super().__init__(Button(label="Take down", custom_id=f"take-down:{user_id}", row=3))
        self.user_id = user_id

    @classmethod
    def _from_match(cls, match: re.Match[str], /) -> Self:
        return cls(int(match["user"]))

    async def respond(self, interaction: Interaction) -> None:
        """Delete the message the button is under."""
        if interaction.user.id != self.user_id:
            raise LyricsError("This is another member's: only they can take it down, and those who manage messages.")
        await interaction.response.defer()
        await interaction.delete_original_response()
        await interaction.followup.send("Taken down. `/history` has the song, as long as it is kept.", ephemeral=True)
