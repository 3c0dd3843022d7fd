"""What people see: lists as embeds. Nothing here talks to Discord."""

import discord

from bot.markup import MAX_TITLE, cut, plain, sendable
from bot.store import MARK, ListedSong, ListName, ListPage, StoredRequest
from model.song import SECTION_TAG

COLOUR = discord.Colour(0x7C5CFF)

_EXCERPT = 90

# What each list is called, and what is said where nothing is in it.
_LISTS: dict[ListName, tuple[str, str]] = {
    "history": ("Your songs", "Nothing yet: write your first song with `/lyrics`."),
    "favourites": ("Your favourites", "None yet: press *Favourite* under a song of yours."),
}


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


def excerpt(song: ListedSong) -> str:
    """Return on one line, unescaped, the words around what was searched for, or the beginning of the song."""
    return sendable(_beginning(_one_line(song)))


def heading(request: StoredRequest) -> str:
    """Return what a request is listed by, unescaped: its title, or the first line of its prompt."""
    words = (request.header.title or "").strip() or request.prompt.strip().splitlines()[0]
    return sendable(words) or "…"


def _marked_excerpt(song: ListedSong) -> str:
    """Return the excerpt for an embed, with what was searched for in bold."""
    pieces = _beginning(_one_line(song)).split(MARK)
    return "".join(f"**{plain(piece)}**" if number % 2 else plain(piece) for number, piece in enumerate(pieces))


def _one_line(song: ListedSong) -> str:
    text = song.found or sendable(song.request.songs[song.number].lyric)
    lines = [line for line in text.splitlines() if line.strip()]
    # One line has no room for section tags, which stand in every song; one that was searched for is marked, and stays.
    lines = [line for line in lines if not SECTION_TAG.fullmatch(line.strip()) or MARK in line] or lines
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
