"""Which songs make up each training step, and how a batch of them becomes tensors without wasted tokens.

Everything here follows from the seed and the epoch alone, so that a resumed run sees what it would have seen, and
several processes share a step without speaking to each other.
"""

import itertools
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from datasets import Dataset
from torch.utils.data import Dataset as TorchDataset
from torch.utils.data import Sampler
from transformers import PreTrainedTokenizerBase

from model.song import HEADER_FIELDS

IGNORED = -100
"""The label that the loss leaves out."""

_GROUP_STEPS = 50
"""Songs are sorted by length within this many steps: little padding, and still a new mix in every epoch."""

_BARE_SHARE = 0.3
_FIELD_SHARE = 0.7

Batch = dict[str, torch.Tensor]
"""What the model takes: ``input_ids``, ``labels`` and, where songs share a row, ``position_ids``."""


@dataclass(frozen=True, slots=True)
class Draw:
    """One song as it is drawn in one epoch; one that does not count stands in where a process has none."""

    epoch: int
    index: int
    counts: bool = True


@dataclass(frozen=True, slots=True)
class Share:
    """The part of each step that this process computes: every step is cut into ``passes * world`` parts."""

    passes: int = 1
    rank: int = 0
    world: int = 1


class StepSampler(Sampler[list[Draw]]):
    """Yields this process's passes, step after step, for the epoch that is set.

    A step is the same songs whatever the number of processes and passes, and every process gets ``passes`` batches
    for each, the last and shorter step included.
    """

    def __init__(
        self, lengths: Sequence[int], songs_per_step: int, share: Share, *, seed: int, grouped: bool = True
    ) -> None:
        self.epoch = 0
        self.lengths = lengths
        self._songs_per_step = songs_per_step
        self._share = share
        self._seed = seed
        self._grouped = grouped

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return math.ceil(len(self.lengths) / self._songs_per_step) * self._share.passes

    def __iter__(self) -> Iterator[list[Draw]]:
        share = self._share
        for step in self._steps():
            for number in range(share.rank, share.passes * share.world, share.world):
                part = [Draw(self.epoch, index) for index in step[number :: share.passes * share.world]]
                yield part or [Draw(self.epoch, step[0], counts=False)]

    def _steps(self) -> list[tuple[int, ...]]:
        rng = random.Random(f"{self._seed}:{self.epoch}")  # noqa: S311 - an order, not a secret
        order = rng.sample(range(len(self.lengths)), len(self.lengths))
        if not self._grouped:
            return list(_batched(order, self._songs_per_step))
        groups = _batched(order, self._songs_per_step * _GROUP_STEPS)
        by_length = [sorted(group, key=lambda index: self.lengths[index]) for group in groups]
        steps = [step for group in by_length for step in _batched(group, self._songs_per_step)]
        rng.shuffle(steps)
        return steps


class HeaderDropper:
    """Leaves random header lines out of tokenized songs, a different part in every epoch.

    It works on tokens, since GPT-2's never cross the end of a line: that costs microseconds, where tokenizing anew
    costs a song's time. Where a tokenizer does otherwise the lines are not found, and the songs stay whole.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._newline = tokenizer.encode("\n", add_special_tokens=False)
        self._openings = [tokenizer.encode(f"{name}:", add_special_tokens=False) for name in HEADER_FIELDS]
        self._bos = tokenizer.bos_token_id

    def drop(self, ids: list[int], rng: random.Random) -> list[int]:
        """Return the tokens of a song with a random part of its header, or with none."""
        bare = rng.random() < _BARE_SHARE
        kept = [not bare and rng.random() < _FIELD_SHARE for _ in HEADER_FIELDS]
        lines, lyric = self._parse(ids)
        if not lines:
            return ids
        header = [token for keep, line in zip(kept, lines, strict=True) if keep for token in line]
        return [self._bos, *header, *(self._newline if header else ()), *ids[lyric:]]

    def _parse(self, ids: list[int]) -> tuple[list[list[int]], int]:
        """Return the tokens of each field's line, empty where it is missing, and where the lyric begins."""
        if len(self._newline) != 1 or ids[0] != self._bos:
            return [], 0
        position, lines = 1, []
        for opening in self._openings:
            end = position
            if ids[position : position + len(opening)] == opening and self._newline[0] in ids[position:]:
                end = ids.index(self._newline[0], position) + 1
            lines.append(ids[position:end])
            position = end
        ends_blank = position > 1 and ids[position : position + 1] == self._newline
        return (lines, position + 1) if ends_blank else ([], 0)


