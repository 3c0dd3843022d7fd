"""``<output>.partial``: where an unfinished run lies, and why it is whole at every moment.

    NAME.partial/run.json         the settings and the data of the run
    NAME.partial/checkpoint-120/  a checkpoint of the Trainer: weights, optimizer, scheduler, random states
    NAME.partial/.saving/         the next one while it is written; nothing reads it
    NAME.partial/.finished/       the result while it is written
    NAME.partial/faults.json      why the bot should not serve the result unasked, once that is known
    NAME.partial/.lock            held by the run that writes here

A checkpoint is written in ``.saving`` and renamed when it is on the disk, so that one with its proper name is whole.
"""

import errno
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from pydantic import JsonValue
from safetensors import SafetensorError

from model.errors import LyricsError
from train.config import FitConfig, partial_folder

_FREE_SETTINGS = {"data", "output", "resume", "progress", "log_steps", "workers", "samples"}
"""What may differ when a run goes on: none of it changes what is learnt (the songs are compared, not their path)."""

_CHECKPOINT = "checkpoint-"
_BYTES_PER_PARAMETER = 12
"""Weights and both of AdamW's moments in float32."""


class ResumeError(LyricsError):
    """There is nothing to go on with, or it is another run."""


class DiskError(LyricsError):
    """A checkpoint cannot be written."""


class PartialRun:
    """The folder of one unfinished run; processes but the first only read it."""

    def __init__(self, output: Path) -> None:
        self.folder = partial_folder(output)
        self.saving = self.folder / ".saving"
        self.finished = self.folder / ".finished"
        self._record = self.folder / "run.json"
        self._faults = self.folder / "faults.json"
        self._lock = FileLock(self.folder / ".lock", blocking=False)

    def checkpoints(self) -> list[Path]:
        """Return the whole checkpoints, oldest first."""
        return sorted(self.folder.glob(f"{_CHECKPOINT}*"), key=_step)

    def check(self, config: FitConfig, data_fingerprint: str) -> Path | None:
        """Return the checkpoint to go on from, none where the run begins; touches nothing.

        Raises:
            ResumeError: Where --resume has nothing to go on with or the run was another one, or where it is
                missing and there is a run to go on with.
        """
        last = next(reversed(self.checkpoints()), None)
        if last is None:
            if config.resume:
                raise ResumeError(f"There is nothing to resume in {self.folder}: leave out --resume to begin.")
            return None
        if not config.resume:
            raise ResumeError(
                f"{self.folder} holds an unfinished run, at step {_step(last)}: add --resume to go on with it, "
                "or delete that folder."
            )
        if changes := self._changes(_describe(config, data_fingerprint)):
            raise ResumeError(f"{self.folder} holds another run: {'; '.join(changes)}. Begin with another --output.")
        return last

    def begin(self, config: FitConfig, data_fingerprint: str, *, num_parameters: int) -> None:
        """Write what the run is, and clear what an interrupted one left half-written.

        Raises:
            DiskError: Where the disk has no room for the checkpoints.
            ResumeError: Where another run is writing here.
        """
        with explain_full_disk(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._take()
            self.clear()
            # The last, the best and the next one lie there together.
            needed = 3 * _BYTES_PER_PARAMETER * num_parameters - _size(self.checkpoints())
            if (free := shutil.disk_usage(self.folder).free) < needed:
                raise DiskError(
                    f"{self.folder} needs {needed / 1e6:.0f} MB for its checkpoints, and the disk has {free / 1e6:.0f} "
                    "MB left: make room, or name another --output."
                )
            draft = self._record.with_suffix(".draft")
            draft.write_text(json.dumps(_describe(config, data_fingerprint), indent=2) + "\n", encoding="utf-8")
            draft.replace(self._record)

    def _take(self) -> None:
        try:
            self._lock.acquire()
        except Timeout as error:
            raise ResumeError(
                f"Another run is writing to {self.folder}: wait for its end, or name another --output."
            ) from error

    def keep(self, step: int, best_step: int | None) -> None:
        """Give the checkpoint in ``.saving`` its name, then delete all but it and the best one."""
        whole = self.folder / f"{_CHECKPOINT}{step}"
        _sync(self.saving)
        if whole.exists():  # Saved twice at one step, which may happen as a run ends: the two are the same.
            whole.rename(self.saving / "old")
        (self.saving / whole.name).replace(whole)
        for checkpoint in self.checkpoints():
            if _step(checkpoint) not in {step, best_step}:
                # Renamed first: a folder that is half deleted must not look whole.
                shutil.rmtree(checkpoint.rename(self.saving / f"old-{checkpoint.name}"))
        self.clear()

    def clear(self) -> None:
        """Delete what is half-written."""
        for folder in (self.saving, self.finished):
            shutil.rmtree(folder, ignore_errors=True)

    def note_faults(self, faults: Sequence[str]) -> None:
        """Keep why the bot should not serve the result, for as long as the folder is there."""
        self._faults.write_text(json.dumps(faults), encoding="utf-8")

    def faults(self) -> list[str]:
        """Return what was noted; none where nothing was."""
        return [*map(str, json.loads(self._faults.read_text(encoding="utf-8")))] if self._faults.exists() else []

    def checkpoint(self, step: int) -> Path:
        """Return the checkpoint of ``step``."""
        return self.folder / f"{_CHECKPOINT}{step}"

    def remove(self) -> None:
        """Delete the whole folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def tidy(self) -> None:
        """Let go of the folder: delete what is half-written, and all of it where it has no checkpoint."""
        if not self._lock.is_locked:
            return  # It is another run's.
        self.clear()
        if not self.checkpoints():
            self.remove()
        self._lock.release()

    def _changes(self, now: dict[str, JsonValue]) -> list[str]:
        try:
            then = json.loads(self._record.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ResumeError(f"{self._record} cannot be read ({error}): delete {self.folder} and begin.") from error
        names = [name for name in sorted(then.keys() | now.keys()) if then.get(name) != now.get(name)]
        return [
            "the songs are not the same"
            if name == "songs"
            else f"--{name.replace('_', '-')} was {then.get(name)} and is {now.get(name)}"
            for name in names
        ]


@contextmanager
def explain_full_disk(folder: Path) -> Iterator[None]:
    """Turn a failed write into one sentence.

    Raises:
        DiskError: In place of what the system, safetensors or torch's writer raise.
    """
    try:
        yield
    except (OSError, SafetensorError) as error:
        raise _disk_error(folder, error) from error
    except RuntimeError as error:
        # torch.save says no more than this of a write that failed.
        if "PytorchStreamWriter" not in str(error) and "inline_container" not in str(error):
            raise
        raise _disk_error(folder, OSError(errno.EIO, "a file could not be written whole")) from error


def _disk_error(folder: Path, error: Exception) -> DiskError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error).partition("\n")[0]
    return DiskError(f"{folder} could not be written ({reason}): make room, then go on with --resume.")


def _describe(config: FitConfig, data_fingerprint: str) -> dict[str, Any]:
    return config.model_dump(mode="json", exclude=_FREE_SETTINGS) | {"songs": data_fingerprint}


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.removeprefix(_CHECKPOINT))


def _size(folders: list[Path]) -> int:
    return sum(file.stat().st_size for folder in folders for file in folder.rglob("*") if file.is_file())


def _sync(folder: Path) -> None:
    """Wait until all files in ``folder`` are on the disk: a rename may otherwise outlive a power cut before them."""
    for file in folder.rglob("*"):
        if file.is_file():
            with file.open("rb") as stream:
                os.fsync(stream.fileno())
