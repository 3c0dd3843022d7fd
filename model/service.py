"""The service: an asyncio face over one worker thread that owns the model and every torch call."""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from model.checkpoint import Checkpoint
from model.engine import Engine, GeneratedSong, GenerationRequest
from model.errors import GenerationStopped, ModelNotReady, QueueFull

log = logging.getLogger(__name__)

_REMEMBERED = 20
"""Requests whose time tells how long the next ones will wait."""


@dataclass(frozen=True, slots=True)
class Queued:
    """The request waits; ``position`` 1 is started next. Sent again whenever the position changes."""

    position: int
    wait: float | None = None
    """Seconds until it is likely started, by how long requests took so far; none before the first has ended."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The lyric of each song so far, the prompt included."""

    lyrics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Timings:
    """Where the time went, in seconds, and the tokens that were written in it."""

    queued: float
    generating: float
    num_tokens: int


@dataclass(frozen=True, slots=True)
class Finished:
    """The songs, each with the reason it ended; the last update."""

    songs: tuple[GeneratedSong, ...]
    timings: Timings


@dataclass(frozen=True, slots=True)
class Failed:
    """The request failed with ``error``, a ``LyricsError`` where it can be explained; the last update."""

    error: Exception


Update = Queued | Progress | Finished | Failed


class Stream:
    """The updates of one request, as an async iterator that ends after ``Finished`` or ``Failed``.

    Every update stands for all before it, so a reader that is slow skips some and holds nobody up.
    Leave it by ``contextlib.aclosing``: closing stops the request between two tokens. ``finish`` stops it as well,
    but the songs come as they stand.
    """

    def __init__(self, request: GenerationRequest, leave: Callable[["Stream"], None]) -> None:
        self.request = request
        self.created = time.perf_counter()
        self.stop = threading.Event()
        self.keeps_songs = False
        """Whether what is written is a result when the request is stopped."""
        self._leave = leave
        self._latest: Update | None = None
        self._changed = asyncio.Event()
        self._ended = False

    def deliver(self, update: Update) -> None:
        """Replace the latest update; on the event loop. Nothing follows a last update."""
        if not isinstance(self._latest, Finished | Failed):
            self._latest = update
            self._changed.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Update:
        if self._ended:
            raise StopAsyncIteration
        await self._changed.wait()
        self._changed.clear()
        update = self._latest
        assert update is not None, "deliver() sets the event only with an update"
        self._ended = isinstance(update, Finished | Failed)
        return update

    def finish(self) -> None:
        """End the songs as they stand: ``Finished`` follows, or ``Failed`` where nothing was written yet."""
        self.keeps_songs = True
        self._leave(self)

    async def aclose(self) -> None:
        """Stop the request, if it has not ended, and end the iterator."""
        self._ended = True
        self._leave(self)