class DrawnSongs(TorchDataset[list[int]]):
    """Tokenized songs, drawn by ``Draw``."""

    def __init__(self, rows: Dataset, dropper: HeaderDropper, seed: int) -> None:
        self._rows = rows
        self._dropper = dropper
        self._seed = seed

    def __len__(self) -> int:
        """Return the number of songs."""
        return len(self._rows)

    def __getitems__(self, draws: Sequence[Draw]) -> list[tuple[list[int], bool]]:
        """Return the tokens of each song that is drawn, and whether it counts."""
        rows: list[list[int]] = self._rows[[draw.index for draw in draws]]["input_ids"]
        return [
            (self._dropper.drop(ids, random.Random(f"{self._seed}:{draw.epoch}:{draw.index}")), draw.counts)  # noqa: S311
            for ids, draw in zip(rows, draws, strict=True)
        ]


def pad(songs: Sequence[tuple[list[int], bool]]) -> Batch:
    """Return a row for each song, (songs, longest), padded at the end.

    No attention mask: what is at a row's end is after every real token, which attends to what is before it alone.
    """
    width = max(len(ids) for ids, _ in songs)
    rows = [(ids + [0] * (width - len(ids)), _labels(ids, counts, width)) for ids, counts in songs]
    return {
        "input_ids": torch.tensor([ids for ids, _ in rows]),
        "labels": torch.tensor([labels for _, labels in rows]),
    }


def pack(songs: Sequence[tuple[list[int], bool]], capacity: int) -> Batch:
    """Return rows of at most ``capacity`` tokens with whole songs one after another, (rows, fullest).

    Positions begin anew with each song, by which transformers keeps attention inside it, and a song's first token
    is nobody's label. The padding at a row's end is a song of its own. The model must not make a cache: with one,
    transformers looks for no songs in a row.
    """
    rows: list[list[tuple[list[int], bool]]] = []
    for song in sorted(songs, key=lambda song: -len(song[0])):
        room = (row for row in rows if sum(len(ids) for ids, _ in row) + len(song[0]) <= capacity)
        row = next(room, None)
        if row is None:
            rows.append([song])
        else:
            row.append(song)
    width = max(sum(len(ids) for ids, _ in row) for row in rows)
    filled = [[*row, ([0] * (width - sum(len(ids) for ids, _ in row)), False)] for row in rows]
    return {
        "input_ids": torch.tensor([[token for ids, _ in row for token in ids] for row in filled]),
        "labels": torch.tensor(
            [[label for ids, counts in row for label in _labels(ids, counts, len(ids))] for row in filled]
        ),
        "position_ids": torch.tensor([[place for ids, _ in row for place in range(len(ids))] for row in filled]),
    }


def validation_batches(rows: Dataset, tokens: int, share: Share) -> Iterator[Batch]:
    """Yield this process's part of all songs once, padded, the longest first, some ``tokens`` to a batch."""
    lengths = list(rows["length"])
    order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    start = 0
    for number in itertools.count():
        if start >= len(order):
            return
        count = max(1, tokens // lengths[order[start]])
        if number % share.world == share.rank:
            yield pad([(ids, True) for ids in rows[order[start : start + count]]["input_ids"]])
        start += count


def real_tokens(batch: Mapping[str, Any]) -> int:
    """Return the number of tokens that the loss counts."""
    return int((batch["labels"][..., 1:] != IGNORED).sum())


def _labels(ids: list[int], counts: bool, width: int) -> list[int]:  # noqa: FBT001
    known = [IGNORED, *ids[1:]] if counts and ids else [IGNORED] * len(ids)
    return known + [IGNORED] * (width - len(ids))


def _batched(items: Sequence[int], size: int) -> Iterator[tuple[int, ...]]:
    """Yield the items in tuples of ``size``, the last maybe shorter (itertools.batched is newer than Python 3.11)."""
    for start in range(0, len(items), size):
        yield tuple(items[start : start + size])
