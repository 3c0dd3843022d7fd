"""Songs to learn and songs held out."""

import hashlib
from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from model.song import HEADER_FIELDS
from model.structure import count_choruses
from train.songs.reading import Reading
from train.songs.table_on_disk import Songs

NUM_VALUES = 100
"""Values of a header field that a checkpoint remembers, to suggest them."""

_NEARLY_ALL = 0.95

MAX_VALUE = 100
"""Characters of such a value at most; longer ones are sentences, not names of anything."""


@dataclass(frozen=True)
class Split:
    """Songs to learn and songs held out; no song stands on both sides, nor does one that is nearly it."""

    train: Songs
    validation: Songs

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all songs, in reading order within each side; reads all of them, once."""
        digest = hashlib.sha256()
        for side in (self.train, self.validation):
            for song in side:
                digest.update(str(song).encode())
        return digest.hexdigest()

    @cached_property
    def header_fields(self) -> tuple[str, ...]:
        """The header fields that at least one song to learn has; reads all of them, once."""
        present = {name for song in self.train for name, _ in song.header.items()}
        return tuple(name for name in HEADER_FIELDS if name in present)

    @cached_property
    def header_values(self) -> dict[str, tuple[str, ...]]:
        """The most common values of each field but the title, which is a song's own; reads all songs, once."""
        counts: dict[str, Counter[str]] = {name: Counter() for name in self.header_fields if name != "title"}
        for song in self.train:
            for name, value in song.header.items():
                if name in counts and len(value) <= MAX_VALUE:
                    counts[name][value] += 1
        return {name: tuple(value for value, _ in count.most_common(NUM_VALUES)) for name, count in counts.items()}

    @cached_property
    def opening_tag(self) -> str | None:
        """The section tag that more than half of the songs to learn open with, if any; reads all of them, once."""
        ((tag, count),) = Counter(song.opening_tag for song in self.train).most_common(1)
        return tag if count > len(self.train) / 2 else None

    @cached_property
    def has_stanzas(self) -> bool:
        """Whether more than half of the songs to learn have several lines: then lines are what they are made of."""
        return sum("\n" in song.lyric for song in self.train) > len(self.train) / 2

    @cached_property
    def has_single_lines(self) -> bool:
        """Whether nearly all songs to learn are one line, as in data of a line a sample; reads all of them, once."""
        return sum("\n" not in song.lyric for song in self.train) >= _NEARLY_ALL * len(self.train)

    @cached_property
    def choruses_return(self) -> bool:
        """Whether, in the songs to learn, most choruses after the first repeat it; reads all of them, once."""
        counts = [count_choruses(song.lyric) for song in self.train]
        return sum(repeated for _, repeated in counts) > sum(later for later, _ in counts) / 2


def split_songs(reading: Reading, validation_fraction: float, seed: int) -> Split:
    """Hold out about a share of the songs, at least one, and leave at least one to learn from.

    Songs of one group (near duplicates, and the stanzas or lines of one song) stay together. Which groups are held
    out depends on ``seed`` and on their words alone, not on the order of the sources.
    """
    groups = reading.groups
    names, number_of, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    least = np.full(len(names), np.iinfo(np.uint64).max, dtype=np.uint64)
    np.minimum.at(least, number_of, reading.songs.column("digest"))
    order = sorted(range(len(names)), key=lambda number: hashlib.sha256(f"{seed} {least[number]}".encode()).digest())
    wanted = min(max(1, round(len(groups) * validation_fraction)), len(groups) - 1)
    held_out, count = [], 0
    for number in order:
        if count + sizes[number] <= wanted:
            held_out.append(number)
            count += sizes[number]
    if not held_out:  # Every group is larger than the share: the smallest is nearest to it.
        held_out.append(min(order, key=sizes.__getitem__))
    outside = np.isin(number_of, held_out)
    return Split(
        train=reading.songs.select(np.flatnonzero(~outside)), validation=reading.songs.select(np.flatnonzero(outside))
    )
