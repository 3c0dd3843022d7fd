"""Files as bytes: packed or not, and never more of them than somebody may have meant."""

import bz2
import gzip
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from train.songs.problems import UnreadableError

MAX_RATIO = 100
"""Times its own size that a packed file may have unpacked; lyrics pack to a fifth."""

ALWAYS_UNPACKED = 100 << 20
"""Bytes that any packed file may have, however small it is."""

_CHUNK = 1 << 20
_UNPACK_ERRORS = (gzip.BadGzipFile, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)
_PACKERS = ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ", lzma.open))


def max_unpacked(path: Path) -> int:
    """Return how many bytes a packed file may have unpacked."""
    return ALWAYS_UNPACKED + MAX_RATIO * path.stat().st_size


class FileBytes:
    """The bytes of a file from its beginning, unpacked where it is packed, whatever its name; use it in a ``with``."""

    def __init__(self, path: Path) -> None:
        file = path.open("rb")
        head = file.read(8)
        file.seek(0)
        packer = next((opened for magic, opened in _PACKERS if head.startswith(magic)), None)
        self.packed = packer is not None
        self._file: BinaryIO = packer(file, "rb") if packer else file  # type: ignore[assignment]
        self._raw = file
        self._left = max_unpacked(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._raw.close()

    def read(self, size: int = _CHUNK) -> bytes:
        """Return the next bytes, at most ``size``, none at the end.

        Raises:
            UnreadableError: Where they cannot be unpacked, or are too many.
        """
        try:
            data = self._file.read(size)
        except _UNPACK_ERRORS as error:
            raise UnreadableError(f"cannot be unpacked ({error}): pack it again or unpack it yourself") from error
        if self.packed:
            self._left -= len(data)
            if self._left < 0:
                raise UnreadableError(_too_large())
        return data

    def chunks(self) -> Iterator[bytes]:
        """Yield all that is left, a megabyte at a time; raises as ``read`` does."""
        while data := self.read():
            yield data


def unpack_archive(path: Path, into: Path) -> Iterator[tuple[str, Path]]:
    """Unpack a ZIP archive file by file: yield the name of each in it, and where its bytes are.

    Raises:
        UnreadableError: Where it cannot be unpacked, or has more in it than anybody means.
    """
    left = max_unpacked(path)
    try:
        with zipfile.ZipFile(path) as archive:
            for number, member in enumerate(archive.infolist()):
                if member.is_dir():
                    continue
                # Names in an archive may lead anywhere: the file is called by its number.
                target = into / f"{number}"
                with archive.open(member) as packed, target.open("wb") as file:
                    while data := packed.read(_CHUNK):
                        left -= len(data)
                        if left < 0:
                            raise UnreadableError(_too_large())
                        file.write(data)
                yield member.filename, target
    except (*_UNPACK_ERRORS, RuntimeError, NotImplementedError) as error:  # a password, an unknown method
        raise UnreadableError(f"cannot be unpacked ({error}): unpack it yourself and name the folder") from error


def _too_large() -> str:
    return (
        f"unpacks to more than {MAX_RATIO} times its size and {ALWAYS_UNPACKED / 1e6:,.0f} MB: unpack it yourself, "
        "if it is what you think it is"
    )
