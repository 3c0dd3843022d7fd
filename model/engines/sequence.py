"""Songs while they are written: what was drawn of each, when it ends, and what is given back of a request."""

import random
from collections import deque
from dataclasses import dataclass, field

from model.checkpoint.tokenizer import SongTokenizer
from model.engines.interface import FinishReason, GeneratedSong, RequestState
from model.errors import GenerationStopped
from model.network.cache import KVCache
from model.sampling.params import SamplingParams
from model.song import cut_at_line_end


class Sequence:
    """One song while it is written.

    Args:
        group: The request that it is of.
        number: Which of the request's songs, from 0.
        tokenizer: Makes text of tokens.
    """

    def __init__(self, group: "SequenceGroup", number: int, tokenizer: SongTokenizer) -> None:
        sampling = group.state.request.sampling
        self.group = group
        self.number = number
        self.tokens: list[int] = []
        self.error: Exception | None = None
        self._tokenizer = tokenizer
        self._text = tokenizer.stream()
        # The numbers are those of this song alone, so that they are the same whoever else sings.
        self._random = random.Random(f"{sampling.seed or 0}/{number}")  # noqa: S311 - it keeps no secret
        self.uniform = self._random.random()
        """In [0, 1): decides what the next token is."""

    @property
    def sampling(self) -> SamplingParams:
        """How its tokens are drawn."""
        return self.group.state.request.sampling

    @property
    def text(self) -> str:
        """What was written after the prompt, whole characters only."""
        return self._text.text

    @property
    def last_token(self) -> int:
        """The token that is to be read next."""
        return self.tokens[-1] if self.tokens else self.group.prompt_ids[-1]

    @property
    def length(self) -> int:
        """How many tokens stand before it, in prompt and song."""
        return len(self.group.prompt_ids) + len(self.tokens) - 1

    def push(self, token: int) -> FinishReason | None:
        """Add a token; return why the song ends with it, if it does."""
        self.tokens.append(token)
        self.uniform = self._random.random()
        if token == self._tokenizer.end_id:
            return "stop"
        self._text.push(token)
        return "length" if len(self.tokens) >= self.group.max_length else None

    def song(self, reason: FinishReason) -> GeneratedSong:
        """Return the song as it ends: where the model did not end it, with its last whole line."""
        written = self._tokenizer.decode(self.tokens[:-1] if reason == "stop" else self.tokens)
        kept = written if reason == "stop" else cut_at_line_end(written)
        return GeneratedSong((self.group.opening + kept).strip(), reason, len(self.tokens))


@dataclass(eq=False)
class SequenceGroup:
    """The songs of one request, in the batch or waiting for it: their prompt, and what has become of them."""

    state: RequestState
    opening: str
    """What every lyric opens with: the opening tag and the prompt."""
    prompt_ids: list[int]
    max_length: int
    """Tokens to write, as the context allows."""
    cache: KVCache | None
    """Of the prompt without its last token, which each song reads itself; none once no song waits for it."""
    num_read: int = 0
    """Tokens of the prompt that are in the cache."""
    waiting: deque[int] = field(init=False)
    """The numbers of the songs that have no row yet."""
    running: dict[int, Sequence] = field(init=False, default_factory=dict)
    _songs: dict[int, GeneratedSong] = field(init=False, default_factory=dict)
    _lyrics: list[str] = field(init=False)
    _error: Exception | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        count = self.state.request.sampling.num_return_sequences
        self.waiting = deque(range(count))
        self._lyrics = [self.opening] * count

    @property
    def is_read(self) -> bool:
        """Whether songs can start from the prompt's cache."""
        return self.num_read == len(self.prompt_ids) - 1

    def note(self, sequence: Sequence) -> None:
        """Take the text that a sequence has by now."""
        self._lyrics[sequence.number] = self.opening + sequence.text

    def end(self, sequence: Sequence, reason: FinishReason) -> None:
        """Take a song that has ended; one that failed, or has not a token, leaves no song."""
        self.note(sequence)
        del self.running[sequence.number]
        self._error = self._error or sequence.error
        if sequence.tokens and sequence.error is None:
            self._songs[sequence.number] = sequence.song(reason)

    def publish(self) -> None:
        """Write into the request how far its songs are, or how they ended."""
        self.state.lyrics = tuple(self._lyrics)
        if self.waiting or self.running:
            return
        if self._songs:
            self.state.songs = tuple(self._songs[number] for number in sorted(self._songs))
        else:
            self.state.error = self._error or GenerationStopped("Stopped before anything was written.")
