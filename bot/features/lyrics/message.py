"""The messages of a song: in the queue, while it is written, and finished.

They are embeds, as one holds 4,096 characters; a message of Components V2 holds 4,000 in all, which a song fills.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal, TypedDict

import discord
from discord.ui import View

from bot.features.lyrics.buttons import CopyButton, SongButton, StopButton, TakeDownButton
from bot.features.lyrics.parts import song_parts, whole_words
from bot.features.lyrics.writing.request import MemberRequest
from bot.handling.songs import Action, SongPlace
from bot.look import COLOUR
from bot.markup import MAX_DESCRIPTION, MAX_TITLE, cut, plain, sendable
from bot.store import StoredRequest
from model import GeneratedSong, Header, Progress, Queued

Viewer = Literal["everybody", "owner", "reader"]
"""Whom a message of songs is for: all in a channel; whose songs they are, privately; another member, privately."""

_ACTIONS: tuple[dict[Action, str], ...] = (
    {"again": "Again", "continue": "Continue", "variations": "Variations"},
    {"share": "Share as picture", "export": "Export"},
)
"""The rows of buttons under a song, below the one that turns to the others."""

_DETAILS: dict[Action, str] = {"details": "Details"}

_OWNERS_ACTIONS: dict[Action, str] = {"post": "Post here", "delete": "Delete…"}
"""What is added where nobody but the song's owner sees it."""


_BETWEEN = "⁂"
"""Stands between two songs in one message."""


class Message(TypedDict):
    """What sending and editing a message take alike."""

    embed: discord.Embed
    view: View


def songs_message(
    request: StoredRequest, place: SongPlace, viewer: Viewer = "everybody", *, posted: bool = False
) -> Message:
    """Show one song of a finished request, or a part of one that is long, and all that can be done with it.

    Args:
        request: The finished request; it has songs.
        place: Which song, the nearest one there is, and which part of it; the last one for a part below.
        viewer: Whom the message is for.
        posted: Whether its owner has just posted it from here.
    """
    place = place.within(len(request.songs))
    song = request.songs[place.number]
    parts = song_parts(song.lyric, request.prompt)
    place = replace(place, part=place.part % len(parts) if -len(parts) <= place.part < len(parts) else 0)
    embed = _embed(request.header, parts[place.part])
    embed.set_footer(text=" · ".join(_footer(request, place, len(parts))) or None)  # It reads no markup.
    if song.finish_reason == "cancelled":
        embed.set_author(name="Stopped early")
    view = View(timeout=None)
    _add_turning(view, place, len(request.songs), len(parts))
    for row, actions in enumerate(_actions(request, place, viewer), start=1):
        for action, label in actions.items():
            done = posted and action == "post"
            view.add_item(SongButton(place, action, label="Posted" if done else label, disabled=done, row=row))
    if viewer == "everybody":
        view.add_item(TakeDownButton(request.user_id))
    elif viewer == "reader":
        view.add_item(CopyButton(place))
    return Message(embed=embed, view=view)


def unkept_message(header: Header, prompt: str, songs: Sequence[GeneratedSong]) -> Message:
    """Show as many songs as a message holds, of a request that could not be kept: without it, no button would work."""
    lyrics = f"\n\n{_BETWEEN}\n\n".join(song_parts(song.lyric, prompt)[0] for song in songs)
    return Message(embed=_embed(header, cut(lyrics, MAX_DESCRIPTION)), view=View(timeout=None))


def writing_message(request_id: int, asked: MemberRequest, update: Queued | Progress) -> Message:
    """Show how far a request is: its place in the queue, or the first song's words so far."""
    match update:
        case Queued():
            embed = _embed(asked.request.header, _place(update))
            footer = "Your song will appear here"
        case Progress(lyrics):
            opening = asked.opening or asked.request.prompt
            # Of a song that is longer than a message, the end is what is being written.
            *_, end = song_parts(whole_words(lyrics[0], opening), asked.request.prompt)
            embed = _embed(asked.request.header, end)
            here, *others = (len(whole_words(lyric, opening).split()) for lyric in lyrics)
            footer = f"{here:,} words so far…"
            if others:
                # The first song may end before the others: the count of their words shows that those go on.
                footer = f"Song 1 of {len(lyrics)}: {here:,} words so far, {sum(others):,} in the others…"
    view = View(timeout=None)
    view.add_item(StopButton(request_id))
    return Message(embed=embed.set_footer(text=footer), view=view)


def left_out_notice(names: tuple[str, ...]) -> str | None:
    """Say which header fields were left out because the served checkpoint was not trained with them."""
    return f"-# This model was not trained with {' or '.join(names)}, so that was left out." if names else None


def _embed(header: Header, description: str) -> discord.Embed:
    title = header.title and cut(plain(header.title), MAX_TITLE)
    return discord.Embed(title=title, description=description, colour=COLOUR)


def _place(queued: Queued) -> str:
    place = "You are next" if queued.position == 1 else f"You are number **{queued.position}** in the queue"
    return place if queued.wait is None else f"{place}: about **{_duration(queued.wait)}** to go"


def _duration(seconds: float) -> str:
    """Say a time in the words of somebody who does not know it exactly."""
    minutes = round(seconds / 60)
    if seconds < 90:  # noqa: PLR2004 - where people begin to count in minutes
        shown = max(5, 5 * round(seconds / 5))
        return f"{shown} seconds"
    return f"{minutes} minutes"


def _footer(request: StoredRequest, place: SongPlace, num_parts: int) -> Iterator[str]:
    """Yield what a reader wants to know of a song: which of several it is, and of what kind."""
    if len(request.songs) > 1 and not place.alone:
        yield f"{place.number + 1}/{len(request.songs)}"
    if num_parts > 1:
        yield f"part {place.part + 1} of {num_parts}"
    yield from (sendable(value) for value in (request.header.genre, request.header.mood) if value)


def _add_turning(view: View, place: SongPlace, num_songs: int, num_parts: int) -> None:
    """Add the buttons that turn to the songs and parts before and after a place, where there are some."""
    number, part = place.number, place.part
    first = part == 0 and (number == 0 or place.alone)
    last = part == num_parts - 1 and (number == num_songs - 1 or place.alone)
    if first and last:
        return
    before = replace(place, part=part - 1) if part > 0 else replace(place, number=number - 1, part=-1)
    after = replace(place, part=part + 1) if part + 1 < num_parts else replace(place, number=number + 1, part=0)
    label = f"{part + 1}/{num_parts}" if num_songs == 1 or place.alone else f"{number + 1}/{num_songs}"
    view.add_item(SongButton(before, label="◀", disabled=first, row=0))
    # A button too, to stand between the others; a dynamic one, as discord.py remembers others for good.
    view.add_item(SongButton(place, label=label, disabled=True, row=0))
    view.add_item(SongButton(after, label="▶", disabled=last, row=0))


def _actions(request: StoredRequest, place: SongPlace, viewer: Viewer) -> Iterator[dict[Action, str]]:
    """Yield the rows of buttons below the one that turns to other songs."""
    if viewer == "reader":
        yield _DETAILS
        return
    again, share = _ACTIONS
    is_favourite = place.number in request.favourites
    yield again
    yield share | ({"unfavourite": "Unfavourite"} if is_favourite else {"favourite": "Favourite"})
    yield _DETAILS | (_OWNERS_ACTIONS if viewer == "owner" else {})
