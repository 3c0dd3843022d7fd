"""What DATA on the command line may be: a file, a folder of files, a hub dataset; and the songs in each."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from model.checkpoint.folder import HUB_ID
from model.paths import expand_home
from train.config import DataConfig
from train.songs.problems import Notes, UnreadableError
from train.songs.tables import load_hub, read_hub, read_table
from train.songs.text_files import Found, read_text

KINDS: dict[str, str] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".txt": "text",
    ".text": "text",
    ".lyrics": "text",
}
"""What a file is, by the end of its name; a .gz after it does not matter. A file of any other name is read as
text where it is named, and left out where it only lies in a folder."""


@dataclass(frozen=True, slots=True)
class Source:
    """One file or hub dataset to read."""

    label: str
    """What the person called it, and what problems are reported under."""
    kind: str
    named: bool
    """Whether it stood on the command line, not only in a folder that did: then it must give songs."""

    def read(self, config: DataConfig, notes: Notes) -> tuple[str, Iterator[Found]]:
        """Return how it is read, in words, and its songs.

        Raises:
            UnreadableError: Where it gives none.
        """
        if self.kind == "hub":
            return read_hub(self.label, config, notes)
        try:
            if self.kind == "text":
                return read_text(Path(self.label), self.label, config.unit, notes)
            return read_table(Path(self.label), self.label, self.kind, config, notes)
        except OSError as error:
            raise UnreadableError(f"cannot be read ({error.strerror or error})") from error

    def fingerprint(self) -> str:
        """Return a digest of its content.

        Raises:
            UnreadableError: Where it cannot be read.
        """
        if self.kind == "hub":
            return str(load_hub(self.label)._fingerprint)  # noqa: SLF001 - what its own caches go by
        try:
            with Path(self.label).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise UnreadableError(f"cannot be read ({error.strerror or error})") from error


def find_sources(data: tuple[str, ...], notes: Notes) -> list[Source]:
    """Return what there is to read, folders opened, each file once; whatever is missing is noted."""
    sources: dict[str, Source] = {}
    for name in data:
        path = expand_home(name)
        if path.is_dir():
            found = list(_in_folder(path, notes))
            if not found:
                notes.fail(name, None, f"a folder without any file that is read ({', '.join(KINDS)})")
        elif path.exists():
            found = [Source(str(path), _kind(path) or "text", named=True)]
        # What lies in a folder that is there, or is named as a file is, was meant as a path.
        elif (hub := HUB_ID.fullmatch(name)) and hub["owner"] and not _kind(path) and not path.parent.exists():
            found = [Source(name, "hub", named=True)]
        else:
            notes.fail(name, None, "there is no such file or folder: correct the path")
            continue
        for source in found:
            if source.named or source.label not in sources:
                sources[source.label] = source
    return list(sources.values())


def _in_folder(folder: Path, notes: Notes) -> Iterator[Source]:
    for path in sorted(folder.rglob("*")):
        if any(part.startswith(".") for part in path.relative_to(folder).parts) or not path.is_file():
            continue
        if kind := _kind(path):
            yield Source(str(path), kind, named=False)
        else:
            notes.skip(str(path), None, f"not a kind of file that is looked for in a folder ({', '.join(KINDS)})")


def _kind(path: Path) -> str | None:
    name = path.name.lower().removesuffix(".gz")
    return KINDS.get(Path(name).suffix)
