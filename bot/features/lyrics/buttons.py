"""The buttons and the menu under songs. What they carry is in their custom ids; what they do, in ``SongActions``."""

import re
from typing import Self, get_args

import discord
from discord.ui import Button, DynamicItem, View

from bot.handling.interaction import Interaction
from bot.handling.items import Reported
from bot.handling.songs import Action

ACTIONS: tuple[Action, ...] = get_args(Action)


class SongButton(
    Reported,
    DynamicItem[Button[View]],
    template=r"song:(?P<request>\d+):(?P<number>-?\d+)(?:\.(?P<part>-?\d+))?(?::(?P<action>[a-z]+))?",
):
    """Does something with song ``number`` of a request, or with the ``part`` of it that is shown."""

    def __init__(
        self,
        request_id: int,
        number: int,
        part: int = 0,
        action: Action = "turn",
        *,
        label: str = "",
        style: discord.ButtonStyle = discord.ButtonStyle.secondary,
        disabled: bool = False,
        row: int | None = None,
    ) -> None:
        place = f"{number}.{part}" if part else f"{number}"
        action_id = "" if action == "turn" else f":{action}"
        custom_id = f"song:{request_id}:{place}{action_id}"
        super().__init__(Button(label=label, style=style, custom_id=custom_id, disabled=disabled, row=row))
        self.request_id = request_id
        self.number = number
        self.part = part
        self.action = action

    @classmethod
    def _from_match(cls, match: re.Match[str], /) -> Self:
        action: Action = next((known for known in ACTIONS if known == match["action"]), "turn")
        return cls(int(match["request"]), int(match["number"]), int(match["part"] or 0), action)

    async def respond(self, interaction: Interaction) -> None:
        """Do it, where the song is the clicking member's own."""
        await interaction.client.songs.press(interaction, self.action, self.request_id, self.number, self.part)


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


class CopyButton(Reported, DynamicItem[Button[View]], template=r"copy:(?P<request>\d+):(?P<number>\d+)"):
    """Gives a copy of another member's songs to whoever clicks."""

    def __init__(self, request_id: int, number: int) -> None:
        custom_id = f"copy:{request_id}:{number}"
        super().__init__(Button(label="Get a copy of my own", style=discord.ButtonStyle.primary, custom_id=custom_id))
        self.request_id = request_id
        self.number = number

    @classmethod
    def _from_match(cls, match: re.Match[str], /) -> Self:
        return cls(int(match["request"]), int(match["number"]))

    async def respond(self, interaction: Interaction) -> None:
        """Show the copy."""
        await interaction.client.songs.copy(interaction, self.request_id, self.number)
