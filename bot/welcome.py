"""The first message of the preview: what this is, what to do, and examples to click."""

import re
from typing import Self

import discord
from discord.ui import Button, DynamicItem, View

from bot.client import LyricsBot
from bot.features.lyrics.message import Message
from bot.features.lyrics.writing.request import MemberRequest
from bot.handling.interaction import Interaction
from bot.handling.items import Reported
from bot.look import COLOUR
from model import Header

EXAMPLES = ("Two lanterns on the water", "The last train home", "Summer never asked us")
"""Opening words that a song may come of."""

TEXT = """\
**Click one of the examples**, or type `/lyrics` into the line at the bottom, press Enter, type the opening words of a \
song, and press Enter again. The song appears while it is written, with buttons for what can be done with it.

Then try `/help`, `/settings`, `/history` and `/server` (for admins: *Viewing as* at the top makes you one).

Discord is simulated here, and nothing leaves this machine. The README says how the bot joins a server of yours."""


class ExampleButton(Reported, DynamicItem[Button[View]], template=r"example:(?P<number>\d+)"):
    """Writes a song that opens with one of the examples."""

    def __init__(self, number: int) -> None:
        self.prompt = EXAMPLES[number % len(EXAMPLES)]
        super().__init__(Button(label=self.prompt, style=discord.ButtonStyle.primary, custom_id=f"example:{number}"))

    @classmethod
    def _from_match(cls, match: re.Match[str], /) -> Self:
        return cls(int(match["number"]))

    async def respond(self, interaction: Interaction) -> None:
        """Answer as ``/lyrics`` does."""
        bot = interaction.client
        assert isinstance(bot, LyricsBot), "the preview has no other"
        here = await bot.rules.for_songs(interaction)
        async with bot.writer.reply(interaction, private=here.server.private) as reply:
            asked = MemberRequest.new(bot.service.checkpoint, self.prompt, Header(), here.settings.sampling)
            await bot.writer.write(reply, asked)


def welcome_message() -> Message:
    """Return the message, with a button for each example."""
    view = View(timeout=None)
    for number in range(len(EXAMPLES)):
        view.add_item(ExampleButton(number))
    embed = discord.Embed(title="This is a preview of the bot", description=TEXT, colour=COLOUR)
    return Message(embed=embed, view=view)
