"""Shows what was measured: a table for the terminal, and ``report.md`` with the loss curves beside a checkpoint."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from model.checkpoint.folder import Checkpoint
from model.sampling.params import SamplingParams
from model.terminal import for_terminal
from train.measuring.chart import draw_losses
from train.measuring.evaluation import MAX_TOKENS, Evaluation, Evaluator, Sample
from train.measuring.verdict import find_faults
from train.songs.split import Split
from train.words.originality import RUN
from train.words.slips import CIRCLES

REPORT_FILE = "report.md"
CHART_FILE = "loss.png"


@dataclass(frozen=True, slots=True)
class _Row:
    """A line of the table; ``better`` is none where two checkpoints' values say nothing of which is better."""

    key: str
    label: str
    style: str
    better: Literal["lower", "higher"] | None = None


_ROWS = (
    _Row("word_perplexity", "Perplexity per word", ".1f", "lower"),
    _Row("perplexity", "Perplexity per token", ".1f"),
    _Row("loss", "Loss per token, nats", ".3f"),
    _Row("clean_endings", f"Songs that end cleanly within {MAX_TOKENS} tokens", ".0%", "higher"),
    _Row("whole_songs", f"Whole songs of at most {MAX_TOKENS} tokens", ".0%", "higher"),
    _Row("whole_songs_default", f"Whole songs of at most {SamplingParams().max_length} tokens", ".0%", "higher"),
    _Row("tags_in_order", "Songs with section tags in order", ".0%", "higher"),
    _Row("words_per_song", "Words a song", ".0f"),
    _Row("rhyming_lines", "Lines that rhyme", ".1%", "higher"),
    _Row("rhyme_adjacent", "Rhyming pairs, adjacent lines", ".1%"),
    _Row("rhyme_alternate", "Rhyming pairs, alternate lines", ".1%"),
    _Row("repeated_lines", "Repeated lines outside choruses", ".1%", "lower"),
    _Row("distinct_1", "Distinct words (distinct-1)", ".3f", "higher"),
    _Row("distinct_2", "Distinct word pairs (distinct-2)", ".3f", "higher"),
    _Row("subject_returns", "Songs whose subject comes back", ".0%"),
    _Row("circling", f"Songs with a line that says two words {CIRCLES} times", ".0%", "lower"),
    _Row("unknown_words", "Words that nobody knows", ".2%", "lower"),
    _Row("unbalanced", "Songs with an open quote or bracket", ".0%", "lower"),
    _Row("archaic", "Archaic words", ".2%", "lower"),
    _Row("copied_runs", f"Copied runs of {RUN} words", ".2%", "lower"),
    _Row("longest_run", "Longest copied run, words", ".0f", "lower"),
)


@dataclass(frozen=True, slots=True)
class Measured:
    """What was found out about a new checkpoint."""

    numbers: dict[str, float]
    """The measurements, by name."""
    faults: tuple[str, ...]
    """Why the bot should not serve it unasked; none where it should."""


