"""What int8, in which a CPU serves, costs the songs of a checkpoint."""

from collections.abc import Iterable, Iterator

from model import Checkpoint
from model.checkpoint.architecture import Architecture, UnknownArchitectureError
from model.checkpoint.tokenizer import SongTokenizer
from model.checkpoint.weights import CPU
from model.engines.precision import measure_rise, rise_key
from model.network.cpu_linear import fastest_precision
from model.song import Song, format_prompt
from train.songs.table_on_disk import Songs

_TOKENS = 4096
"""Tokens of songs that are read: the figure is then sure to about a quarter of a percent."""


def measure_int8(checkpoint: Checkpoint, songs: Songs) -> dict[str, float]:
    """Return by what share int8 raises the perplexity of songs, by the name it is recorded under.

    None where this machine has no int8, or the engine serves no such model in it.
    """
    try:
        context = Architecture.read(checkpoint).context
    except UnknownArchitectureError:
        return {}
    if fastest_precision(CPU) != "int8":
        return {}
    tokenizer = SongTokenizer.load(checkpoint)
    texts = list(_first(song_tokens(checkpoint, tokenizer, songs, context)))
    return {rise_key(): measure_rise(checkpoint, tokenizer, texts)} if texts else {}


def song_tokens(
    checkpoint: Checkpoint, tokenizer: SongTokenizer, songs: Iterable[Song], context: int
) -> Iterator[list[int]]:
    """Yield the tokens of songs as the checkpoint learnt them, as far as the context goes."""
    for song in songs:
        header = song.header.keep(frozenset(checkpoint.header_fields))
        ids = [*tokenizer.split(format_prompt(header, song.lyric)), *sorted(tokenizer.ends)[:1]]
        ids = ids if tokenizer.start_id is None else [tokenizer.start_id, *ids]
        if len(ids) > 1:
            yield ids[:context]


def _first(texts: Iterable[list[int]]) -> Iterator[list[int]]:
    """Yield texts until there are tokens enough."""
    left = _TOKENS
    for ids in texts:
        if left <= 0:
            return
        yield ids
        left -= len(ids)
