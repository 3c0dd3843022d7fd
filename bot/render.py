"""What people see: lists and settings as embeds, and text that is safe to show. Nothing here talks to Discord."""

import re

import discord

from bot.store import MARK, ListedSong, ListName, ListPage, StoredRequest
from model import SamplingParams

COLOUR = discord.Colour(0x7C5CFF)

MAX_DESCRIPTION = 4096
MAX_TITLE = 256
"""Discord's limits, in characters."""

_EXCERPT = 90

# What each list is called, and what is said where nothing is in it.
_LISTS: dict[ListName, tuple[str, str]] = {
    "history": ("Your songs", "Nothing yet: write your first song with `/lyrics`."),
    "favourites": ("Your favourites", "None yet: press *Favourite* under a song of yours."),
}

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


def list_embed(name: ListName, page: ListPage, search: str | None) -> discord.Embed:
    """List a page of a member's songs, or say why there are none."""
    title, none_yet = _LISTS[name]
    if search:
        title += f" with “{plain(search)}”"
        none_yet = "None has these words in its lyrics, its prompt or its title: try fewer, or the beginning of one."
    embed = discord.Embed(title=title, colour=COLOUR)
    if not page.songs:
        embed.description = none_yet
        return embed
    for song in page.songs:
        when = discord.utils.format_dt(song.request.created_at, "R")
        embed.add_field(
            name=cut(plain(heading(song.request)), MAX_TITLE),
            value=f"{_marked_excerpt(song)}\n{_which(name, song)} · {when}",
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


def excerpt(song: ListedSong) -> str:
    """Return on one line, unescaped, the words around what was searched for, or the beginning of the song."""
    return _beginning(_one_line(song).replace(MARK, ""))


def heading(request: StoredRequest) -> str:
    """Return what a request is listed by, unescaped: its title, or the first line of its prompt."""
    return (request.header.title or "").strip() or request.prompt.strip().splitlines()[0]


def plain(text: str) -> str:
    """Escape text, whoever wrote it, so that it shows as it stands: no markup, mention, invite or link."""
    return _LINE_START.sub(r"\1\\\2", _LIVE.sub(r"\\\g<0>", sendable(text)))


def sendable(text: str) -> str:
    """Return text that Discord and SQLite take: its line breaks in one spelling, and no control characters."""
    return _UNSENDABLE.sub("", _LINE_BREAK.sub("\n", text))


def cut(text: str, limit: int) -> str:
    """Return text of at most ``limit`` characters, with an ellipsis where some are left out."""
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"


def _marked_excerpt(song: ListedSong) -> str:
    """Return the excerpt for an embed, with what was searched for in bold."""
    pieces = _beginning(_one_line(song)).split(MARK)
    return "".join(f"**{plain(piece)}**" if number % 2 else plain(piece) for number, piece in enumerate(pieces))


def _one_line(song: ListedSong) -> str:
    lines = [line for line in (song.found or song.request.songs[song.number].lyric).splitlines() if line.strip()]
    # What the song is listed by already need not be read twice.
    is_twice = not song.found and len(lines) > 1 and lines[0] == heading(song.request)
    return " / ".join(lines[1:] if is_twice else lines)


def _beginning(line: str) -> str:
    """Return as many whole words of a line as an excerpt has room for; of a word that is too long, its beginning."""
    if len(line) <= _EXCERPT:
        return line
    words = cut(line, _EXCERPT).rpartition(" ")[0]
    return f"{words.rstrip(' /')}…" if words else cut(line, _EXCERPT)


def _which(name: ListName, song: ListedSong) -> str:
    num_songs = len(song.request.songs)
    if num_songs == 1:
        return "1 song"
    is_whole_request = name == "history" and song.found is None
    return f"{num_songs} songs" if is_whole_request else f"Song {song.number + 1} of {num_songs}"