def render_table(evaluations: Sequence[Evaluation]) -> str:
    """Return a Markdown table, a column for each checkpoint and one for the songs held out.

    The best value of a row is bold where it means something that it is better.
    """
    columns = [evaluation.numbers() for evaluation in evaluations]
    cells = [
        ["", *(evaluation.name for evaluation in evaluations), "Songs held out"],
        *(
            [row.label, *_cells(row, columns), _format(row, evaluations[0].held_out.numbers())]
            for row in _ROWS
            if any(row.key in column for column in columns)
        ),
    ]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "| " + " | ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]) + " |" for line in cells
    ]
    rule = "|".join(["", "-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:]), ""])
    return "\n".join([lines[0], rule, *lines[1:]])


def describe_copy(evaluation: Evaluation) -> str:
    """Return a sentence with the longest copied run, empty where nothing was generated or copied."""
    if evaluation.generated is None or not evaluation.generated.originality.longest_run:
        return ""
    copy = evaluation.generated.originality
    return (
        f"The longest run of words that {evaluation.name} copied, {copy.longest_run} words, "
        f'is from "{copy.longest_source}": "{copy.longest_text}".'
    )


def report_run(
    checkpoint: Checkpoint,
    base: str | None,
    split: Split,
    samples: int,
    history: Sequence[Mapping[str, float]],
) -> Measured:
    """Measure a checkpoint and its base, write the report, and return what was found.

    Args:
        checkpoint: What a run has just written.
        base: Checkpoint folder or hub id that it started from, if it did.
        split: Its songs.
        samples: How many songs each writes to be measured.
        history: The Trainer's ``state.log_history``.
    """
    evaluator = Evaluator(checkpoint, split)
    evaluation = evaluator.evaluate(samples)
    base_evaluation = None if base is None else Evaluator(Checkpoint.open(base), split).evaluate(samples)
    written = evaluator.samples()
    write_report(checkpoint.path, history, evaluation, base_evaluation, written)
    return Measured(evaluation.numbers(), find_faults(evaluation, base_evaluation, written))


def write_report(
    folder: Path,
    history: Sequence[Mapping[str, float]],
    evaluation: Evaluation,
    base_evaluation: Evaluation | None,
    samples: Sequence[Sample],
) -> None:
    """Write ``report.md`` and, where losses were logged, ``loss.png`` into a checkpoint's folder.

    Args:
        folder: The checkpoint's folder; files of those names are replaced.
        history: The Trainer's ``state.log_history``.
        evaluation: What was measured of the checkpoint.
        base_evaluation: What was measured of the checkpoint it started from, if it started from one.
        samples: Songs to show, each with its temperature.
    """
    parts = [f"# {evaluation.name}"]
    if draw_losses(folder / CHART_FILE, history, evaluation.name):
        parts += [f"![Loss while training]({CHART_FILE})", _describe_losses(history)]
    parts += ["## Measurements", render_table([evaluation, *([base_evaluation] if base_evaluation else [])])]
    parts += [
        "Measured on songs held out from training; `train/README.md` says what each number means.",
        describe_copy(evaluation),
        "## Samples",
        *(_render_sample(sample) for sample in samples),
    ]
    (folder / REPORT_FILE).write_text("\n\n".join(part for part in parts if part) + "\n", encoding="utf-8")


def _describe_losses(history: Sequence[Mapping[str, float]]) -> str:
    """Say which epoch was best and whether the model overfitted after it."""
    losses = [(entry["eval_loss"], entry["epoch"]) for entry in history if "eval_loss" in entry and "epoch" in entry]
    if not losses:
        return ""
    (best, epoch), last = min(losses), max(epoch for _, epoch in losses)
    sentence = f"The validation loss was lowest, {best:.3f}, after epoch {epoch:g} of {last:g}."
    if epoch < last:
        return f"{sentence} It rose after that: longer training only learns the songs by heart."
    return f"{sentence} It was still falling at the end: more epochs may help."


def _render_sample(sample: Sample) -> str:
    prompt = "; ".join(sample.prompt.splitlines())
    # An indented block cannot be closed by anything that the model writes.
    lyric = "\n".join(f"    {line}".rstrip() for line in for_terminal(sample.lyric).splitlines())
    return f"### Temperature {sample.temperature:g}\n\nPrompt: `{prompt.replace('`', '')}`\n\n{lyric}"


def _cells(row: _Row, columns: Sequence[Mapping[str, float]]) -> list[str]:
    texts = [_format(row, column) for column in columns]
    values = [column[row.key] for column in columns if row.key in column]
    if row.better is None or len(set(texts)) == 1 or len(values) < len(columns):
        return texts
    best = _format(row, {row.key: min(values) if row.better == "lower" else max(values)})
    return [f"**{text}**" if text == best else text for text in texts]


def _format(row: _Row, column: Mapping[str, float | None]) -> str:
    value = column.get(row.key)
    return "–" if value is None else format(value, row.style)  # noqa: RUF001 - a dash for no value
