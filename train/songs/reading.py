"""Reads DATA into distinct songs on disk, once: a second time they come from the cache."""

import contextlib
import hashlib
import json
import tempfile
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from datasets import Dataset
from pydantic import TypeAdapter
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from model.song import EOS_TOKEN, HEADER_FIELDS, Song
from train.config import DataConfig, Unit
from train.songs.cleaning.cleaner import Cleaner, Residue
from train.songs.formats.layout import MAX_SONG_LINES, Kind
from train.songs.formats.text import Found
from train.songs.problems import DataError, Notes, Problem, UnreadableError
from train.songs.sources import Source, find_sources
from train.songs.table_on_disk import Songs, SongWriter, cache_folder
from train.words.duplicates import NearDuplicates, digest_of, group
from train.words.sung import words_of
from train.words.wording import rhyming_share

MIN_SONGS = 2
"""One to learn from and one to hold out; near duplicates count as one."""

_FORMAT = 2
"""Part of every cache key: raise it when the same files are to be read in another way."""

_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class SourceReport:
    """How one source was read."""

    label: str
    how: str
    songs: int
    """Distinct songs that it was the first to have."""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A song that another one, read before it, is the same as or near to; places are ``path:line``."""

    place: str
    of: str
    exact: bool


@dataclass(frozen=True, slots=True)
class DataReport:
    """What reading the sources came to."""

    sources: tuple[SourceReport, ...]
    problems: tuple[Problem, ...]
    unit: str
    """What a sample is, and why."""
    exact_duplicates: int
    """Songs, stanzas or lines that are not learnt since the same was learnt before."""
    near_duplicates: int
    """Songs that are learnt, and stay on one side of the split with one that they are near to."""
    duplicates: tuple[Duplicate, ...]
    """The first few of both."""
    residue: tuple[Residue, ...]
    """What stands in the songs and was never sung, or looks so."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Every distinct song of some sources, in order, and what reading them came to."""

    songs: Songs
    groups: npt.NDArray[np.int32]
    """For every song a number that it shares with its near duplicates, and a stanza or line with its song."""
    report: DataReport

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Everything that was skipped, and where."""
        return self.report.problems

    def place(self, number: int) -> tuple[str, int]:
        """Return the source and the line that a song stands at."""
        row = self.songs.rows[number]
        return self.report.sources[row["source"]].label, row["line"]


def read_songs(config: DataConfig) -> Reading:
    """Read every distinct song of the sources that ``config`` names, from the cache where they were read before.

    Raises:
        DataError: Where a source that was named gives no songs, or there are fewer than ``MIN_SONGS``; with every
            problem there is.
    """
    notes = Notes()
    cache_folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache_folder(), prefix=".reading-") as scratch:
        finished, unpacked = Path(scratch, "songs"), Path(scratch, "unpacked")
        finished.mkdir()
        unpacked.mkdir()
        sources = find_sources(config.data, unpacked, notes)
        key = _key(sources, config, notes)
        folder = cache_folder() / key
        if notes.fatal or not folder.is_dir():
            _read_into(finished, sources, config, notes)
            with contextlib.suppress(OSError):  # Another run was first, with the same songs.
                finished.rename(folder)
    report = TypeAdapter(DataReport).validate_json((folder / "report.json").read_bytes())
    songs = Songs(Dataset.from_file(str(folder / "songs.arrow")), key)
    return Reading(songs, np.load(folder / "groups.npy")[songs.column("song")], report)


def _key(sources: list[Source], config: DataConfig, notes: Notes) -> str:
    """Return what the cache knows these songs by: the content of the sources and how they are read."""
    contents = []
    for source in sources:
        try:
            contents.append([source.label, source.kind, source.named, source.fingerprint()])
        except UnreadableError as error:
            notes.fail(source.label, None, str(error))
    options = config.model_dump(
        include={
            "unit",
            "where",
            "min_rhyme",
            "encoding",
            "separator",
            "clean",
            *(f"{name}_column" for name in ("text", *HEADER_FIELDS)),
        }
    )
    skipped = [str(problem) for problem in notes.skipped]
    return hashlib.sha256(json.dumps([_FORMAT, contents, options, skipped]).encode()).hexdigest()[:32]


def _read_into(folder: Path, sources: list[Source], config: DataConfig, notes: Notes) -> None:
    """Read all sources into ``songs.arrow``, ``groups.npy`` (a number a song) and ``report.json``."""
    unreadable = {problem.path for problem in notes.fatal}
    with SongWriter(folder / "songs.arrow") as writer, _progress() as progress:
        collector = _Collector(writer, config, notes)
        for number, source in enumerate(sources):
            if source.label not in unreadable:
                task = progress.add_task(f"Reading {source.label}", total=None)
                collector.read(number, source, partial(progress.advance, task))
                progress.remove_task(task)
        progress.add_task("Looking for duplicates", total=None)
        # Two songs may meet in many bands.
        pairs = sorted(set(collector.near.pairs())) if not notes.fatal else []
    groups = group(len(collector.lines), iter(pairs))
    distinct = len(np.unique(groups))
    if not notes.fatal and len(np.unique(groups[collector.written])) < MIN_SONGS:
        notes.fail(", ".join(config.data), None, _too_few(len(groups)))
    if notes.fatal:
        raise DataError(notes.fatal, notes.skipped)
    np.save(folder / "groups.npy", groups)
    report = DataReport(
        sources=tuple(collector.reports),
        problems=tuple(notes.skipped),
        unit=_describe_unit(config.unit, collector.reports),
        exact_duplicates=collector.exact_count,
        near_duplicates=len(groups) - distinct,
        duplicates=(*collector.exact, *(collector.duplicate(*sorted(pair)) for pair in pairs[:_EXAMPLES])),
        residue=collector.cleaner.found(),
    )
    (folder / "report.json").write_bytes(TypeAdapter(DataReport).dump_json(report))


class _Collector:
    """Takes songs from one source after the other and writes those that are new."""

    def __init__(self, writer: SongWriter, config: DataConfig, notes: Notes) -> None:
        self.near = NearDuplicates()
        self.cleaner = Cleaner(clean=config.clean)
        self.reports: list[SourceReport] = []
        self.exact: list[Duplicate] = []
        self.exact_count = 0
        # Of every song: its source and line, in 8 bytes; and the songs that have any part that is new.
        self.sources, self.lines, self.written = array("i"), array("i"), array("i")
        self._songs: dict[int, int] = {}
        self._parts: set[int] = set()
        self._writer, self._config, self._notes = writer, config, notes

    def read(self, number: int, source: Source, advance: Callable[[], None]) -> None:
        """Read one source; a named one that gives no songs is a fatal problem, another is skipped."""
        known, how, any_songs, unrhymed = len(self.lines), "", False, 0
        note = self._notes.fail if source.named else self._notes.skip
        self.reports.append(SourceReport(source.label, how, 0))
        try:
            how, found = source.read(self._config, self._notes)
            for uncleaned in found:
                song = self.cleaner.clean(uncleaned.song, f"{source.label}:{uncleaned.line}")
                if not song.lyric:
                    self._notes.skip(source.label, uncleaned.line, "nothing is left of it when it is cleaned")
                    continue
                each = replace(uncleaned, song=song)
                any_songs = True
                if self._rhymes(each):
                    self._add(each, number)
                else:
                    unrhymed += 1
                advance()
            if not any_songs:
                note(source.label, None, f"no songs in it ({how}): leave it out or look at it")
        except UnreadableError as error:
            note(source.label, None, str(error))
        except (OSError, pa.ArrowException) as error:
            note(source.label, None, f"breaks off ({error}): copy it again")
        if unrhymed:
            self._notes.skip(source.label, None, f"--min-rhyme leaves out {unrhymed:,}")
        self.reports[-1] = SourceReport(source.label, how, len(self.lines) - known)

    def duplicate(self, of: int, song: int) -> Duplicate:
        """Return two near duplicates by their places."""
        return Duplicate(self._place_of(song), self._place_of(of), exact=False)

    def _rhymes(self, found: Found) -> bool:
        least = self._config.min_rhyme
        return least == 0 or rhyming_share([found.song.lyric]) >= least

    def _add(self, found: Found, source: int) -> None:
        words = words_of(found.song.lyric)
        digest = digest_of(words, found.song.lyric)
        number = len(self.lines)
        if (known := self._songs.setdefault(digest, number)) != number:
            self.exact_count += 1
            if len(self.exact) < _EXAMPLES:
                self.exact.append(Duplicate(self._place(source, found.line), self._place_of(known), exact=True))
            return
        self.near.add(words)
        self.sources.append(source)
        self.lines.append(found.line)
        whole = self._config.unit in ("auto", "song")
        new = [(digest, found.song)] if whole else list(self._new_parts(found.song))
        for own_digest, sample in new:
            self._writer.add(sample, source=source, line=found.line, song=number, digest=own_digest)
        if new:
            self.written.append(number)

    def _new_parts(self, song: Song) -> Iterator[tuple[int, Song]]:
        for part in _parts(song, self._config.unit):
            digest = digest_of(words_of(part.lyric), part.lyric)
            if digest in self._parts:
                self.exact_count += 1
            else:
                self._parts.add(digest)
                yield digest, part

    def _place_of(self, song: int) -> str:
        return self._place(self.sources[song], self.lines[song])

    def _place(self, source: int, line: int) -> str:
        return f"{self.reports[source].label}:{line}"


def _parts(song: Song, unit: Unit) -> Iterator[Song]:
    parts = song.lyric.split("\n\n" if unit == "stanza" else "\n")
    return (
        Song(song.header, part)
        for part in parts
        if part and not (unit == "line" and Song(song.header, part).opening_tag)
    )


def _describe_unit(unit: Unit, reports: list[SourceReport]) -> str:
    if unit != "auto":
        return f"{unit}, as --unit says"
    cut = [report.how for report in reports if report.how.endswith((Kind.STANZA.value, Kind.LINE.value))]
    if not cut:
        return "song (auto): every text is told apart into songs, or short enough to be one"
    rest = f"; song in the other {len(reports) - len(cut)}" if len(reports) > len(cut) else ""
    return (
        f"stanza or line (auto) in {len(cut)} of {len(reports)} sources, which have nothing between songs "
        f"and over {MAX_SONG_LINES} lines{rest}"
    )


def _too_few(songs: int) -> str:
    found = {0: "no songs", 1: "only one song"}.get(songs, f"{songs} songs that are all near duplicates of each other")
    return (
        f"{found}, and training needs {MIN_SONGS} that differ, one of them to hold out: put a line {EOS_TOKEN} or --- "
        "between songs, or learn its stanzas or lines with --unit stanza or --unit line"
    )


def _progress() -> Progress:
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TextColumn("{task.completed:,.0f} songs"))
    return Progress(*columns, TimeElapsedColumn(), console=console, transient=True, disable=not console.is_terminal)
