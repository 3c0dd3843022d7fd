"""``/lyrics``: songs from a prompt."""

import asyncio
from contextlib import aclosing

import discord
from discord import app_commands
from discord.app_commands import Range
from discord.ext import commands

from bot.features.buttons import songs_message
from bot.render import left_out_notice
from bot.store import Store, StoredRequest
from model import (
    Failed,
    Finished,
    GenerationRequest,
    GenerationStopped,
    Header,
    LyricsError,
    LyricsService,
)
from model.sampling import SEED

MAX_PROMPT = 300
MAX_HEADER_VALUE = 100
"""In characters."""

HeaderValue = Range[str, 1, MAX_HEADER_VALUE]


def check_prompt(prompt: str) -> None:
    """Raise ``LyricsError`` where there is nothing to see in the prompt."""
    if not any(character.isprintable() and not character.isspace() for character in prompt):
        raise LyricsError("Please give the song some opening words.")


class Lyrics(commands.Cog):
    """Turns a member's prompt into songs."""

    def __init__(self, store: Store, service: LyricsService) -> None:
        self.store = store
        self.service = service

    @app_commands.command()
    @app_commands.describe(
        prompt="The opening words of the song",
        title="What the song is called",
        genre="Say country, folk or hip hop",
        mood="Say hopeful, bittersweet or proud",
        theme="What the song is about",
        seed="The same seed, prompt and settings give the same songs",
    )
    async def lyrics(
        self,
        interaction: discord.Interaction,
        prompt: Range[str, 1, MAX_PROMPT],
        title: HeaderValue | None = None,
        genre: HeaderValue | None = None,
        mood: HeaderValue | None = None,
        theme: HeaderValue | None = None,
        seed: Range[int, SEED.ge, SEED.le] | None = None,
    ) -> None:
        """Write songs that open with your words."""
        check_prompt(prompt)
        await interaction.response.defer()
        asked = Header(title, genre, mood, theme)
        request = await self.request(interaction.user.id, prompt, asked, seed)
        stored = await self.write(interaction, request)
        notice = left_out_notice(asked, request.header)
        await interaction.edit_original_response(content=notice, **songs_message(stored, 0))

    async def request(self, user_id: int, prompt: str, header: Header, seed: int | None) -> GenerationRequest:
        """Return the wish with the user's own parameters, and without what the checkpoint does not know."""
        sampling = await self.store.sampling(user_id)
        if seed is not None:
            sampling = sampling.model_copy(update={"seed": seed})
        known = frozenset(self.service.checkpoint.header_fields)
        return GenerationRequest(prompt.strip(), header.keep(known), sampling.seeded())

    async def write(self, interaction: discord.Interaction, request: GenerationRequest) -> StoredRequest:
        """Have the songs written, and keep the request from now to its end, whatever that is.

        Raises:
            LyricsError: Where the request was refused, failed or was stopped.
        """
        request_id = await self.store.add_request(
            request,
            user_id=interaction.user.id,
            guild_id=interaction.guild_id,
            channel_id=interaction.channel_id,
            checkpoint=self.service.checkpoint.name,
            created_at=interaction.created_at,
        )
        try:
            return await self.store.finish_request(request_id, await self._finished(request))
        except (Exception, asyncio.CancelledError) as error:
            stopped = isinstance(error, GenerationStopped | asyncio.CancelledError)
            await self.store.end_request(request_id, stopped=stopped, error=str(error) or type(error).__name__)
            raise

    async def _finished(self, request: GenerationRequest) -> Finished:
        async with aclosing(self.service.stream(request)) as updates:
            async for update in updates:
                match update:
                    case Finished():
                        return update
                    case Failed(error):
                        raise error
        raise AssertionError("a stream ends with Finished or Failed")
