"""Has songs written, shows them as they come, and keeps each request from its beginning to its end."""

import asyncio
import logging
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import replace

import discord

from bot.features.lyrics.message import (
    Message,
    Viewer,
    left_out_notice,
    songs_message,
    unkept_message,
    writing_message,
)
from bot.features.lyrics.writing.live import Live
from bot.features.lyrics.writing.reply import Reply
from bot.features.lyrics.writing.request import MemberRequest
from bot.handling.refusals import FAILURES
from bot.handling.songs import SongPlace
from bot.handling.tree import describe
from bot.markup import sendable
from bot.store import Store, StoredRequest
from model import (
    Failed,
    Finished,
    GenerationStopped,
    LyricsError,
    LyricsService,
    Progress,
    PromptTooLong,
    Queued,
    RequestStream,
    Update,
)

log = logging.getLogger(__name__)

NEAR = 10
"""Places at the head of the queue at which each step is shown; further back, where hundreds may wait, each tenth."""

_NOT_KEPT = "-# The bot's memory could not be written, so these songs are not in your history."
_WENT_WRONG = "Something went wrong while this was written."


class TooManyRequests(LyricsError):  # noqa: N818 - named for what happened, as the model's errors are
    """A member asks for more while as many requests of theirs run and wait as may."""


class SongFull(LyricsError):  # noqa: N818
    """A song fills the model's context."""


class Writer:
    """Writes what members ask for into replies.

    Args:
        store: Where requests are kept.
        service: What writes.
        max_per_member: How many requests of one member may run and wait.
    """

    def __init__(self, store: Store, service: LyricsService, *, max_per_member: int) -> None:
        self.store = store
        self.service = service
        self._max_per_member = max_per_member
        self._under_way: Counter[int] = Counter()
        self._streams: dict[int, RequestStream] = {}
        self._owners: dict[int, int] = {}
        # Of requests that ended without songs, whether they were stopped and why; until that is kept.
        self._ended: dict[int, tuple[bool, str]] = {}

    @property
    def writing(self) -> Collection[int]:
        """The requests that are being written."""
        return self._streams.keys()

    @asynccontextmanager
    async def reply(self, interaction: discord.Interaction, *, private: bool) -> AsyncIterator[Reply]:
        """Acknowledge an interaction; what goes wrong after Discord's 15 minutes is said in the channel.

        Raises:
            TooManyRequests: Where the member has as many requests as may be under way.
        """
        with self._place_of(interaction.user.id):
            reply = await Reply.begin(interaction, private=private)
            try:
                yield reply
            except Exception as error:
                if not reply.expired:
                    raise
                await reply.send_late(f"your song was not written: {describe(error)}")

    async def write(self, reply: Reply, asked: MemberRequest) -> None:
        """Have a request's songs written into the reply, and keep the request from now to its end, whatever that is.

        Raises:
            LyricsError: Where the request was refused, failed, or was stopped before anything was written.
        """
        interaction = reply.interaction
        request_id = await self.store.add_request(
            asked.request,
            user_id=interaction.user.id,
            guild_id=interaction.guild_id,
            channel_id=interaction.channel_id,
            checkpoint=self.service.checkpoint.name,
            created_at=interaction.created_at,
            opening=asked.opening,
        )
        try:
            finished = await self._follow(request_id, asked, reply)
        except (Exception, asyncio.CancelledError) as error:
            stopped = isinstance(error, GenerationStopped | asyncio.CancelledError)
            self._ended[request_id] = stopped, str(error) if isinstance(error, LyricsError) else _WENT_WRONG
            await self._keep_ends()
            raise
        message, notice = await self._keep(request_id, asked, finished, "owner" if reply.private else "everybody")
        await reply.end(message, notice)

    def stop(self, request_id: int) -> bool:
        """End a request's songs as they stand; return whether it was under way."""
        stream = self._streams.get(request_id)
        if stream is not None:
            stream.finish()
        return stream is not None

    def stop_all(self, user_id: int) -> int:
        """End all that is being written for a member; return how many requests that is."""
        theirs = [request_id for request_id, owner in self._owners.items() if owner == user_id]
        return sum(map(self.stop, theirs))

    async def _keep(
        self, request_id: int, asked: MemberRequest, finished: Finished, viewer: Viewer
    ) -> tuple[Message, str | None]:
        """Keep songs, and return the message that shows them; where they cannot be kept, it shows them all the same."""
        try:
            stored = await self.store.finish_request(request_id, finished)
        except sqlite3.Error as error:
            log.error("The songs of a request could not be kept: %s", error)  # noqa: TRY400 - the message says it all
            self._ended[request_id] = False, "The songs could not be kept."
            return unkept_message(asked.request.header, asked.request.prompt, finished.songs), _NOT_KEPT
        await self._keep_ends()
        return songs_message(stored, SongPlace(stored.id, 0), viewer), _notice(asked, stored)

    async def _keep_ends(self) -> None:
        """Keep how requests ended without songs; what cannot be kept now, is when the next one has ended."""
        try:
            for request_id, (stopped, why) in list(self._ended.items()):
                await self.store.end_request(request_id, stopped=stopped, error=why)
                self._ended.pop(request_id, None)
        except sqlite3.Error as failure:
            log.error("The end of a request could not be kept: %s", failure)  # noqa: TRY400

    async def _follow(self, request_id: int, asked: MemberRequest, reply: Reply) -> Finished:
        """Show what happens to a request until it has ended."""

        async def show(update: Queued | Progress) -> None:
            try:
                await reply.show(writing_message(request_id, asked, update))
            finally:
                if reply.unseen:  # Nobody waits for the rest.
                    stream.finish()

        async with aclosing(self.service.stream(asked.for_model)) as stream, Live(show, refusals=FAILURES) as live:
            self._streams[request_id] = stream
            self._owners[request_id] = reply.interaction.user.id
            try:
                async for update in _news(stream):
                    match update:
                        case Queued() | Progress():
                            live.show(update)
                        case Finished(songs):
                            clean = tuple(replace(song, lyric=sendable(song.lyric)) for song in songs)
                            return replace(update, songs=clean)
                        case Failed(PromptTooLong()) if asked.opening is not None:
                            raise SongFull("This song fills what the model can take in, so it cannot go on.")
                        case Failed(error):
                            raise error
            finally:
                del self._streams[request_id], self._owners[request_id]
        raise AssertionError("a stream ends with Finished or Failed")

    @contextmanager
    def _place_of(self, user_id: int) -> Iterator[None]:
        if self._under_way[user_id] >= self._max_per_member:
            raise TooManyRequests(
                f"You have {self._max_per_member} requests under way already: wait until one has ended, or `/stop`."
            )
        self._under_way[user_id] += 1
        try:
            yield
        finally:
            self._under_way[user_id] -= 1
            if not self._under_way[user_id]:
                del self._under_way[user_id]


async def _news(updates: AsyncIterator[Update]) -> AsyncIterator[Update]:
    """Yield what is worth an edit: of the steps far back in the queue the first, and then each tenth."""
    first = True
    async for update in updates:
        if first or not isinstance(update, Queued) or update.position <= NEAR or update.position % NEAR == 0:
            yield update
        first = False


def _notice(asked: MemberRequest, stored: StoredRequest) -> str | None:
    if asked.opening is not None and stored.songs[0].lyric == asked.opening.strip():
        return "-# The model had nothing to add."
    return left_out_notice(asked.left_out)
