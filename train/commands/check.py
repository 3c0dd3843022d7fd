"""``python -m train check``: what would be trained on, as a page to read."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from huggingface_hub import snapshot_download
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text
from transformers import AutoConfig, AutoTokenizer, PreTrainedTokenizerBase

from model.checkpoint.bundled import BUNDLED
from model.checkpoint.folder import Checkpoint
from model.errors import CheckpointError
from model.paths import expand_home
from model.song import EOS_TOKEN, HEADER_FIELDS
from model.terminal import for_terminal
from train.config import CheckConfig
from train.songs.problems import Problem
from train.songs.reading import Reading, read_songs
from train.songs.table_on_disk import Songs
from train.tokens.cutting import find_long_lines, tokenize
from train.tokens.vocabulary import name_special_tokens

LONGEST = 5
SAMPLE_LINES = 24
UNCUT = 1_000_000_000
"""A context that no song is cut to."""


@dataclass(frozen=True, slots=True)
class Base:
    """What is known of the model to start from without loading its weights."""

    tokenizer: PreTrainedTokenizerBase
    context: int


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much text the samples are; arrays have a number for each."""

    characters: npt.NDArray[np.int64]
    words: npt.NDArray[np.int64]
    lines: npt.NDArray[np.int64]
    tokens: npt.NDArray[np.int64] | None
    """None where there is no tokenizer at hand."""


def check(config: CheckConfig) -> None:
    """Print what ``fit`` would learn from these songs, and everything that it would not.

    Raises:
        DataError: As ``read_songs`` does.
    """
    reading = read_songs(config)
    base, why = _open_base(config.base)
    sizes = _measure(reading.songs, base, config.workers)
    problems = list(reading.problems)
    if base is not None:
        problems += find_long_lines(reading, base.tokenizer, base.context)
    # A file or a pipe is as wide as its longest path; a terminal has the width it has.
    console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 120)
    _print_summary(console, config, reading, sizes, base, why)
    _print_sources(console, reading)
    _print_longest(console, reading, sizes)
    _print_duplicates(console, reading)
    _print_residue(console, reading)
    _print_problems(console, problems)
    _print_sample(console, reading.songs)


def _open_base(source: str) -> tuple[Base | None, str]:
    """Return the base, or None and why there is none."""
    try:
        path = expand_home(source)
        # Of a model on the hub only the tokenizer is fetched: counting needs no weights.
        where = (
            Checkpoint.open(source)
            if source == BUNDLED or os.path.lexists(path) or path.is_absolute()
            else Checkpoint(source, Path(snapshot_download(source, allow_patterns=["*.json", "merges.txt"])), None)
        )
        tokenizer = AutoTokenizer.from_pretrained(where.path, trust_remote_code=False)
        context = AutoConfig.from_pretrained(where.weights.path, trust_remote_code=False).max_position_embeddings
    except (CheckpointError, OSError, ValueError, AttributeError) as error:  # the hub's errors are among these
        return None, f"no tokenizer of {source} ({type(error).__name__}: {str(error).partition(chr(10))[0]})"
    name_special_tokens(tokenizer)
    return Base(tokenizer, context), ""


def _measure(songs: Songs, base: Base | None, workers: int | None) -> Sizes:
    sizes = np.array(
        [(len(song.lyric), len(song.lyric.split()), song.lyric.count("\n") + 1) for song in songs], dtype=np.int64
    )
    tokens = None
    if base is not None:
        encoded = tokenize(songs, base.tokenizer, UNCUT, workers=workers)
        tokens = np.asarray(encoded.with_format("numpy")["length"][:], dtype=np.int64)
    return Sizes(sizes[:, 0], sizes[:, 1], sizes[:, 2], tokens)


