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
from typing import Literal, Self

from model.checkpoint.folder import Checkpoint
from model.engines.interface import Engine, EngineOptions, GeneratedSong, Request, RequestState
from model.errors import GenerationStopped, ModelNotReady, QueueFull

log = logging.getLogger(__name__)

_REMEMBERED = 20
"""Requests whose time tells how long the next ones will wait."""

STALLED = 30.0
"""Seconds without a step after which a worker that has work counts as stalled."""


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


@dataclass(frozen=True, slots=True)
class Health:
    """How the service is."""

    state: Literal["loading", "ready", "stalled", "closed"]
    """Stalled is a worker that has work, and has made no step for ``STALLED`` seconds."""
    running: int
    """Requests that songs are being written for."""
    songs: int
    """Songs of those."""
    waiting: int
    since_step: float
    """Seconds since the worker last ended a step, or had nothing to do."""


class RequestStream:
    """The updates of one request, as an async iterator that ends after ``Finished`` or ``Failed``.

    Every update stands for all before it, so a reader that is slow skips some and holds nobody up.
    Leave it by ``contextlib.aclosing``: closing stops the request between two tokens. ``finish`` stops it as well,
    but the songs come as they stand.
    """

    def __init__(self, request: Request, deadline: float, leave: Callable[["RequestStream"], None]) -> None:
        self.request = request
        self.state = RequestState(request, deadline)
        self.created = self.started = time.perf_counter()
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
    """Writes songs for many at a time, without ever holding up the event loop.

    Args:
        load_engine: Makes the engine; called on the worker thread, as is everything of the engine.
        max_queue: How many requests may wait until they are started.
        timeout: Seconds after which a request's songs end as they stand, its wait included.
    """

    def __init__(self, load_engine: Callable[[], Engine], *, max_queue: int, timeout: float = float("inf")) -> None:
        self._load_engine = load_engine
        self._max_queue = max_queue
        self._timeout = timeout
        self._checkpoint: Checkpoint | None = None
        self._worker: threading.Thread | None = None
        self._last_step = time.perf_counter()
        # Updates on their way from the worker to the event loop.
        self._outbox: deque[tuple[RequestStream, Update]] = deque()
        # Guards what follows; notified when a request arrives and when the service closes.
        self._changed = threading.Condition()
        self._waiting: deque[RequestStream] = deque()
        self._running: dict[RequestState, RequestStream] = {}
        self._closing = False
        self._durations: deque[float] = deque(maxlen=_REMEMBERED)

    @classmethod
    def from_checkpoint(
        cls,
        source: str | Path | Checkpoint,
        *,
        max_queue: int,
        timeout: float = float("inf"),
        options: EngineOptions | None = None,
    ) -> Self:
        """Return a service that serves the checkpoint ``source``, be it open or a folder or a hub id."""

        def load() -> Engine:
            # Torch is imported here, on the worker thread, and nowhere on the way to here.
            from model.engines.choice import load_engine  # noqa: PLC0415

            checkpoint = source if isinstance(source, Checkpoint) else Checkpoint.open(source)
            return load_engine(checkpoint, options or EngineOptions())

        return cls(load, max_queue=max_queue, timeout=timeout)

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint that is served.

        Raises:
            ModelNotReady: Before ``start`` has returned.
        """
        if self._checkpoint is None:
            raise ModelNotReady("The model is still loading: please try again in a moment.")
        return self._checkpoint

    def health(self) -> Health:
        """Return how the service is, at once; from any thread."""
        with self._changed:
            running, waiting, closing = len(self._running), len(self._waiting), self._closing
            songs = sum(stream.request.sampling.num_return_sequences for stream in self._running.values())
        since_step = time.perf_counter() - self._last_step if running or waiting else 0.0
        if closing or (self._worker is not None and not self._worker.is_alive()):
            return Health("closed", running, songs, waiting, since_step)
        if self._worker is None or self._checkpoint is None:
            return Health("loading", running, songs, waiting, since_step)
        return Health("stalled" if since_step > STALLED else "ready", running, songs, waiting, since_step)

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

    def stream(self, request: Request) -> RequestStream:
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
            stream = RequestStream(request, time.perf_counter() + self._timeout, self._leave)
            if not self._running and not self._waiting:
                self._last_step = stream.created
            self._waiting.append(stream)
            stream.deliver(Queued(len(self._waiting), self._wait(len(self._waiting))))
            self._changed.notify()
        return stream

    async def close(self, *, grace: float = 0.0) -> None:
        """Refuse what waits, give the running requests ``grace`` seconds to end, and end the worker.

        Requests that did not end fail with ``GenerationStopped``. May be called more than once.
        """
        with self._changed:
            self._closing = True
            waiting = list(self._waiting)
            self._waiting.clear()
            self._changed.notify()
        for stream in waiting:
            stream.deliver(Failed(_stopped()))
        if self._worker is None:
            return
        await asyncio.to_thread(self._worker.join, grace)
        with self._changed:
            for state in self._running:
                state.stopping = True
        await asyncio.to_thread(self._worker.join)

    def _leave(self, stream: RequestStream) -> None:
        stream.state.stopping = True
        with self._changed:
            if stream in self._waiting:
                self._waiting.remove(stream)
                stream.deliver(Failed(GenerationStopped("Stopped before anything was written.")))
                self._renumber()

    def _renumber(self) -> None:
        """Tell every waiting request its position; on the event loop, with the lock held."""
        for position, stream in enumerate(self._waiting, start=1):
            stream.deliver(Queued(position, self._wait(position)))

    def _renumber_locked(self) -> None:
        with self._changed:
            self._renumber()

    def _wait(self, position: int) -> float | None:
        return None if not self._durations else position * sum(self._durations) / len(self._durations)

    def _work(self, loop: asyncio.AbstractEventLoop, loaded: Future[Checkpoint]) -> None:
        """Load the engine and step it while there is work; the worker thread's main."""
        try:
            engine = self._load_engine()
        except Exception as error:  # noqa: BLE001 - whatever it is, start() raises it
            loaded.set_exception(error)
            return
        loaded.set_result(engine.checkpoint)
        while self._wait_for_work():
            self._admit(engine, loop)
            if self._running:
                self._step(engine, loop)
            self._last_step = time.perf_counter()

    def _wait_for_work(self) -> bool:
        """Return once there is work; false once the service closes and nothing runs any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._running or self._waiting or self._closing)
            return bool(self._running or not self._closing)

    def _admit(self, engine: Engine, loop: asyncio.AbstractEventLoop) -> None:
        """Give the engine the requests that it has room for, in the order they came."""
        while engine.has_room:
            with self._changed:
                if not self._waiting:
                    return
                stream = self._waiting.popleft()
                self._running[stream.state] = stream
            loop.call_soon_threadsafe(self._renumber_locked)
            stream.started = time.perf_counter()
            try:
                engine.add(stream.state)
            except Exception as error:  # noqa: BLE001 - whoever asked is told, and the next one goes on
                self._end(stream, Failed(error), loop)

    def _step(self, engine: Engine, loop: asyncio.AbstractEventLoop) -> None:
        """Step the engine once and send on what it says; where it fails itself, so does all that runs."""

        def on_update(state: RequestState) -> None:
            stream = self._running[state]
            if state.ended:
                self._end(stream, self._outcome(stream), loop)
            else:
                self._send(stream, Progress(state.lyrics), loop)

        try:
            engine.step(on_update)
        except Exception as error:
            log.exception("The engine failed, and with it %d requests", len(self._running))
            engine.reset()
            for stream in list(self._running.values()):
                self._end(stream, Failed(error), loop)

    def _outcome(self, stream: RequestStream) -> Update:
        """Return the last update of a request that has ended."""
        state = stream.state
        if state.stopping and not stream.keeps_songs:
            return Failed(_stopped())
        if state.songs is None and time.perf_counter() >= state.deadline:
            return Failed(GenerationStopped("The bot was too busy to write this in time: please try again later."))
        if state.songs is None:
            assert state.error is not None, "a request ends with songs or an error"
            return Failed(state.error)
        generating = time.perf_counter() - stream.started
        return Finished(
            state.songs,
            Timings(stream.started - stream.created, generating, sum(song.num_tokens for song in state.songs)),
        )

    def _end(self, stream: RequestStream, update: Update, loop: asyncio.AbstractEventLoop) -> None:
        with self._changed:
            if isinstance(update, Finished):
                self._durations.append(update.timings.generating / len(self._running))
            del self._running[stream.state]
        self._send(stream, update, loop)

    def _send(self, stream: RequestStream, update: Update, loop: asyncio.AbstractEventLoop) -> None:
        self._outbox.append((stream, update))
        # One call to the event loop brings all that has gathered by the time it is made.
        if len(self._outbox) == 1:
            loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        while self._outbox:
            stream, update = self._outbox.popleft()
            stream.deliver(update)


def _stopped() -> GenerationStopped:
    return GenerationStopped("The bot was shut down before this song was finished: please ask again later.")
