"""``/privacy``: what is kept about a member, given to them as a file, and deleted."""

import asyncio
import gzip
import io
import json
import re
from typing import Any, Self

import discord
from discord import app_commands
from discord.ext import commands
from discord.ui import Button, DynamicItem, View

from bot.handling.interaction import Interaction
from bot.handling.items import Reported
from bot.look import COLOUR
from bot.store import Counts, Store
from model import LyricsError

_FILE = "lyrics-data.json"

_NOUNS = {
    "request": ("request", "requests"),
    "song": ("song", "songs"),
    "favourite": ("favourite", "favourites"),
    "user_sampling": ("set of settings", "sets of settings"),
}
"""What a row of a table is called; one that is not here, by its table's name."""


class Privacy(
    commands.GroupCog, name="privacy", description="Get everything that is kept about you, or have it deleted"
):
    """Gives members what is kept about them, and deletes it."""

    def __init__(self, store: Store) -> None:
        self.store = store

    @app_commands.command()
    async def export(self, interaction: discord.Interaction) -> None:
        """Get everything that is kept about you, as a JSON file."""
        await interaction.response.defer(thinking=True, ephemeral=True)
        data = await self.store.personal_data(interaction.user.id)
        about = {"user_id": str(interaction.user.id), "exported_at": interaction.created_at.isoformat()}
        # Off the event loop, as a long history takes a while.
        file = await asyncio.to_thread(data_file, about | data, interaction.filesize_limit)
        await interaction.edit_original_response(content="Everything that is kept about you:", attachments=[file])

    @app_commands.command()
    async def forget(self, interaction: discord.Interaction) -> None:
        """Delete everything that is kept about you, once you have confirmed it."""
        counts = await self.store.personal_counts(interaction.user.id)
        if not counts:
            raise LyricsError("Nothing is kept about you.")
        view = View(timeout=None)
        view.add_item(ForgetButton("yes"))
        view.add_item(ForgetButton("no"))
        await interaction.response.send_message(embed=_question(counts), view=view, ephemeral=True)


class ForgetButton(Reported, DynamicItem[Button[View]], template="forget:(?P<answer>yes|no)"):
    """Deletes everything about the member who clicks, or does not."""

    def __init__(self, answer: str) -> None:
        label, style = "Keep everything", discord.ButtonStyle.secondary
        if answer == "yes":
            label, style = "Delete everything", discord.ButtonStyle.danger
        super().__init__(Button(label=label, style=style, custom_id=f"forget:{answer}"))
        self.answer = answer

    @classmethod
    def _from_match(cls, match: re.Match[str], /) -> Self:
        return cls(match["answer"])

    async def respond(self, interaction: Interaction) -> None:
        """Delete, and say what went."""
        await interaction.response.defer()  # A long history takes a while to delete.
        said = "Nothing was deleted."
        if self.answer == "yes":
            bot = interaction.client
            counts = await bot.store.forget(interaction.user.id, writing=bot.songs.writing)
            said = f"Deleted: {in_words(counts)}." if counts else "Nothing is kept about you any more."
        embed = discord.Embed(description=said, colour=COLOUR)
        await interaction.edit_original_response(embed=embed, view=None)


def data_file(data: dict[str, Any], limit: int) -> discord.File:
    """Return data as a JSON file, packed where it is over Discord's limit.

    Raises:
        LyricsError: Where it is over the limit even so.
    """
    name, content = _FILE, json.dumps(data, ensure_ascii=False, indent=2).encode()
    if len(content) > limit:
        name, content = f"{_FILE}.gz", gzip.compress(content)
    if len(content) > limit:
        raise LyricsError(
            f"What is kept about you takes {len(content) / 2**20:.0f} MiB even when packed, and Discord takes "
            f"{limit / 2**20:.0f}: ask the bot's host for it."
        )
    return discord.File(io.BytesIO(content), name)


def in_words(counts: Counts) -> str:
    """Say how many rows of each table, as a member would."""
    said = []
    for table, count in counts.items():
        one, many = _NOUNS.get(table, (f"row of {table}", f"rows of {table}"))
        said.append(f"{count:,} {one if count == 1 else many}")
    return ", ".join(said)


def _question(counts: Counts) -> discord.Embed:
    embed = discord.Embed(title="Delete everything that is kept about you?", colour=COLOUR)
    embed.description = (
        f"This deletes **{in_words(counts)}**, for good. It cannot delete messages in Discord, whose buttons no longer "
        "work then, nor the copies that others took of your songs. `/privacy export` gives you all of it first."
    )
    return embed
