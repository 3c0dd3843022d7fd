"""Measures checkpoints that are there already, on the songs that the first of them did not learn."""

import logging
from dataclasses import asdict

from model.checkpoint.folder import Checkpoint
from model.terminal import for_terminal
from train.config import DataConfig, FitConfig
from train.measuring.config import CompareConfig, EvaluateConfig
from train.measuring.evaluation import Evaluation, Evaluator
from train.measuring.report import describe_copy, render_table
from train.songs.reading import read_songs
from train.songs.split import Split, split_songs

log = logging.getLogger(__name__)

_CHOICES = {"unit", "where", "min_rhyme", "encoding", "separator", "clean"}
"""Settings that decide which songs there are."""


def measure(config: EvaluateConfig | CompareConfig, *sources: str) -> list[Evaluation]:
    """Return what is measured of each checkpoint folder or hub id.

    Raises:
        CheckpointError: Where a checkpoint does not load.
        DataError: Where the songs cannot be read.
    """
    checkpoints = [Checkpoint.open(source) for source in sources]
    split = _split(config, checkpoints[0])
    log.info("%d songs held out of %d", len(split.validation), len(split.train) + len(split.validation))
    for checkpoint in checkpoints:
        if checkpoint.metadata is not None and checkpoint.metadata.data_fingerprint != split.fingerprint:
            log.warning(
                "%s was trained on other songs or with another split: it may have learnt some that count as held out.",
                checkpoint.name,
            )
    # One model at a time is in memory.
    return [Evaluator(checkpoint, split).evaluate(config.samples, config.sample_seed) for checkpoint in checkpoints]


def _split(config: EvaluateConfig | CompareConfig, checkpoint: Checkpoint) -> Split:
    """Hold out the songs that were held out when the checkpoint was trained, unless the settings say otherwise."""
    defaults = {name: field.default for name, field in FitConfig.model_fields.items()}
    trained = checkpoint.metadata.training if checkpoint.metadata else {}
    settings = defaults | trained | config.model_dump(include={"validation_fraction", "seed"}, exclude_none=True)
    chosen = {name: settings[name] for name in _CHOICES - config.model_fields_set}
    asked = config.model_dump(include=set(DataConfig.model_fields))
    reading = read_songs(DataConfig.model_validate(asked | chosen))
    return split_songs(reading, settings["validation_fraction"], settings["seed"])


def as_text(*evaluations: Evaluation) -> str:
    """Return a table for the terminal, and under it what was copied."""
    copies = [sentence for evaluation in evaluations if (sentence := describe_copy(evaluation))]
    return for_terminal("\n".join([render_table(evaluations), *([""] if copies else []), *copies]))


def as_json(evaluation: Evaluation) -> dict[str, object]:
    """Return the measurements as JSON has them."""
    numbers: dict[str, object] = {"checkpoint": evaluation.name, **evaluation.numbers()}
    if evaluation.generated is not None:
        originality = asdict(evaluation.generated.originality)
        numbers |= {name: originality[name] for name in ("longest_text", "longest_source")}
    return numbers
