"""Songs on disk: a memory-mapped Arrow table that reads like a sequence of songs."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import datasets.config
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from datasets import Dataset

from model.song import BOS_TOKEN, EOS_TOKEN, HEADER_FIELDS, Header, Song

_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in HEADER_FIELDS),
        ("lyric", pa.string()),
        ("source", pa.int32()),  # which of the sources
        ("line", pa.int32()),  # of that source, from 1
        ("song", pa.int32()),  # the number of the song that this is, or is a part of
        ("digest", pa.uint64()),  # of its words: equal for songs that are the same
        ("widest", pa.int32()),  # bytes of the longest line with header and special tokens: at least its tokens
    ]
)
_BATCH = 1_000


def cache_folder() -> Path:
    """Return the folder of everything that is made once from songs; it may be deleted at any time."""
    # HF_DATASETS_CACHE is read again: the library has read it once, when it was imported.
    return Path(os.environ.get("HF_DATASETS_CACHE", datasets.config.HF_DATASETS_CACHE)).expanduser() / "lyrics"


@dataclass(frozen=True, slots=True)
class Songs:
    """Songs, or parts of songs, in order; iterating holds a thousand of them in memory at a time."""

    rows: Dataset
    key: str
    """Says what the songs are: other songs, or the same in another order, have another key."""

    @classmethod
    def of(cls, songs: Iterable[Song]) -> Self:
        """Return songs that are at hand, held in memory."""
        table = pa.Table.from_pylist([_row(song) for song in songs], schema=_SCHEMA)
        return cls(Dataset(table), _digest(*map(str, table.to_pylist())))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: int) -> Song:
        row: dict[str, Any] = self.rows[number]
        return _song(row)

    def __iter__(self) -> Iterator[Song]:
        for batch in self.rows.iter(_BATCH):
            yield from songs_of(batch)

    def select(self, numbers: Sequence[int] | npt.NDArray[np.integer[Any]]) -> Self:
        """Return the songs of these numbers, in this order."""
        chosen = np.asarray(numbers, dtype=np.int64)
        return type(self)(self.rows.select(chosen), _digest(self.key, chosen.tobytes()))

    def column(self, name: str) -> npt.NDArray[Any]:
        """Return a column of numbers."""
        return np.asarray(self.rows.with_format("numpy")[name][:])


def songs_of(batch: Mapping[str, Sequence[Any]]) -> Iterator[Song]:
    """Yield the songs of a batch of rows, column by column as datasets gives them."""
    for *header, lyric in zip(*(batch[name] for name in (*HEADER_FIELDS, "lyric")), strict=True):
        yield Song(Header(*header), lyric)


class SongWriter:
    """Writes songs to an Arrow file, a batch at a time; use it in a ``with``."""

    def __init__(self, path: Path) -> None:
        self._writer = pa.ipc.new_stream(str(path), _SCHEMA)
        self._waiting: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._flush()
        self._writer.close()

    def add(self, sample: Song, **places: int) -> None:
        """Write one song, or part of one, with the columns ``source``, ``line``, ``song`` and ``digest``."""
        self._waiting.append(_row(sample, **places))
        if len(self._waiting) == _BATCH:
            self._flush()

    def _flush(self) -> None:
        self._writer.write_batch(pa.RecordBatch.from_pylist(self._waiting, schema=_SCHEMA))
        self._waiting.clear()


def _row(sample: Song, **places: int) -> dict[str, Any]:
    around = len(f"{BOS_TOKEN}{sample.header}\n{EOS_TOKEN}".encode())
    widest = around + max(len(line.encode()) for line in sample.lyric.split("\n"))
    own = {name: getattr(sample.header, name) for name in HEADER_FIELDS}
    return own | {"lyric": sample.lyric, "widest": widest} | places


def _song(row: Mapping[str, Any]) -> Song:
    return Song(Header(**{name: row[name] for name in HEADER_FIELDS}), row["lyric"])


def _digest(*parts: str | bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else part.encode()
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()
