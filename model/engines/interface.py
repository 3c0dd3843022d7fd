"""What the service asks of an engine, and what an engine gives back."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from model.checkpoint.folder import Checkpoint
from model.sampling.params import SamplingParams
from model.song import Header

FinishReason = Literal["stop", "length", "cancelled"]
"""Why a song ended: the model closed it, it reached its length, or it was asked for as it stood."""


@dataclass(frozen=True, slots=True)
class Request:
    """Songs that are asked for: the opening words of the lyric, its header, and how to sample what follows.

    The prompt has no space at its ends: GPT-2's tokens carry the space before a word, not after it.
    """

    prompt: str
    header: Header
    sampling: SamplingParams


@dataclass(frozen=True, slots=True)
class GeneratedSong:
    """A finished song: its lyric, opening tag and prompt included, with neither special token nor half line."""

    lyric: str
    finish_reason: FinishReason
    num_tokens: int


@dataclass(eq=False, slots=True)
class RequestState:
    """A request on its way through an engine, which writes the outcome into it."""

    request: Request
    deadline: float = float("inf")
    """The ``time.perf_counter`` at which its songs end as they stand."""
    stopping: bool = False
    """Set by whoever wants its songs to end as they stand, on any thread; seen between two tokens."""
    lyrics: tuple[str, ...] = ()
    """The lyric of each song so far."""
    songs: tuple[GeneratedSong, ...] | None = None
    """The songs once all have ended, in order; those that failed are left out while there are others."""
    error: Exception | None = None
    """Why there is no song, once that is so."""

    @property
    def ended(self) -> bool:
        """Whether the engine is done with it."""
        return self.songs is not None or self.error is not None

    def result(self) -> tuple[GeneratedSong, ...]:
        """Return the songs of a request that has ended.

        Raises:
            Exception: Where it ended with an error, that.
        """
        if self.songs is None:
            assert self.error is not None, "a request ends with songs or an error"
            raise self.error
        return self.songs

    @property
    def must_stop(self) -> bool:
        """Whether its songs are to end as they stand."""
        return self.stopping or time.perf_counter() >= self.deadline


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """What the host decides of an engine."""

    max_batch: int | None = None
    """Songs that are written side by side; none is ``DEFAULT_BATCH``, or as many as the memory holds."""
    kv_cache_gb: float | None = None
    """Memory for the keys and values of these songs, in GB of 10^9 bytes; none is half of what is free."""
    precision: Literal["auto", "int8", "bfloat16", "float16", "float32"] = "auto"
    """Of the weights; auto is the fastest that the machine has."""
    penalizes: Literal["auto", "words", "tokens"] = "auto"
    """What the repetition penalty holds back; auto is what the checkpoint says."""
    choruses_return: bool = True
    """Whether a chorus that opens again is given back as it was, in checkpoints that learnt so."""


class Engine(Protocol):
    """Writes the songs of one or many requests, a token at a time. Made, called and dropped on one thread only."""

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint that is served."""

    @property
    def has_room(self) -> bool:
        """Whether a request that is added now is started at the next step."""

    def add(self, state: RequestState) -> None:
        """Take a request that has a seed.

        Raises:
            PromptTooLong: Where the prompt fills the model's context.
        """

    def step(self, on_update: Callable[[RequestState], None]) -> None:
        """Write at least one token for the songs that run.

        Args:
            on_update: Called for every request that has something new: lyrics, songs or an error.
        """

    def reset(self) -> None:
        """Drop every request."""


class SerialEngine(ABC):
    """An engine that writes the songs of one request at a time, all of them in one step."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self._state: RequestState | None = None

    @abstractmethod
    def generate(
        self,
        request: Request,
        on_progress: Callable[[tuple[str, ...]], None],
        should_stop: Callable[[], bool],
    ) -> tuple[GeneratedSong, ...]:
        """Write ``num_return_sequences`` songs for the request.

        Args:
            request: It has a seed.
            on_progress: Called after every token with the lyric of each song so far.
            should_stop: Asked between two tokens; when true, the songs that have not ended end as they stand.

        Raises:
            PromptTooLong: Where the prompt fills the model's context.
        """

    @property
    def has_room(self) -> bool:
        """Whether no request runs."""
        return self._state is None

    def add(self, state: RequestState) -> None:
        """Take a request."""
        assert self.has_room, "one request at a time"
        self._state = state

    def step(self, on_update: Callable[[RequestState], None]) -> None:
        """Write the songs of the request; ``on_update`` is called after every token."""
        state = self._state
        assert state is not None, "there is a request"

        def on_progress(lyrics: tuple[str, ...]) -> None:
            state.lyrics = lyrics
            on_update(state)

        try:
            state.songs = self.generate(state.request, on_progress, lambda: state.must_stop)
        except Exception as error:  # noqa: BLE001 - whoever asked is told, and the next one goes on
            state.error = error
        self._state = None
        on_update(state)

    def reset(self) -> None:
        """Drop the request."""
        self._state = None
