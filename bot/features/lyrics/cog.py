"""``/lyrics`` and *Continue as lyrics*: songs from a prompt."""

from collections.abc import Callable, Coroutine
from typing import Any

import discord
from discord import app_commands
from discord.app_commands import Choice, Range
from discord.ext import commands

from bot.features.lyrics.suggestions import suggest
from bot.features.lyrics.writing.request import MemberRequest, check_prompt
from bot.features.lyrics.writing.writer import Writer
from bot.handling.interaction import Interaction
from bot.markup import as_written, ending, sendable
from bot.rules import Rules
from model import HEADER_FIELDS, Header, LyricsError, LyricsService
from model.sampling.params import MAX_LENGTH, NUM_RETURN_SEQUENCES, SEED

MAX_PROMPT = 300
MAX_HEADER_VALUE = 100
"""In characters."""

HeaderValue = Range[str, 1, MAX_HEADER_VALUE]


def suggesting(field: str) -> Callable[[Interaction, str], Coroutine[Any, Any, list[Choice[str]]]]:
    """Return what discord.py asks while a member types a header field."""

    async def autocomplete(interaction: Interaction, typed: str) -> list[Choice[str]]:
        checkpoint = interaction.client.service.checkpoint
        return [Choice(name=shown, value=sent) for shown, sent in suggest(checkpoint, field, typed)]

    return autocomplete


class Lyrics(commands.Cog):
    """Turns a member's prompt, or any message, into songs."""

    def __init__(self, rules: Rules, service: LyricsService, writer: Writer) -> None:
        self.rules = rules
        self.service = service
        self.writer = writer
        # To be added to the tree, where discord.py does not look for it in a cog by itself.
        self.menu = app_commands.ContextMenu(name="Continue as lyrics", callback=self.continue_as_lyrics)

    @app_commands.command()
    @app_commands.autocomplete(**{field: suggesting(field) for field in HEADER_FIELDS if field != "title"})
    @app_commands.describe(
        prompt="The opening words of the song",
        title="What the song is called",
        genre="Say country, folk or hip hop",
        mood="Say hopeful, bittersweet or proud",
        theme="What the song is about",
        artist="In whose manner",
        seed="The same seed, prompt and settings give the same songs",
        songs="How many songs, this time",
        length="Tokens a song, this time; a token is about four letters",
        private="Only you see the songs",
    )
    async def lyrics(
        self,
        interaction: discord.Interaction,
        prompt: Range[str, 1, MAX_PROMPT],
        title: HeaderValue | None = None,
        genre: HeaderValue | None = None,
        mood: HeaderValue | None = None,
        theme: HeaderValue | None = None,
        artist: HeaderValue | None = None,
        seed: Range[int, SEED.ge, SEED.le] | None = None,
        songs: Range[int, NUM_RETURN_SEQUENCES.ge, NUM_RETURN_SEQUENCES.le] | None = None,
        length: Range[int, MAX_LENGTH.ge, MAX_LENGTH.le] | None = None,
        private: bool | None = None,  # noqa: FBT001 - an option of a command
    ) -> None:
        """Write songs that open with your words."""
        check_prompt(prompt)
        here = await self.rules.for_songs(interaction)
        sampling = here.settings.this_time(seed=seed, num_return_sequences=songs, max_length=length)
        async with self.writer.reply(interaction, private=here.server.private if private is None else private) as reply:
            header = Header(title, genre, mood, theme, artist)
            await self.writer.write(reply, MemberRequest.new(self.service.checkpoint, prompt, header, sampling))

    @app_commands.command()
    async def stop(self, interaction: discord.Interaction) -> None:
        """Stop what is being written for you, and keep what is there."""
        count = self.writer.stop_all(interaction.user.id)
        said = {0: "Nothing is being written for you.", 1: "Stopped: what is there stays."}
        await interaction.response.send_message(
            said.get(count, f"Stopped {count} requests: what is there stays."), ephemeral=True
        )

    async def continue_as_lyrics(self, interaction: discord.Interaction, message: discord.Message) -> None:
        """Write songs that open with the text of a message, or with the end of a long one."""
        prompt = ending(sendable(_text_of(message)).strip(), MAX_PROMPT)
        if not prompt:
            raise LyricsError("That message has no text to go on from.")
        check_prompt(prompt)
        here = await self.rules.for_songs(interaction)
        async with self.writer.reply(interaction, private=here.server.private) as reply:
            sampling = here.settings.sampling
            await self.writer.write(reply, MemberRequest.new(self.service.checkpoint, prompt, Header(), sampling))


def _text_of(message: discord.Message) -> str:
    """Return what a message says; what a song of a bot's says stands in its embed, escaped."""
    shown = message.embeds[0].description if message.author.bot and message.embeds else None
    return as_written(shown) if shown else message.clean_content
