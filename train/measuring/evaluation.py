"""Measures a checkpoint: how well it foresees songs held out, and how the songs read that it writes."""

import logging
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import chain, cycle, islice
from typing import Self

import torch
from tqdm import tqdm

from model.checkpoint.folder import Checkpoint
from model.checkpoint.pretrained import load_pretrained
from model.engines.choice import load_engine
from model.engines.interface import Engine, EngineOptions, GeneratedSong, Request, RequestState
from model.engines.writing import write_requests
from model.errors import PromptTooLong, SongFailed
from model.sampling.params import SamplingParams
from model.song import Header, Song
from train.measuring.likelihood import Likelihood, measure_likelihood
from train.songs.split import Split
from train.songs.table_on_disk import Songs
from train.words.originality import Originality, measure_originality
from train.words.slips import Lyric, Slips, measure_slips
from train.words.sung import words_of
from train.words.wording import Wording, measure_wording, share

log = logging.getLogger(__name__)

MAX_TOKENS = 300
"""Tokens that a song is given to end in."""

TEMPERATURES = (0.4, 0.7, 1.0)
"""Safe, as the bot writes unless told otherwise, and daring."""

_SONGS_PER_PROMPT = 4
_OPENING_WORDS = 3
_OF_GENERATED = ("songs", "clean_endings", "whole_songs", "whole_songs_default")


@dataclass(frozen=True, slots=True)
class Sample:
    """A song to show in a report."""

    temperature: float
    prompt: str
    lyric: str


@dataclass(frozen=True, slots=True)
class Language:
    """What the words of some songs tell of them."""

    wording: Wording
    slips: Slips

    @classmethod
    def of(cls, lyrics: Sequence[Lyric], learnt: Songs) -> Self:
        """Measure lyrics; words of the songs that were learnt count as known."""
        known = frozenset(chain.from_iterable(words_of(song.lyric) for song in learnt))
        return cls(measure_wording([lyric.text for lyric in lyrics]), measure_slips(lyrics, known))

    def numbers(self) -> dict[str, float | None]:
        """Return every measurement under a name of its own."""
        return asdict(self.wording) | asdict(self.slips)