def _print_summary(
    console: Console, config: CheckConfig, reading: Reading, sizes: Sizes, base: Base | None, why: str
) -> None:
    _heading(console, "What would be learnt")
    table = _table("", "")
    table.columns[1].justify = "left"
    fields = {name for name in HEADER_FIELDS if any(reading.songs.rows[name])}
    rows = {
        "Samples": f"{len(reading.songs):,}",
        "Unit": reading.report.unit,
        "Lines": f"{sizes.lines.sum():,}",
        "Words": f"{sizes.words.sum():,}",
        "Characters": f"{sizes.characters.sum():,}",
        "Tokens": f"unknown: {why}",
        "Header fields": ", ".join(sorted(fields)) or "none",
    }
    if sizes.tokens is not None and base is not None:
        longer = int((sizes.tokens > base.context).sum())
        rows["Tokens"] = f"{sizes.tokens.sum():,} by {config.base}, median {np.median(sizes.tokens):,.0f} a sample"
        rows["In pieces"] = f"{longer:,} that are longer than its context of {base.context:,} tokens"
    for name, value in rows.items():
        table.add_row(name, escape(value))
    console.print(table)


def _print_sources(console: Console, reading: Reading) -> None:
    _heading(console, "Where it is from")
    table = _table("Source", "Songs", "Read as")
    table.columns[2].justify = "left"
    for source in reading.report.sources:
        table.add_row(escape(source.label), f"{source.songs:,}", escape(source.how))
    console.print(table)


def _print_longest(console: Console, reading: Reading, sizes: Sizes) -> None:
    _heading(console, f"The {LONGEST} longest")
    table = _table("Sample", "Tokens" if sizes.tokens is not None else "Characters", "Lines", "At")
    table.columns[3].justify = "left"
    by = sizes.tokens if sizes.tokens is not None else sizes.characters
    for number in np.argsort(-by, kind="stable")[:LONGEST].tolist():
        song = reading.songs[number]
        first, _, rest = song.lyric.partition("\n")
        name = song.header.title or (rest.partition("\n")[0] if song.opening_tag else first)
        path, line = reading.place(number)
        table.add_row(escape(name[:40]), f"{by[number]:,}", f"{sizes.lines[number]:,}", escape(f"{path}:{line}"))
    console.print(table)


def _print_duplicates(console: Console, reading: Reading) -> None:
    report = reading.report
    _heading(console, "Duplicates")
    console.print(f"{report.exact_duplicates:,} the same as one before: learnt once")
    console.print(f"{report.near_duplicates:,} nearly the same as another: learnt, and held out only together")
    if report.duplicates:
        table = _table("Song", "Is", "As")
        table.columns[1].justify = table.columns[2].justify = "left"
        for each in report.duplicates:
            table.add_row(escape(each.place), "the same" if each.exact else "nearly the same", escape(each.of))
        console.print(table)


def _print_residue(console: Console, reading: Reading) -> None:
    cleaned = [each for each in reading.report.residue if each.after is not None]
    kept = [each for each in reading.report.residue if each.after is None]
    if cleaned:
        _heading(console, "Cleaned (--no-clean leaves it)")
        table = _table("What", "Songs", "First at", "A line of it", "Becomes")
        for column in table.columns[2:]:
            column.justify = "left"
        for each in cleaned:
            after = each.after or "(left out)"
            table.add_row(
                each.kind, f"{each.songs:,}", escape("\n".join(each.places)), escape(each.before), escape(after)
            )
        console.print(table)
    if kept:
        _heading(console, "Learnt as it is: is it meant?")
        table = _table("What", "Songs", "First at", "A line of it")
        table.columns[2].justify = table.columns[3].justify = "left"
        for each in kept:
            table.add_row(each.kind, f"{each.songs:,}", escape("\n".join(each.places)), escape(each.before))
        console.print(table)


def _print_problems(console: Console, problems: list[Problem]) -> None:
    _heading(console, f"Skipped ({len(problems):,})" if problems else "Nothing was skipped")
    for problem in problems:
        console.print(Text(for_terminal(str(problem))))


def _print_sample(console: Console, songs: Songs) -> None:
    _heading(console, "A sample, as the model sees it")
    lines = str(songs[len(songs) // 2]).split("\n")
    console.print(Text(for_terminal("\n".join(lines[:SAMPLE_LINES]))))
    if len(lines) > SAMPLE_LINES:
        console.print(f"… and {len(lines) - SAMPLE_LINES} more lines, to {EOS_TOKEN}", style="dim")


def _heading(console: Console, text: str) -> None:
    console.print(f"\n[bold]{escape(text)}[/bold]")


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), show_header=bool(first), header_style="dim")
    table.add_column(first, overflow="fold")
    for name in others:
        table.add_column(name, justify="right", overflow="fold")
    return table
