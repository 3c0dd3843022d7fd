"""What the service asks of an engine, and what an engine gives back."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from model.checkpoint import Checkpoint
from model.sampling import SamplingParams
from model.song import Header

FinishReason = Literal["stop", "length", "cancelled"]
"""Why a song ended: the model closed it, it reached its length, or its reader asked for it as it stood."""


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """A wish for songs: the opening words of the lyric, its header, and how to sample what follows.

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


class Engine(Protocol):
    """Turns a request into songs. Made, called and dropped on one thread only."""

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint that is served."""

    def generate(
        self,
        request: GenerationRequest,
        on_progress: Callable[[tuple[str, ...]], None],
        should_stop: Callable[[], bool],
    ) -> tuple[GeneratedSong, ...]:
        """Write ``num_return_sequences`` songs for the request.

        Args:
            request: The wish, with a seed.
            on_progress: Called after every token with the lyric of each song so far.
            should_stop: Asked between two tokens; when true, the songs that have not ended end as they stand.

        Raises:
            PromptTooLong: Where the prompt fills the model's context.
        """
