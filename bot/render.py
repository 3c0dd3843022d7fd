"""What people see: the history and settings as embeds. Nothing here talks to Discord."""

import discord

from bot.markup import MAX_TITLE, cut, plain
from bot.store import HistoryPage, StoredRequest
from model import SamplingParams

COLOUR = discord.Colour(0x7C5CFF)

_EXCERPT = 90


def history_embed(page: HistoryPage) -> discord.Embed:
    """List a page of a user's requests, or say that there are none."""
    embed = discord.Embed(title="Your songs", colour=COLOUR)
    if not page.requests:
        embed.description = "Nothing yet: write your first song with `/lyrics`."
        return embed
    for request in page.requests:
        songs = f"{len(request.songs)} song{'s' if len(request.songs) > 1 else ''}"
        embed.add_field(
            name=cut(plain(_title(request)), MAX_TITLE),
            value=f"{plain(excerpt(request))}\n{songs} · {discord.utils.format_dt(request.created_at, 'R')}",
            inline=False,
        )
    return embed.set_footer(text=f"Page {page.number + 1}/{page.num_pages} · only you see this")


def settings_embed(sampling: SamplingParams) -> discord.Embed:
    """List every parameter with the user's value, what it does, and its default where that differs."""
    embed = discord.Embed(title="Your settings", colour=COLOUR)
    for name, field in SamplingParams.model_fields.items():
        value = "a new one each time" if name == "seed" and sampling.seed is None else getattr(sampling, name)
        default = "" if name not in sampling.model_fields_set or name == "seed" else f" (default {field.default})"
        embed.add_field(name=name, value=f"**{value}**{default}\n{field.description}", inline=False)
    return embed.set_footer(text="Change one with /settings, or go back with /settings reset")


def excerpt(request: StoredRequest) -> str:
    """Return the beginning of the first song on one line."""
    return cut(" / ".join(line for line in request.songs[0].lyric.splitlines() if line), _EXCERPT)


def _title(request: StoredRequest) -> str:
    return request.header.title or request.prompt.strip().splitlines()[0]
