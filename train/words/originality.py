"""How much of what a model writes is copied from the songs that it learnt."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from model.song import Song
from train.words.sung import words_of
from train.words.wording import share

RUN = 8
"""Words in a row that hardly two writers choose alike; shorter runs are mostly idiom."""


@dataclass(frozen=True, slots=True)
class Originality:
    """What generated lyrics share with the training songs; words are compared without case and punctuation."""

    copied_runs: float
    """Share of the runs of ``RUN`` words that stand in a training song."""
    longest_run: int
    """Words in the longest run that stands in a training song."""
    longest_text: str
    longest_source: str
    """Title of the song it stands in, or that song's first line where it has no title."""


def measure_originality(lyrics: Sequence[str], songs: Iterable[Song]) -> Originality:
    """Compare generated lyrics with the training songs in time linear in both.

    Only the lyrics are indexed, and each training song streams past them once, so a training text of any size takes
    no more memory than its longest song.
    """
    generated = [words_of(lyric) for lyric in lyrics]
    runs = [run for song in generated for run in _runs(song)]
    wanted, copied = set(runs), set[tuple[str, ...]]()
    automaton = _SuffixAutomaton(generated)
    longest, source = list[str](), ""
    for song in songs:
        sung = words_of(song.lyric)
        copied.update(wanted.intersection(_runs(sung)))
        start, end = automaton.longest_match(sung)
        if end - start > len(longest):
            longest, source = sung[start:end], song.header.title or _first_line(song)
    return Originality(share(sum(run in copied for run in runs), len(runs)), len(longest), " ".join(longest), source)


def _runs(sung: Sequence[str]) -> list[tuple[str, ...]]:
    return [tuple(sung[start : start + RUN]) for start in range(len(sung) - RUN + 1)]


def _first_line(song: Song) -> str:
    lines = song.lyric.splitlines()
    return lines[1] if song.opening_tag and len(lines) > 1 else lines[0]


class _SuffixAutomaton:
    """The smallest automaton that knows every run of words in the texts (Blumer et al. 1985).

    State 0 is the empty run. ``_link`` leads to the longest suffix of a state's runs that other contexts have too.
    """

    def __init__(self, texts: Iterable[Sequence[str]]) -> None:
        self._next: list[dict[Hashable, int]] = [{}]
        self._link = [-1]
        self._length = [0]
        last = 0
        for number, text in enumerate(texts):
            # A number is no word, so that no run goes across the end of a text.
            for word in (*text, number):
                last = self._extend(last, word)

    def longest_match(self, sung: Sequence[str]) -> tuple[int, int]:
        """Return start and end of the first longest run of ``sung`` that stands in the texts."""
        state = length = best_length = best_end = 0
        for end, word in enumerate(sung, start=1):
            while state and word not in self._next[state]:
                state = self._link[state]
                length = self._length[state]
            if word in self._next[state]:
                state = self._next[state][word]
                length += 1
            if length > best_length:
                best_length, best_end = length, end
        return best_end - best_length, best_end

    def _extend(self, last: int, word: Hashable) -> int:
        """Append a word after the state ``last`` of the whole text; return the new state of the whole text."""
        new = self._add_state({}, -1, self._length[last] + 1)
        state = last
        while state != -1 and word not in self._next[state]:
            self._next[state][word] = new
            state = self._link[state]
        if state == -1:
            self._link[new] = 0
            return new
        target = self._next[state][word]
        if self._length[target] == self._length[state] + 1:
            self._link[new] = target
            return new
        clone = self._add_state(dict(self._next[target]), self._link[target], self._length[state] + 1)
        while state != -1 and self._next[state].get(word) == target:
            self._next[state][word] = clone
            state = self._link[state]
        self._link[target] = self._link[new] = clone
        return new

    def _add_state(self, edges: dict[Hashable, int], link: int, length: int) -> int:
        self._next.append(edges)
        self._link.append(link)
        self._length.append(length)
        return len(self._next) - 1
