"""What DATA on the command line may be: a file, a folder or archive of files, a hub dataset; and the songs in each."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from model.checkpoint.folder import HUB_ID
from model.paths import expand_home
from train.config import DataConfig
from train.songs.formats.binary_tables import load_hub, open_parquet, open_workbook
from train.songs.formats.csv_rows import open_csv
from train.songs.formats.files import unpack_archive
from train.songs.formats.json_rows import open_json
from train.songs.formats.layout import Kind, Layout
from train.songs.formats.rows import Row, read_rows
from train.songs.formats.text import Found, Look, read_lyrics, read_text
from train.songs.problems import Notes, UnreadableError

KINDS: dict[str, str] = {
    **dict.fromkeys((".txt", ".text", ".lyrics", ".md", ".cho", ".chordpro", ".crd"), "text"),
    ".lrc": "lrc",
    ".csv": "csv",
    **dict.fromkeys((".tsv", ".tab"), "tsv"),
    **dict.fromkeys((".json", ".jsonl", ".ndjson"), "json"),
    ".parquet": "parquet",
    ".xlsx": "xlsx",
    ".zip": "zip",
}
"""What a file is, by the end of its name; a .gz, .bz2 or .xz after it does not matter. A file of any other name is
read as text where it is named; in a folder, where its name has no ending."""

_PACKED = re.compile(r"\.(?:gz|bz2|xz)$", re.IGNORECASE)
_ENDING = re.compile(r"\.[a-z0-9]{1,8}", re.IGNORECASE)
_MOST = 0.8


@dataclass(slots=True)
class Folder:
    """The text files that lie together: where nearly each is one song, each of them is."""

    files: list[Path] = field(default_factory=list)
    _looks: dict[Path, Look | str] = field(default_factory=dict)

    def look(self, path: Path, config: DataConfig) -> Look:
        """Return what there is to know of a file before it is read.

        Raises:
            UnreadableError: Where it is no text.
        """
        if not self._looks:
            self._looks = {each: _look_or_reason(each, config) for each in self.files}
        look = self._looks[path]
        if isinstance(look, str):
            raise UnreadableError(look)
        unsure = look.layout.kind in {Kind.BLANK_LINES, Kind.STANZA, Kind.LINE}
        if unsure and config.unit in {"auto", "song"} and self._one_song_a_file():
            return Look(look.encoding, Layout(Kind.WHOLE))
        return look

    def _one_song_a_file(self) -> bool:
        kinds = [look.layout.kind for look in self._looks.values() if isinstance(look, Look)]
        return len(kinds) > 2 and sum(kind in {Kind.NONE, Kind.WHOLE} for kind in kinds) >= _MOST * len(kinds)  # noqa: PLR2004


def _look_or_reason(path: Path, config: DataConfig) -> Look | str:
    try:
        return Look.at(path, config)
    except UnreadableError as error:
        return str(error)
    except OSError as error:
        return f"cannot be read ({error.strerror or error})"


@dataclass(frozen=True, slots=True)
class Source:
    """One file or hub dataset to read."""

    label: str
    """What the person called it, and what problems are reported under."""
    kind: str
    named: bool
    """Whether it stood on the command line, not only in a folder that did: then it must give songs."""
    path: Path = Path()
    """Where it lies; what is in an archive lies unpacked elsewhere."""
    folder: Folder | None = None
    """The text files that it lies with."""

    def read(self, config: DataConfig, notes: Notes) -> tuple[str, Iterator[Found]]:
        """Return how it is read, in words, and its songs.

        Raises:
            UnreadableError: Where it gives none.
        """
        try:
            if self.kind == "text":
                look = self.folder.look(self.path, config) if self.folder else Look.at(self.path, config)
                return read_text(self.path, self.label, look, notes)
            if self.kind == "lrc":
                return read_lyrics(self.path, self.label, config, notes)
            rows, how = self._rows(config, notes)
            return read_rows(rows, how, self.label, config, notes)
        except OSError as error:
            raise UnreadableError(f"cannot be read ({error.strerror or error})") from error

    def _rows(self, config: DataConfig, notes: Notes) -> tuple[Iterator[Row], str]:
        match self.kind:
            case "hub":
                dataset = load_hub(self.label)
                return enumerate(dataset, 1), f"hub dataset, {len(dataset):,} rows"
            case "json":
                return open_json(self.path, self.label, config.encoding, notes)
            case "parquet":
                return open_parquet(self.path)
            case "xlsx":
                return open_workbook(self.path)
            case _:
                delimiters = "\t" if self.kind == "tsv" else ",;\t|"
                return open_csv(self.path, self.label, config.encoding, notes, delimiters)

    def fingerprint(self) -> str:
        """Return a digest of its content.

        Raises:
            UnreadableError: Where it cannot be read.
        """
        if self.kind == "hub":
            return str(load_hub(self.label)._fingerprint)  # noqa: SLF001 - what its own caches go by
        try:
            with self.path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise UnreadableError(f"cannot be read ({error.strerror or error})") from error


def find_sources(data: tuple[str, ...], scratch: Path, notes: Notes) -> list[Source]:
    """Return what there is to read, each file once; whatever is missing is noted.

    Args:
        data: What was named.
        scratch: An empty folder, for what is in archives.
        notes: Takes what is wrong.
    """
    sources: dict[str, Source] = {}
    for name in data:
        for source in _named(name, scratch, notes):
            if source.named or source.label not in sources:
                sources[source.label] = source
    return list(sources.values())


def _named(name: str, scratch: Path, notes: Notes) -> list[Source]:
    path = expand_home(name)
    found: list[Source] = []
    if path.is_dir():
        found = _together(_in_folder(path, notes), notes)
        if not found:
            notes.fail(name, None, f"a folder without any file that is read ({', '.join(KINDS)})")
    elif path.exists():
        kind = _kind(path.name) or "text"
        found = _in_archive(path, scratch, notes) if kind == "zip" else [Source(str(path), kind, named=True, path=path)]
    # What lies in a folder that is there, or is named as a file is, was meant as a path.
    elif (hub := HUB_ID.fullmatch(name)) and hub["owner"] and not _kind(path.name) and not path.parent.exists():
        found = [Source(name, "hub", named=True)]
    else:
        notes.fail(name, None, "there is no such file or folder: correct the path")
    return found


def _in_folder(folder: Path, notes: Notes) -> Iterator[tuple[str, PurePosixPath, Path]]:
    """Yield the label, the place in the folder and the path of every file; links that lead out of it are noted."""
    seen: set[Path] = set()
    inside = folder.resolve()
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        real = path.resolve()
        if path.is_symlink() and not real.is_relative_to(inside):
            notes.skip(str(path), None, "a link that leads out of the folder: name what it leads to, if it is meant")
        elif real not in seen:
            seen.add(real)
            yield str(path), PurePosixPath(path.relative_to(folder).as_posix()), path


def _in_archive(archive: Path, scratch: Path, notes: Notes) -> list[Source]:
    try:
        into = scratch / str(sum(1 for _ in scratch.iterdir()))
        into.mkdir()
        members = sorted(unpack_archive(archive, into))
    except (UnreadableError, OSError) as error:
        notes.fail(str(archive), None, str(error))
        return []
    files = ((f"{archive}/{name}", PurePosixPath(name), path) for name, path in members)
    found = _together(files, notes)
    if not found:
        notes.fail(str(archive), None, f"an archive without any file that is read ({', '.join(KINDS)})")
    return found


def _together(files: Iterable[tuple[str, PurePosixPath, Path]], notes: Notes) -> list[Source]:
    """Return the files of a folder or archive that are read; hidden ones are passed over."""
    sources, texts = [], Folder()
    for label, inside, path in files:
        if any((part.startswith(".") and part != "..") or part == "__MACOSX" for part in inside.parts):
            continue
        kind = _kind(inside.name) or ("text" if not _ending(inside.name) else None)
        if kind is None or kind == "zip":
            what = (
                "an archive in a folder or archive: name it itself" if kind else "not a kind of file that is looked for"
            )
            notes.skip(label, None, f"{what} ({', '.join(KINDS)})")
            continue
        if kind == "text":
            texts.files.append(path)
        sources.append(Source(label, kind, named=False, path=path, folder=texts if kind == "text" else None))
    return sources


def _kind(name: str) -> str | None:
    return KINDS.get(PurePosixPath(_PACKED.sub("", name.lower())).suffix)


def _ending(name: str) -> bool:
    """Return whether a name has an ending of a kind of file, as "St. Louis Blues" has none."""
    suffix = PurePosixPath(_PACKED.sub("", name)).suffix
    return bool(_ENDING.fullmatch(suffix)) and not suffix[1:].isdigit()
