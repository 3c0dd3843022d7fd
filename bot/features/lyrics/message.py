"""The messages of a song: in the queue, while it is written, and finished.

They are embeds, as one holds 4,096 characters; a message of Components V2 holds 4,000 in all, which a song fills.
"""

from collections.abc import Iterator
from typing import TypedDict

import discord
from discord.ui import View

from bot.features.lyrics.buttons import SongButton, StopButton
from bot.features.lyrics.parts import song_parts, whole_words
from bot.features.lyrics.writing.request import MemberRequest
from bot.handling.songs import Action
from bot.look import COLOUR
from bot.markup import MAX_TITLE, cut, plain
from bot.store import StoredRequest
from model import Header, Progress, Queued, SamplingParams

_ACTIONS: tuple[dict[Action, str], ...] = (
    {"again": "Again", "continue": "Continue", "variations": "Variations"},
    {"share": "Share as picture", "export": "Export"},
)
"""The rows of buttons under a song, below the one that turns to the others."""

_PRIVATE_ACTIONS: dict[Action, str] = {"post": "Post here", "delete": "Delete…"}
"""The row that is added where nobody but the song's owner sees it."""


class Message(TypedDict):
    """What sending and editing a message take alike."""

    embed: discord.Embed
    view: View


def songs_message(request: StoredRequest, number: int, part: int = 0, *, private: bool = False) -> Message:
    """Show one song of a finished request, or a part of one that is long, and all that can be done with it.

    Args:
        request: The finished request; it has songs.
        number: Which song, from 0; the nearest one there is.
        part: Which part of it, from 0; the last one for a part below.
        private: Whether its owner alone sees it, who may then post or delete it.
    """
    number = min(max(number, 0), len(request.songs) - 1)
    song = request.songs[number]
    parts = song_parts(song.lyric, request.prompt)
    part = part % len(parts) if -len(parts) <= part < len(parts) else 0
    place = [f"{number + 1}/{len(request.songs)}"]
    if len(parts) > 1:
        place.append(f"part {part + 1} of {len(parts)}")
    embed = _embed(request.header, parts[part])
    known = [value for name, value in request.header.items() if name != "title"]
    embed.set_footer(text=" · ".join([*place, *known, _parameters(request.sampling)]))  # It reads no markup.
    if song.finish_reason == "cancelled":
        embed.set_author(name="Stopped early")
    return Message(embed=embed, view=_song_view(request, number, part, len(parts), private=private))


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
            # The first song may end before the others: the count of words shows that those go on.
            num_words = sum(len(lyric.split()) for lyric in lyrics)
            songs = f"Writing {len(lyrics)} songs, of which this is the first" if len(lyrics) > 1 else "Writing"
            footer = f"{songs}: {num_words:,} words so far…"
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


def _song_view(request: StoredRequest, number: int, part: int, num_parts: int, *, private: bool) -> View:
    view = View(timeout=None)
    first, last = (number, part) == (0, 0), (number, part) == (len(request.songs) - 1, num_parts - 1)
    if not (first and last):
        before = (number, part - 1) if part > 0 else (number - 1, -1)
        after = (number, part + 1) if part + 1 < num_parts else (number + 1, 0)
        view.add_item(SongButton(request.id, *before, label="◀", disabled=first, row=0))
        # A button too, to stand between the others; a dynamic one, as discord.py remembers others for good.
        place = f"{number + 1}/{len(request.songs)}"
        view.add_item(SongButton(request.id, number, part, label=place, disabled=True, row=0))
        view.add_item(SongButton(request.id, *after, label="▶", disabled=last, row=0))
    for row, actions in enumerate(_actions(request, number, private=private), start=1):
        for action, label in actions.items():
            view.add_item(SongButton(request.id, number, part, action, label=label, row=row))
    return view


def _actions(request: StoredRequest, number: int, *, private: bool) -> Iterator[dict[Action, str]]:
    """Yield the rows of buttons below the one that turns to other songs."""
    again, share = _ACTIONS
    is_favourite = number in request.favourites
    yield again
    yield share | ({"unfavourite": "Unfavourite"} if is_favourite else {"favourite": "Favourite"})
    if private:
        yield _PRIVATE_ACTIONS


def _parameters(sampling: SamplingParams) -> str:
    return (
        f"temperature {sampling.temperature:g} · top-k {sampling.top_k} · top-p {sampling.top_p:g} · "
        f"repetition penalty {sampling.repetition_penalty:g} · {sampling.max_length} tokens · seed {sampling.seed}"
    )
