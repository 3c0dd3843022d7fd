"""What people see: the history and settings as embeds, and text that is safe to show. Nothing here talks to Discord."""

import re

import discord

from bot.store import HistoryPage, StoredRequest
from model import SamplingParams

COLOUR = discord.Colour(0x7C5CFF)

MAX_DESCRIPTION = 4096
MAX_TITLE = 256
"""Discord's limits, in characters."""

_EXCERPT = 90

# The places where a backslash keeps markup, a mention, an address, an invite or a masked link from coming alive.
# discord.py's escape_markdown leaves some of these, and everything inside of a masked link.
_LIVE = re.compile(
    r"[\\*_~`|<#]|@(?=everyone|here)|(?<=\])\(|(?<=:)/(?=/)|(?<=discord)\.(?=gg|com)|(?<=discordapp)\.(?=com)"
    r"|(?<=\d)[.)](?=\s|$)",
    re.IGNORECASE | re.MULTILINE,
)
_LINE_START = re.compile(r"^(\s*)([>+=-])", re.MULTILINE)

_LINE_BREAK = re.compile(r"\r\n|[\r\u2028\u2029]")

# Control characters and halves of surrogate pairs, which Discord or SQLite would refuse.
_UNSENDABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


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


def plain(text: str) -> str:
    """Escape text, whoever wrote it, so that it shows as it stands: no markup, mention, invite or link."""
    return _LINE_START.sub(r"\1\\\2", _LIVE.sub(r"\\\g<0>", sendable(text)))


def sendable(text: str) -> str:
    """Return text that Discord and SQLite take: its line breaks in one spelling, and no control characters."""
    return _UNSENDABLE.sub("", _LINE_BREAK.sub("\n", text))


def _title(request: StoredRequest) -> str:
    return request.header.title or request.prompt.strip().splitlines()[0]


def cut(text: str, limit: int) -> str:
    """Return text of at most ``limit`` characters, with an ellipsis where some are left out."""
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"
