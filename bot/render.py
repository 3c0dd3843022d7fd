"""What people see: lists as embeds. Nothing here talks to Discord."""

import discord

from bot.markup import MAX_TITLE, cut, plain
from bot.store import MARK, ListedSong, ListName, ListPage, StoredRequest

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
    return cut(_one_line(song).replace(MARK, ""), _EXCERPT)


def heading(request: StoredRequest) -> str:
    """Return what a request is listed by, unescaped: its title, or the first line of its prompt."""
    return request.header.title or request.prompt.strip().splitlines()[0]


def _marked_excerpt(song: ListedSong) -> str:
    """Return the excerpt for an embed, with what was searched for in bold."""
    pieces = cut(_one_line(song), _EXCERPT).split(MARK)
    return "".join(f"**{plain(piece)}**" if number % 2 else plain(piece) for number, piece in enumerate(pieces))


def _one_line(song: ListedSong) -> str:
    text = song.found or song.request.songs[song.number].lyric
    return " / ".join(line for line in text.splitlines() if line)


def _which(name: ListName, song: ListedSong) -> str:
    num_songs = len(song.request.songs)
    if num_songs == 1:
        return "1 song"
    return (
        f"{num_songs} songs" if name == "history" and song.found is None else f"song {song.number + 1} of {num_songs}"
    )
