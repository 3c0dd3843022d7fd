"""Tables that are no text: Parquet, Excel's workbooks and datasets of the hub."""

import contextlib
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Dataset, concatenate_datasets, load_dataset

from train.songs.formats.files import FileBytes, max_unpacked
from train.songs.formats.rows import Row
from train.songs.problems import UnreadableError

MAX_BATCH = 512_000_000
"""Bytes of the rows of a Parquet file or workbook that are held in memory at a time."""

_BATCH = 256


def open_parquet(path: Path) -> tuple[Iterator[Row], str]:
    """Return the rows of a Parquet file and how it was read.

    Raises:
        UnreadableError: Where it is none, or too much of it would have to be held in memory.
    """
    unpacked = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as its rows are read
    try:
        with FileBytes(path) as stream:
            packed = stream.packed
            if packed:  # Parquet is read from its end, which a packed stream has no way to.
                unpacked.writelines(stream.chunks())
        file = pq.ParquetFile(unpacked if packed else path, memory_map=not packed)
    except (pa.ArrowException, UnreadableError) as error:
        unpacked.close()
        raise UnreadableError(f"is no Parquet file that can be read ({error}): copy or export it again") from error
    metadata = file.metadata
    largest = max((metadata.row_group(n).total_byte_size for n in range(metadata.num_row_groups)), default=0)
    if largest > 4 * MAX_BATCH:
        raise UnreadableError(f"has a row group of {largest / 1e6:,.0f} MB: write it with smaller ones")

    def rows() -> Iterator[Row]:
        with unpacked:
            yield from enumerate(_parquet_rows(file), 1)

    return rows(), f"Parquet, {metadata.num_rows:,} rows"


def _parquet_rows(file: pq.ParquetFile) -> Iterator[Mapping[str, Any]]:
    for batch in file.iter_batches(_BATCH):
        if batch.nbytes > MAX_BATCH:
            raise UnreadableError(f"has {_BATCH} rows of {batch.nbytes / 1e6:,.0f} MB: no songs are so long")
        yield from batch.to_pylist()


def open_workbook(path: Path) -> tuple[Iterator[Row], str]:
    """Return the rows of the first sheet of an Excel workbook, and how it was read; no formula is computed.

    Raises:
        UnreadableError: Where it is none, unpacks to too much, or the extra 'xlsx' is not installed.
    """
    try:
        import openpyxl  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise UnreadableError("is an Excel workbook: pip install '.[xlsx]', or save it as CSV (UTF-8)") from error
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > max_unpacked(path):
            raise UnreadableError(f"unpacks to {size / 1e6:,.0f} MB: save it as CSV")
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        sheet = book.worksheets[0]
    except (zipfile.BadZipFile, KeyError, ValueError, IndexError) as error:
        raise UnreadableError(f"is no Excel workbook that can be read ({error}): save it as CSV") from error

    def rows() -> Iterator[Row]:
        with contextlib.closing(book):
            found = ((number, values) for number, values in enumerate(sheet.iter_rows(values_only=True), 1))
            names: list[str] | None = None
            for number, values in found:
                if names is None:
                    names = [str(value or "") for value in values] if any(values) else None
                elif any(value is not None for value in values):
                    yield number, dict(zip(names, values, strict=False))

    return rows(), f"Excel, sheet '{sheet.title}'"


def load_hub(name: str) -> Dataset:
    """Return the rows of a hub dataset, memory-mapped from the local cache: its split ``train``, if it has that.

    Raises:
        UnreadableError: Where the hub does not give it.
    """
    try:
        splits = load_dataset(name)
    except Exception as error:  # whatever a dataset's files, the network or the hub's client come up with
        reason = str(error).partition("\n")[0]
        raise UnreadableError(
            f"is no file or folder here, and the hub did not give a dataset of that name ({reason}): "
            "check the path, or the name and the network"
        ) from error
    return splits["train"] if "train" in splits else concatenate_datasets(list(splits.values()))