class LyricsService:
    """Writes songs, one request after another, without ever holding up the event loop.

    Args:
        load_engine: Makes the engine; called on the worker thread, as is everything of the engine.
        max_queue: How many requests may wait behind the running one.
    """

    def __init__(self, load_engine: Callable[[], Engine], *, max_queue: int) -> None:
        self._load_engine = load_engine
        self._max_queue = max_queue
        self._checkpoint: Checkpoint | None = None
        self._worker: threading.Thread | None = None
        # Guards what follows; notified when a request arrives and when the service closes.
        self._changed = threading.Condition()
        self._waiting: deque[Stream] = deque()
        self._running: Stream | None = None
        self._closing = False
        self._durations: deque[float] = deque(maxlen=_REMEMBERED)

    @classmethod
    def from_checkpoint(cls, source: str | Path, *, max_queue: int) -> Self:
        """Return a service that serves the checkpoint folder or hub id ``source``."""

        def load_engine() -> Engine:
            # Torch is imported here, on the worker thread, and nowhere on the way to here.
            from transformers.utils import logging as transformers_logging  # noqa: PLC0415

            from model.reference import ReferenceEngine  # noqa: PLC0415

            # Its hints are for those who program with it, not for the log of who hosts a bot.
            transformers_logging.set_verbosity_error()
            transformers_logging.disable_progress_bar()
            return ReferenceEngine.load(Checkpoint.open(source))

        return cls(load_engine, max_queue=max_queue)

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint that is served.

        Raises:
            ModelNotReady: Before ``start`` has returned.
        """
        if self._checkpoint is None:
            raise ModelNotReady("The model is still loading: please try again in a moment.")
        return self._checkpoint

    async def start(self) -> None:
        """Start the worker and wait until the model is loaded.

        Raises:
            CheckpointError: Where the checkpoint cannot be served.
        """
        loaded: Future[Checkpoint] = Future()
        loaded.set_running_or_notify_cancel()
        loop = asyncio.get_running_loop()
        self._worker = threading.Thread(target=self._work, args=(loop, loaded), name="lyrics-worker", daemon=True)
        self._worker.start()
        self._checkpoint = await asyncio.wrap_future(loaded)

    def stream(self, request: GenerationRequest) -> Stream:
        """Queue the request, which has its seed, and return its updates.

        Raises:
            QueueFull: At once, where as many requests wait as may.
            ModelNotReady: Before ``start`` has returned and once ``close`` is called.
        """
        _ = self.checkpoint
        with self._changed:
            if self._closing:
                raise ModelNotReady("The bot is shutting down: please try again in a few minutes.")
            if len(self._waiting) >= self._max_queue:
                raise QueueFull(f"The queue is full ({self._max_queue} waiting): please try again in a minute.")
            stream = Stream(request, self._leave)
            self._waiting.append(stream)
            stream.deliver(Queued(len(self._waiting), self._wait(len(self._waiting))))
            self._changed.notify()
        return stream

    async def close(self, *, grace: float = 0.0) -> None:
        """Refuse what waits, give the running request ``grace`` seconds to end, and end the worker.

        Requests that did not end fail with ``GenerationStopped``. May be called more than once.
        """
        with self._changed:
            self._closing = True
            waiting, running = list(self._waiting), self._running
            self._waiting.clear()
            self._changed.notify()
        for stream in waiting:
            stream.deliver(Failed(_stopped()))
        if self._worker is None:
            return
        await asyncio.to_thread(self._worker.join, grace)
        if running is not None:
            running.stop.set()
        await asyncio.to_thread(self._worker.join)

    def _leave(self, stream: Stream) -> None:
        stream.stop.set()
        with self._changed:
            if stream in self._waiting:
                self._waiting.remove(stream)
                stream.deliver(Failed(_cancelled()))
                self._renumber()

    def _renumber(self) -> None:
        """Tell every waiting request its position; on the event loop, with the lock held."""
        for position, stream in enumerate(self._waiting, start=1):
            stream.deliver(Queued(position, self._wait(position)))

    def _wait(self, position: int) -> float | None:
        return None if not self._durations else position * sum(self._durations) / len(self._durations)

    def _work(self, loop: asyncio.AbstractEventLoop, loaded: Future[Checkpoint]) -> None:
        """Load the engine and run request after request; the worker thread's main."""
        try:
            engine = self._load_engine()
        except Exception as error:  # noqa: BLE001 - whatever it is, start() raises it
            loaded.set_exception(error)
            return
        loaded.set_result(engine.checkpoint)
        while (stream := self._next(loop)) is not None:
            loop.call_soon_threadsafe(stream.deliver, self._run(engine, stream, loop))

    def _next(self, loop: asyncio.AbstractEventLoop) -> Stream | None:
        """Wait for a request and take it; none once the service closes."""
        with self._changed:
            self._running = None
            self._changed.wait_for(lambda: self._waiting or self._closing)
            if self._closing:
                return None
            self._running = self._waiting.popleft()
            loop.call_soon_threadsafe(self._renumber_locked)
            return self._running

    def _renumber_locked(self) -> None:
        with self._changed:
            self._renumber()

    def _run(self, engine: Engine, stream: Stream, loop: asyncio.AbstractEventLoop) -> Update:
        """Run one request and return its last update; an exception of the engine fails this one alone."""

        def on_progress(lyrics: tuple[str, ...]) -> None:
            loop.call_soon_threadsafe(stream.deliver, Progress(lyrics))

        started = time.perf_counter()
        try:
            songs = engine.generate(stream.request, on_progress, stream.stop.is_set)
        except Exception as error:  # noqa: BLE001 - whoever asked is told, and the next one goes on
            return Failed(error)
        if stream.stop.is_set() and not stream.keeps_songs:
            return Failed(_stopped())
        num_tokens = sum(song.num_tokens for song in songs)
        timings = Timings(started - stream.created, time.perf_counter() - started, num_tokens)
        self._durations.append(timings.generating)
        return Finished(songs, timings)


def _cancelled() -> GenerationStopped:
    return GenerationStopped("Stopped before anything was written.")


def _stopped() -> GenerationStopped:
    return GenerationStopped("The bot was shut down before this song was finished: please ask again later.")
