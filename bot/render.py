"""What people see: requests and settings as embeds. Nothing here talks to Discord."""

import re

import discord
from discord.utils import escape_markdown

from bot.store import HistoryPage, StoredRequest
from model import Header, SamplingParams

COLOUR = discord.Colour(0x7C5CFF)

MAX_DESCRIPTION = 4096
MAX_TITLE = 256
"""Discord's limits, in characters."""

_EXCERPT = 90

# The places where a backslash keeps a mention, an address, an invite or a masked link from coming alive;
# escape_markdown leaves these, and all but the first masked link of a line.
_LIVE = re.compile(r"(?=<)|(?=@everyone|@here)|(?<=:)(?=//)|(?<=discord)(?=\.(?:gg|com))|(?<=\])(?=\()", re.IGNORECASE)


def songs_embed(request: StoredRequest, number: int) -> discord.Embed:
    """Show song ``number`` (from 0) of a finished request, with its place and its parameters in the footer."""
    before, after = _around_prompt(request.songs[number].lyric, request.prompt)
    embed = discord.Embed(
        title=request.header.title and _cut(plain(request.header.title), MAX_TITLE),
        # In bold stands what the member wrote.
        description=_fit(f"{plain(before)}**{plain(request.prompt)}**{plain(after)}"),
        colour=COLOUR,
    )
    for name, value in request.header.items():
        if name != "title":
            embed.add_field(name=name.capitalize(), value=plain(value))
    return embed.set_footer(text=f"{number + 1}/{len(request.songs)} · {_parameters(request.sampling)}")


def history_embed(page: HistoryPage) -> discord.Embed:
    """List a page of a user's requests, or say that there are none."""
    embed = discord.Embed(title="Your songs", colour=COLOUR)
    if not page.requests:
        embed.description = "Nothing yet: write your first song with `/lyrics`."
        return embed
    for request in page.requests:
        songs = f"{len(request.songs)} song{'s' if len(request.songs) > 1 else ''}"
        embed.add_field(
            name=_cut(plain(_title(request)), MAX_TITLE),
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


def left_out_notice(asked: Header, kept: Header) -> str | None:
    """Say which header fields were left out because the served checkpoint was not trained with them."""
    names = [name for name, _ in asked.items() if getattr(kept, name) is None]
    if not names:
        return None
    return f"-# This model was not trained with {' or '.join(names)}, so that was left out."


def excerpt(request: StoredRequest) -> str:
    """Return the beginning of the first song on one line."""
    return _cut(" / ".join(line for line in request.songs[0].lyric.splitlines() if line), _EXCERPT)


def plain(text: str) -> str:
    """Escape text, whoever wrote it, so that it shows as it stands: no markup, mention, invite or link."""
    return _LIVE.sub(r"\\", escape_markdown(text, ignore_links=False))


def _around_prompt(lyric: str, prompt: str) -> tuple[str, str]:
    """Return what stands before the prompt, an opening tag or nothing, and what was written after it."""
    tag = "" if lyric.startswith(prompt) else f"{lyric.partition(chr(10))[0]}\n"
    return tag, lyric.removeprefix(tag).removeprefix(prompt)


def _title(request: StoredRequest) -> str:
    return request.header.title or request.prompt.strip().splitlines()[0]


def _parameters(sampling: SamplingParams) -> str:
    return (
        f"temperature {sampling.temperature:g} · top-k {sampling.top_k} · top-p {sampling.top_p:g} · "
        f"repetition penalty {sampling.repetition_penalty:g} · {sampling.max_length} tokens · seed {sampling.seed}"
    )


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"


def _fit(lyric: str) -> str:
    """Cut a lyric that is over Discord's limit at the last line end that fits, if that leaves most of it."""
    if len(lyric) <= MAX_DESCRIPTION:
        return lyric
    kept = lyric[: MAX_DESCRIPTION - len("\n…")]
    line_end = kept.rfind("\n")
    return f"{kept[:line_end] if line_end > MAX_DESCRIPTION // 2 else kept}\n…"