@dataclass(frozen=True, slots=True)
class Generated:
    """Measurements of the songs that a checkpoint wrote with fixed seeds."""

    songs: int
    clean_endings: float
    """Share that ended within ``MAX_TOKENS``, by the end token or at that point with a whole line."""
    whole_songs: float
    """Share that the model ended within ``MAX_TOKENS``, or that ended where no stanza, or couplet, fitted any more."""
    whole_songs_default: float
    """The same of as many songs of the default length."""
    language: Language
    originality: Originality


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything measured of one checkpoint; ``generated`` is none where no samples were asked for."""

    name: str
    likelihood: Likelihood
    generated: Generated | None
    held_out: Language
    """The same measurements of as many songs held out: what the model could reach."""

    def numbers(self) -> dict[str, float]:
        """Return every measurement that has a value under a name of its own, as ``lyrics.json`` keeps them."""
        found: dict[str, float | str | None] = {
            "loss": self.likelihood.loss,
            "perplexity": self.likelihood.perplexity,
            "word_perplexity": self.likelihood.word_perplexity,
        }
        if self.generated is not None:
            found |= {name: getattr(self.generated, name) for name in _OF_GENERATED}
            found |= self.generated.language.numbers() | asdict(self.generated.originality)
        return {name: float(value) for name, value in found.items() if isinstance(value, int | float)}


@dataclass(frozen=True, slots=True)
class _Ended:
    """A song, its title, and whether it ended cleanly, which only the text before it is cut at a line end can tell."""

    song: GeneratedSong
    is_clean: bool
    title: str | None


class Evaluator:
    """Measures a checkpoint, and has it write samples, on the GPU where there is one."""

    def __init__(self, checkpoint: Checkpoint, split: Split) -> None:
        self._checkpoint = checkpoint
        self._split = split

    @cached_property
    def _engine(self) -> Engine:
        """What writes the bot's songs, so that what is measured is what is served."""
        if torch.cuda.is_available():
            torch.cuda.empty_cache()  # What the model took that the likelihood was measured with.
        return load_engine(self._checkpoint, EngineOptions())

    def evaluate(self, samples: int, seed: int = 0) -> Evaluation:
        """Measure the checkpoint on the songs held out and on ``samples`` songs that it writes.

        Raises:
            CheckpointError: Where the checkpoint does not load.
        """
        log.info("measuring %s: loss on the songs held out, then %d songs", self._checkpoint.name, samples)
        likelihood = self._measure_likelihood()
        return Evaluation(
            name=self._checkpoint.name,
            likelihood=likelihood,
            generated=self._measure_generated(samples, seed) if samples else None,
            held_out=Language.of(
                [Lyric(song.lyric, song.header.title) for song in islice(self._split.validation, samples or None)],
                self._split.train,
            ),
        )

    def _measure_likelihood(self) -> Likelihood:
        model, tokenizer = load_pretrained(self._checkpoint)
        model.to(torch.device("cuda" if torch.cuda.is_available() else "cpu"))  # type: ignore[arg-type]
        return measure_likelihood(model, tokenizer, self._split.validation, self._checkpoint.header_fields)

    def samples(self, seed: int = 0) -> tuple[Sample, ...]:
        """Write a song for the same prompt at each of ``TEMPERATURES``."""
        sampling = SamplingParams(max_length=MAX_TOKENS, num_return_sequences=1, seed=seed)
        asked = self._request(self._split.validation[0], sampling)
        requests = [
            replace(asked, sampling=sampling.model_copy(update={"temperature": temperature}))
            for temperature in TEMPERATURES
        ]
        return tuple(
            Sample(temperature, str(asked.header) or asked.prompt, ended.song.lyric)
            for temperature, ended in zip(TEMPERATURES, self._write(requests), strict=True)
        )

    def _measure_generated(self, samples: int, seed: int) -> Generated:
        written = self._write(list(self._requests(samples, seed, MAX_TOKENS)))
        of_default_length = self._write(list(self._requests(samples, seed, SamplingParams().max_length)))
        lyrics = [Lyric(ended.song.lyric, ended.title) for ended in written]
        return Generated(
            songs=len(written),
            clean_endings=share(sum(ended.is_clean for ended in written), len(written)),
            whole_songs=_share_of_whole(written),
            whole_songs_default=_share_of_whole(of_default_length),
            language=Language.of(lyrics, self._split.train),
            originality=measure_originality([lyric.text for lyric in lyrics], self._split.train),
        )

    def _requests(self, samples: int, seed: int, max_length: int) -> Iterator[Request]:
        """Yield requests for ``samples`` songs in all, in turn for a header and for the first words of a song."""
        batches = range(0, samples, _SONGS_PER_PROMPT)
        for number, (done, song) in enumerate(zip(batches, cycle(self._split.validation), strict=False)):
            songs = min(_SONGS_PER_PROMPT, samples - done)
            sampling = SamplingParams(max_length=max_length, num_return_sequences=songs, seed=seed + number)
            yield self._request(song if number % 2 == 0 else Song(Header(), song.lyric), sampling)

    def _request(self, song: Song, sampling: SamplingParams) -> Request:
        """Return a request with the song's header, or with its first words where no header that is known is left."""
        header = song.header.keep(frozenset(self._checkpoint.header_fields))
        if str(header):
            return Request("", header, sampling)
        return Request(_first_words(song), header, sampling)

    def _write(self, requests: list[Request]) -> list[_Ended]:
        """Return the songs of requests in order.

        Raises:
            LyricsError: Where a song cannot be written.
        """
        states = list(self._follow(write_requests(self._engine, requests), requests))
        # A header may fill the context of a very small model, which its own songs then did as well.
        shorter = [
            replace(request, header=Header()) if isinstance(state.error, PromptTooLong) else request
            for request, state in zip(requests, states, strict=True)
        ]
        if shorter != requests:
            return self._write(shorter)
        return [ended for state in states for ended in _ended(state)]

    def _follow(self, states: Iterator[RequestState], requests: Sequence[Request]) -> Iterator[RequestState]:
        """Yield how requests ended, under a bar at the terminal."""
        form = "measuring {desc}: song {n_fmt} of {total_fmt} |{bar}| {elapsed}"
        total = sum(request.sampling.num_return_sequences for request in requests)
        with tqdm(
            total=total, desc=self._checkpoint.name, bar_format=form, file=sys.stderr, leave=False, disable=None
        ) as bar:
            for state in states:
                yield state
                bar.update(state.request.sampling.num_return_sequences)


def _ended(state: RequestState) -> list[_Ended]:
    songs = state.result()
    if len(songs) < len(state.lyrics):
        raise SongFailed("The model gave no usable probabilities for a song: perhaps it learnt at too high a rate.")
    return [
        _Ended(song, song.finish_reason == "stop" or text.endswith("\n"), state.request.header.title)
        for song, text in zip(songs, state.lyrics, strict=True)
    ]


def _share_of_whole(written: Sequence[_Ended]) -> float:
    return share(sum(ended.song.finish_reason == "stop" for ended in written), len(written))


def _first_words(song: Song) -> str:
    sung = song.lyric.removeprefix(song.opening_tag or "").split()
    return " ".join(islice(sung, _OPENING_WORDS))
