"""From a file of songs to tokenized training and validation sets."""

import hashlib
import logging
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset, load_dataset
from datasets.exceptions import DatasetGenerationError
from transformers import PreTrainedTokenizerBase

from model.errors import LyricsError
from model.song import EOS_TOKEN, HEADER_FIELDS, Header, Song, parse_song

log = logging.getLogger(__name__)

MIN_SONGS = 2
"""One to learn from and one to hold out."""


class DataError(LyricsError):
    """The training data cannot be used as it is."""


@dataclass(frozen=True, slots=True)
class Split:
    """Songs to learn and songs held out; no text stands on both sides."""

    train: tuple[Song, ...]
    validation: tuple[Song, ...]

    @property
    def songs(self) -> tuple[Song, ...]:
        """Every song."""
        return self.train + self.validation

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all songs, in reading order within each side."""
        digest = hashlib.sha256()
        for song in self.songs:
            digest.update(str(song).encode())
        return digest.hexdigest()

    @property
    def header_fields(self) -> tuple[str, ...]:
        """The header fields that at least one song to learn has."""
        present = {name for song in self.train for name, _ in song.header.items()}
        return tuple(name for name in HEADER_FIELDS if name in present)

    @property
    def opening_tag(self) -> str | None:
        """The section tag that more than half of the songs to learn open with, if there is one."""
        ((tag, count),) = Counter(song.opening_tag for song in self.train).most_common(1)
        return tag if count > len(self.train) / 2 else None


def read_songs(path: Path) -> list[Song]:
    """Read every distinct song in a text or JSON Lines file, in order.

    Raises:
        DataError: Where the file is missing, not UTF-8 text, or holds fewer than ``MIN_SONGS`` songs.
    """
    if not path.is_file():
        raise DataError(f"There is no file {path}: give the path of a file of songs.")
    songs = _read_json_lines(path) if ".jsonl" in path.suffixes else _read_text(path)
    distinct = list(dict.fromkeys(song for song in songs if song.lyric))
    if len(distinct) < MIN_SONGS:
        raise DataError(
            f"{path} holds {len(distinct)} distinct songs, and training needs {MIN_SONGS}: "
            f"put a line {EOS_TOKEN} after each song."
        )
    return distinct


def split_songs(songs: Sequence[Song], validation_fraction: float, seed: int) -> Split:
    """Hold out a random share of the songs, at least one, and leave at least one to learn from."""
    shuffled = random.Random(seed).sample(songs, len(songs))  # noqa: S311 - a split, not a secret
    held_out = min(max(1, round(len(songs) * validation_fraction)), len(songs) - 1)
    return Split(train=tuple(shuffled[held_out:]), validation=tuple(shuffled[:held_out]))


def tokenize(
    songs: Iterable[Song], tokenizer: PreTrainedTokenizerBase, context: int, num_proc: int | None = None
) -> Dataset:
    """Tokenize songs into columns ``input_ids``, ``attention_mask``, ``labels`` and ``length``.

    A song longer than ``context`` tokens becomes several samples of at most that length.
    """

    def encode(batch: Mapping[str, list[str]]) -> dict[str, list[Any]]:
        encoded = tokenizer(
            batch["text"],
            add_special_tokens=False,
            truncation=True,
            max_length=context,
            return_overflowing_tokens=True,
        )
        ids = encoded["input_ids"]
        return {
            "input_ids": ids,
            "attention_mask": encoded["attention_mask"],
            "labels": ids,
            "length": [len(row) for row in ids],
        }

    texts = Dataset.from_dict({"text": [str(song) for song in songs]})
    return texts.map(encode, batched=True, remove_columns="text", num_proc=num_proc, desc="Tokenizing")


def _read_text(path: Path) -> list[Song]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text ({error.reason}, byte {error.start}): save it as UTF-8.") from error
    return [parse_song(part) for part in text.split(EOS_TOKEN)]


def _read_json_lines(path: Path) -> list[Song]:
    try:
        rows = load_dataset("json", data_files=str(path), split="train")
    except DatasetGenerationError as error:
        reason = str(error.__cause__).partition("\n")[0]
        raise DataError(f"{path} is not JSON Lines ({reason}): put one JSON object on each line.") from error
    if "text" not in rows.column_names:
        raise DataError(
            f"{path} has no field 'text' (it has {', '.join(rows.column_names)}): rename the lyrics' field."
        )
    fields = [name for name in HEADER_FIELDS if name in rows.column_names]
    return [Song(Header(**{name: _text(row[name]) for name in fields}), _text(row["text"])) for row in rows]


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()
