"""``fit``: one training run, from songs to a checkpoint that the bot serves."""

import contextlib
import logging
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from transformers import set_seed

from model.checkpoint.folder import Checkpoint, point_current
from model.errors import LyricsError
from model.terminal import for_terminal
from train.config import FitConfig
from train.learning.loop import Material, Trained, train
from train.learning.partial_run import PartialRun, ResumeError, explain_full_disk
from train.learning.processes import Processes
from train.learning.progress import ProgressEvent, ReportProgress, reporting
from train.learning.saving import describe_run, save_adapter, save_model, write_metadata
from train.learning.showing import song_of_checkpoint, song_of_learner
from train.learning.start import Start, make_start, settle
from train.measuring.precision import measure_int8
from train.measuring.report import REPORT_FILE, report_run
from train.songs.reading import Reading, read_songs
from train.songs.split import Split, split_songs
from train.tokens.cutting import find_long_lines, tokenize

log = logging.getLogger(__name__)

MAX_PROBLEMS = 20
"""Lines about what was skipped, before training starts."""


def fit(config: FitConfig, current: Path) -> None:
    """Train as ``config`` says, write the checkpoint, point ``current`` at it where it is of use, and show a sample.

    Several processes, started by torchrun or accelerate, train together; the first one writes and prints.

    Raises:
        DataError: Where the songs cannot be read.
        CheckpointError: Where the base does not load, or is of another family.
        ResumeError: Where --resume has nothing to go on with, or is missing.
        LyricsError: Whatever else stops the training, see ``train.learning.loop.train``.
    """
    processes = Processes.join()
    partial = PartialRun(config.output)
    if config.output.exists():
        if processes.is_first:
            _end_killed(config, current, partial)
        return
    set_seed(config.seed)
    reading = read_songs(config)
    split = split_songs(reading, config.validation_fraction, config.seed)
    log.info("%d songs to learn, %d held out", len(split.train), len(split.validation))
    partial.check(config, split.fingerprint)
    start = make_start(config, split)
    _warn_of_problems(config, reading, start)
    log.info("%.1f M parameters, %d tokens", start.model.num_parameters() / 1e6, len(start.tokenizer))
    _run(config, current, partial, processes, split, start)


def _run(
    told: FitConfig,
    current: Path,
    partial: PartialRun,
    processes: Processes,
    split: Split,
    start: Start,
) -> None:
    config = settle(told, start.model)
    material = _material(config, split, start)
    processes.wait()  # until all have looked at what lies there
    try:
        if processes.is_first:
            partial.begin(told, split.fingerprint, num_parameters=start.model.num_parameters())
        processes.wait()
        with reporting(config.progress) as report:
            trained = train(
                config,
                material,
                partial,
                processes,
                report=report,
                write_sample=lambda model: song_of_learner(model, start.tokenizer, split.opening_tag),
            )
            if processes.is_first:
                with _explaining_interrupt():
                    sample = _finish(config, partial, split, start, trained)
                served = _publish(config, current, partial)
                _show(config, trained, sample, report, served=served)
    finally:
        if processes.is_first:
            partial.tidy()


@contextlib.contextmanager
def _explaining_interrupt() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt as error:
        raise LyricsError(
            "Stopped while the checkpoint was measured. All that was learnt is saved: the same command with --resume "
            "measures it and ends the run; with --samples 0 that takes less time."
        ) from error


def _material(config: FitConfig, split: Split, start: Start) -> Material:
    songs, validation = (
        tokenize(part, start.tokenizer, start.context, workers=config.workers)
        for part in (split.train, split.validation)
    )
    for kind, tokenized in (("to learn", songs), ("held out", validation)):
        if not len(tokenized):
            raise LyricsError(
                f"No line of the songs {kind} fits in the {start.context} tokens of {config.base}: break their lines, "
                "or begin with a base that has a larger context."
            )
    return Material(start.model, start.tokenizer, start.new_tokens, songs=songs, validation=validation)


def _finish(config: FitConfig, partial: PartialRun, split: Split, start: Start, trained: Trained) -> str:
    """Write the output folder, whole or not at all, and return a song that was written by it."""
    partial.clear()
    folder = partial.finished
    with explain_full_disk(folder):
        if config.keep_adapter:
            save_adapter(folder, trained.model, start.tokenizer, config.base)
        else:
            save_model(folder, trained.model, start.tokenizer, config.save_dtype)
        metadata = describe_run(config, split)
        base = None if config.from_scratch else config.base
        checkpoint = replace(Checkpoint.open(folder), name=config.output.name, metadata=metadata)
        measured = report_run(checkpoint, base, split, config.samples, trained.history)
        partial.note_faults(measured.faults)
        evaluation = {"eval_loss": trained.loss} | measured.numbers | measure_int8(checkpoint, split.validation)
        write_metadata(folder, metadata.model_copy(update={"evaluation": evaluation}))
    sample = song_of_checkpoint(folder)  # A checkpoint that cannot write a song never appears.
    folder.rename(config.output)
    return sample


def _publish(config: FitConfig, current: Path, partial: PartialRun) -> bool:
    """Have the bot serve the result, unless it is of no use; return whether it does."""
    faults = partial.faults()
    if not faults:
        point_current(config.output, current)
    partial.remove()
    if not faults:
        log.info("%s is finished, and %s points at it", config.output, current)
        return True
    log.warning(
        "%s is finished, but the bot goes on with what it serves: %s. To have it serve this all the same:\n\n"
        "    python -m train use %s\n",
        *(config.output, "; ".join(faults), shlex.quote(str(config.output))),
    )
    return False


def _end_killed(config: FitConfig, current: Path, partial: PartialRun) -> None:
    """Do what was left of a run that was killed when its output stood already."""
    if not config.resume:
        raise ResumeError(f"{config.output} is there, but its run was killed before its end: add --resume to end it.")
    _publish(config, current, partial)


def _show(config: FitConfig, trained: Trained, sample: str, report: ReportProgress, *, served: bool) -> None:
    steps = trained.steps
    report(
        ProgressEvent(
            event="finished",
            step=steps,
            steps=steps,
            validation_loss=trained.loss,
            sample=sample,
            output=str(config.output),
            served=served,
        )
    )
    if config.progress != "json":
        print(f"{config.output}: validation loss {trained.loss:.3f}, see {REPORT_FILE} there\n\n{for_terminal(sample)}")


def _warn_of_problems(config: FitConfig, reading: Reading, start: Start) -> None:
    """Say what is not learnt; ``check`` shows all of it."""
    for each in reading.report.residue:
        done = "cleaned" if each.after is not None else "learnt as it is, is it meant?"
        log.warning("%s: %s, in %d songs (%s)", done, each.kind, each.songs, ", ".join(each.places))
    problems = [*reading.problems, *find_long_lines(reading, start.tokenizer, start.context)]
    for problem in problems[:MAX_PROBLEMS]:
        log.warning("skipped: %s", problem)
    if len(problems) > MAX_PROBLEMS:
        more = len(problems) - MAX_PROBLEMS
        log.warning("and %d more: python -m train check %s", more, " ".join(config.data))
