"""What looks wrong in songs and may be meant: shown by ``check``, never changed."""

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from model.song import SECTION_TAG

MIN_SONGS = 10
"""Songs from which on what they share, and what one of them differs in, says something."""

_SHARE = 0.2
_MIN_SHARED = 5
_MAJORITY = 0.8
_SAMPLED = 1_000
"""Songs whose language is looked at, spread over all."""

_SAMPLE = 600
_MIN_LETTERS = 150
_MAX_LINES = 200_000
_TAIL = 4
_REPEAT = re.compile(r"[(\[]?\b[xX×]\s?\d{1,2}\b[)\]]?[ \t]*$|[(\[]\d{1,2}\s?[xX×][)\]]", re.MULTILINE)  # noqa: RUF001
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Suspicion:
    """One thing that looks wrong."""

    kind: str
    songs: int
    places: tuple[str, ...]
    example: str


@dataclass(slots=True)
class Suspicions:
    """Looks at songs, one after the other, for what they have in common, and what one does not."""

    _songs: int = 0
    _repeats: list[str] = field(default_factory=list)
    _num_repeats: int = 0
    _repeat: str = ""
    _ends: Counter[str] = field(default_factory=Counter)
    _ends_at: dict[str, list[str]] = field(default_factory=dict)
    _texts: list[tuple[str, str]] = field(default_factory=list)
    _stride: int = 1

    def add(self, lyric: str, place: str) -> None:
        """Look at a song."""
        self._songs += 1
        if ("x" in lyric or "X" in lyric or "×" in lyric) and (match := _REPEAT.search(lyric)):  # noqa: RUF001
            self._num_repeats += 1
            if len(self._repeats) < _TAIL:
                self._repeats.append(place)
                self._repeat = self._repeat or lyric[: match.end()].rpartition("\n")[2]
        for end in _ends_of(lyric):
            if end in self._ends or len(self._ends) < _MAX_LINES:
                self._ends[end] += 1
                at = self._ends_at.setdefault(end, [])
                if len(at) < _TAIL:
                    at.append(place)
        if self._songs % self._stride == 0:
            self._texts.append((place, lyric[:_SAMPLE]))
        if len(self._texts) == 2 * _SAMPLED:
            self._texts, self._stride = self._texts[1::2], 2 * self._stride

    def found(self) -> Iterator[Suspicion]:
        """Yield everything that looks wrong."""
        if self._num_repeats:
            yield Suspicion("how often a line is sung, as (x4)", self._num_repeats, tuple(self._repeats), self._repeat)
        if self._songs >= MIN_SONGS:
            yield from self._shared()
            yield from _other_languages(self._texts)

    def _shared(self) -> Iterator[Suspicion]:
        told: list[str] = []
        for end, count in self._ends.most_common(20):
            if count < max(_MIN_SHARED, _SHARE * self._songs) or any(end in each or each in end for each in told):
                continue
            told.append(end)
            yield Suspicion("the same first or last words in many songs", count, tuple(self._ends_at[end]), end)


def _ends_of(lyric: str) -> set[str]:
    """Return the first and the last line of a song, and its last words, where they are more than a few."""
    lines = [line for line in lyric.split("\n") if line.strip() and not SECTION_TAG.fullmatch(line.strip())]
    if not lines:
        return set()
    tail = " ".join(lines[-1].split()[-_TAIL:])
    return {text for text in (lines[0], lines[-1], tail) if len(text.split()) >= _TAIL}


def _other_languages(texts: Sequence[tuple[str, str]]) -> Iterator[Suspicion]:
    """Yield the songs that are not in the language of nearly all others."""
    long = [(place, text) for place, text in texts if sum(map(len, _WORD.findall(text))) >= _MIN_LETTERS]
    if len(long) < MIN_SONGS:
        return
    from py3langid.langid import classify  # noqa: PLC0415 - its model takes seconds to load

    languages = [(classify(text)[0], place, text) for place, text in long]
    (common, count), *_ = Counter(language for language, _, _ in languages).most_common(1)
    if count == len(long) or count < _MAJORITY * len(long):
        return
    others = sorted(each for each in languages if each[0] != common)
    for language, group in itertools.groupby(others, key=lambda each: each[0]):
        found = list(group)
        places = tuple(place for _, place, _ in found)
        kind = f"in another language than the rest ({language}, not {common})"
        yield Suspicion(kind, len(found), places, found[0][2].split("\n")[0])
