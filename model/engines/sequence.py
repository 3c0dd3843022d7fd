"""Songs while they are written: what was drawn of each, when it ends, and what is given back of a request."""

import random
from collections import deque
from dataclasses import dataclass, field

from model.checkpoint.tokenizer import SongTokenizer
from model.engines.interface import FinishReason, GeneratedSong, RequestState
from model.engines.lyric_rules import LyricRules
from model.errors import GenerationStopped, SongFailed
from model.network.cache import KVCache
from model.sampling.params import SamplingParams
from model.song import cut_at_line_end, without_open_end


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
        self._text = tokenizer.stream(group.prompt_ids)
        # The numbers are those of this song alone, so that they are the same whoever else sings.
        self._random = random.Random(f"{sampling.seed or 0}/{number}")  # noqa: S311 - it keeps no secret
        self.uniform = self._random.random()
        """In [0, 1): decides what the next token is."""
        self.returning: deque[int] = deque()
        """Tokens that come next without being drawn: of a chorus that has opened again."""
        self.counts = True
        """Whether the repetition penalty counts the last token."""

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

    @property
    def lyric(self) -> str:
        """What is written of the song, the prompt included, whole characters only."""
        return self.group.opening + self.text

    def push(self, token: int) -> FinishReason | None:
        """Add a token; return why the song ends with it, if it does. One that has no text fails the song."""
        before = self.lyric
        self.tokens.append(token)
        self.uniform = self._random.random()
        if token in self._tokenizer.ends:
            if not self.group.rules.line_by_line:
                return "stop"
            token = self.tokens[-1] = self._begin_line()
        try:
            self.counts = self.group.rules.counts(self._tokenizer.text_of(token), before)
            self._text.push(token)
            if not self.returning and self.lyric != before and self.lyric.endswith("\n") and self._ends_with_line():
                return "stop"
        except SongFailed as error:
            self.error = error
            return "cancelled"
        return "length" if len(self.tokens) >= self.group.max_length else None

    def _begin_line(self) -> int:
        """Return the token that stands for the end of a line, and let those come back after which a line begins.

        A model of single lines has learnt how one begins after its start token only; it still reads the lines before.
        """
        start = [] if self._tokenizer.start_id is None else [self._tokenizer.start_id]
        at_line_start = self.lyric.endswith("\n") and start
        first, *rest = start if at_line_start else [*self._tokenizer.split("\n"), *start]
        self.returning.extend(rest)
        return first

    def _ends_with_line(self) -> bool:
        """Return whether the song ends with the line that has just ended; if not, see which lines come back now."""
        room = (self.group.max_length - len(self.tokens)) * len(self.text) / len(self.tokens)
        lines = self.group.rules.returning(self.lyric)
        if lines is not None and len(lines) <= room:
            self.returning.extend(self._tokenizer.split(lines))
            return False
        return self.group.rules.ends(self.lyric, room if lines is None else 0)

    def song(self, reason: FinishReason) -> GeneratedSong:
        """Return the song as it ends: where the model did not end it, with its last whole line."""
        kept = without_open_end(self.text) if reason == "stop" else cut_at_line_end(self.text)
        return GeneratedSong((self.group.opening + kept).strip(), reason, len(self.tokens))


@dataclass(eq=False)
class SequenceGroup:
    """The songs of one request, in the batch or waiting for it: their prompt, and what has become of them."""

    state: RequestState
    rules: LyricRules
    opening: str
    """What every lyric opens with: the opening tag and the prompt."""
    prompt_ids: list[int]
    counted: list[int]
    """Those that the repetition penalty counts, -1 in the place of any other."""
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
        self._lyrics[sequence.number] = sequence.lyric

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
