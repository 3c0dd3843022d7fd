"""Songs as tokens on disk, cut to what the model takes at once.

A song over the context becomes pieces, cut between two stanzas, or between two lines where a stanza alone is too
long, never inside a line. Every piece has the header, since that is what the words are about. Only the first has
the start token and only the last the end token: a piece with an end token of its own would teach the model to stop
at the context instead of where a song is over, and one with a start token would teach it to open in mid-song.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from datasets import Dataset, Features, List, Value
from transformers import PreTrainedTokenizerBase

from model.song import BOS_TOKEN, EOS_TOKEN, Header, Song, format_prompt
from train.songs.problems import Problem
from train.songs.reading import Reading
from train.songs.table_on_disk import Songs, cache_folder, songs_of

PARALLEL_FROM = 5_000
"""Samples from which on several processes are worth starting."""

BATCH = 200
"""Samples that a process tokenizes at a time: what a tokenizer keeps of each token takes a hundred bytes and more."""

_FORMAT = 1
"""Part of every cache key: raise it when the same songs are to become other tokens."""

_FEATURES = Features({"input_ids": List(Value("int32")), "length": Value("int32")})

Measure = Callable[[list[str]], list[int]]
"""Returns the number of tokens of each text."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """A song cut to a context: texts with their special tokens, and the lines that fit in none."""

    texts: tuple[str, ...]
    left_out: tuple[str, ...]


def tokenize(
    songs: Songs,
    tokenizer: PreTrainedTokenizerBase,
    context: int,
    *,
    workers: int | None = None,
) -> Dataset:
    """Return the tokens of songs, memory-mapped: columns ``input_ids`` and ``length``, at most ``context`` each.

    The second time they come from the cache. ``workers`` is the number of processes; the default is one a core for
    ``PARALLEL_FROM`` songs or more, else one.
    """

    def encode(batch: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
        rows = list(_encode(list(songs_of(batch)), tokenizer, context))
        return {"input_ids": rows, "length": [len(row) for row in rows]}

    if workers is None:
        workers = (os.cpu_count() or 1) if len(songs) >= PARALLEL_FROM else 1
    key = _key(songs, tokenizer, context)
    file = cache_folder() / f"tokens-{key}.arrow"
    file.parent.mkdir(parents=True, exist_ok=True)
    return songs.rows.map(
        encode,
        batched=True,
        batch_size=BATCH,
        remove_columns=songs.rows.column_names,
        features=_FEATURES,
        num_proc=workers if workers > 1 else None,
        cache_file_name=str(file),
        load_from_cache_file=True,
        new_fingerprint=key,
        desc="Tokenizing",
    )


def cut(song: Song, measure: Measure, context: int, ends: tuple[str, str] = (BOS_TOKEN, EOS_TOKEN)) -> Pieces:
    """Cut a song, between its start and its end token, into texts of at most ``context`` tokens."""
    header, lines = song.header, song.lyric.split("\n")
    head, around, *sizes = measure([f"{header}\n", "".join(ends), *(f"{line}\n" for line in lines)])
    if head > context // 2:
        header, head = Header(), 0
    room = context - around - head
    while True:
        left_out = tuple(line for line, size in zip(lines, sizes, strict=True) if size > room)
        kept = [(line, size) for line, size in zip(lines, sizes, strict=True) if size <= room]
        texts = _render(header, list(_pack(list(_blocks(kept, room)), room)), ends)
        over = max(measure(texts), default=0) - context
        if over <= 0:
            return Pieces(texts=tuple(texts), left_out=left_out)
        room -= over  # This tokenizer makes more of a text than of its lines.


def find_long_lines(reading: Reading, tokenizer: PreTrainedTokenizerBase, context: int) -> list[Problem]:
    """Return a problem for every line that is longer than the context, and so cannot be learnt."""
    problems = []
    # A token has a byte at least, so most songs need not be looked at.
    for number in (reading.songs.column("widest") > context).nonzero()[0].tolist():
        for line in cut(reading.songs[number], _measure(tokenizer), context, _ends(tokenizer)).left_out:
            path, place = reading.place(number)
            message = (
                f"the song from here has a line that does not fit in {context:,} tokens: '{line[:40]}…' is left out"
            )
            problems.append(Problem(path, place, message))
    return problems


def _encode(songs: Sequence[Song], tokenizer: PreTrainedTokenizerBase, context: int) -> Iterator[list[int]]:
    start, end = ends = _ends(tokenizer)
    ids = _ids(tokenizer, [f"{start}{format_prompt(song.header, song.lyric)}{end}" for song in songs])
    for song, row in zip(songs, ids, strict=True):
        if len(row) <= context:
            yield row
        elif pieces := cut(song, _measure(tokenizer), context, ends).texts:
            yield from _ids(tokenizer, list(pieces))


def _blocks(lines: Sequence[tuple[str, int]], room: int) -> Iterator[tuple[str, int]]:
    """Yield stanzas, or as much of one as there is room for, with their number of tokens."""
    block, used = list[str](), 0
    for line, size in (*lines, ("", 0)):
        if block and (not line or used + size > room):
            yield "\n".join(block), used
            block, used = [], 0
        if line:
            block.append(line)
            used += size


def _pack(blocks: Sequence[tuple[str, int]], room: int) -> Iterator[str]:
    """Yield as many blocks together, a blank line between them, as there is room for.

    Two blocks of one stanza never come together: the first took what it had room for.
    """
    piece, used = list[str](), 0
    for block, size in blocks:
        if piece and used + 1 + size > room:
            yield "\n\n".join(piece)
            piece, used = [], 0
        piece.append(block)
        used += size + 1
    if piece:
        yield "\n\n".join(piece)


def _render(header: Header, bodies: Sequence[str], ends: tuple[str, str]) -> list[str]:
    texts = [format_prompt(header, body) for body in bodies]
    if texts:
        texts[0] = ends[0] + texts[0]
        texts[-1] += ends[1]
    return texts


def _ids(tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> list[list[int]]:
    ids: list[list[int]] = tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"] if texts else []
    return ids


def _ends(tokenizer: PreTrainedTokenizerBase) -> tuple[str, str]:
    """Return the tokens that open and close a song: the tokenizer's, which training has set where it had none."""
    return str(tokenizer.bos_token), str(tokenizer.eos_token)


def _measure(tokenizer: PreTrainedTokenizerBase) -> Measure:
    return lambda texts: [len(row) for row in _ids(tokenizer, texts)]


def _key(songs: Songs, tokenizer: PreTrainedTokenizerBase, context: int) -> str:
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    state |= {"truncation": None, "padding": None}  # Left over from whatever it did last.
    parts = json.dumps([_FORMAT, songs.key, state, _ends(tokenizer), context], sort_keys=True)
    return hashlib.sha256(parts.encode()).hexdigest()[:32]
