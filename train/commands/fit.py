"""One training run: from songs to a checkpoint that the bot serves."""

import functools
import logging
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from transformers import (
    GenerationConfig,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    set_seed,
)

from model.checkpoint.folder import METADATA_FILE, Checkpoint, Metadata, point_current
from model.checkpoint.pretrained import load_pretrained
from model.engines.interface import Request
from model.engines.reference import ReferenceEngine
from model.errors import CheckpointError, LyricsError
from model.sampling.params import SamplingParams
from model.song import BOS_TOKEN, EOS_TOKEN, Header, with_opening_tag
from train.config import SCRATCH_ONLY, FitConfig
from train.learning.loop import Material, Trained, train
from train.learning.partial_run import PartialRun, ResumeError, explain_full_disk
from train.learning.processes import Processes
from train.learning.progress import ProgressEvent, ReportProgress, reporting
from train.measuring.evaluation import Evaluator
from train.measuring.report import REPORT_FILE, write_report
from train.songs.reading import Reading, read_songs
from train.songs.split import Split, split_songs
from train.tokens.cutting import find_long_lines, tokenize
from train.tokens.vocabulary import learn_tokenizer

log = logging.getLogger(__name__)

MAX_SHARD_SIZE = "15MB"
"""Small enough for any host of git repositories."""

MAX_PROBLEMS = 20
"""Lines about what was skipped, before training starts."""

_SAMPLE = Request("", Header(), SamplingParams(num_return_sequences=1, seed=1))


def fit(config: FitConfig, current: Path) -> None:
    """Train as ``config`` says, write the checkpoint, point ``current`` at it and show a sample of it.

    Several processes, started by torchrun or accelerate, train together; the first one writes and prints.

    Raises:
        DataError: Where the songs cannot be read.
        CheckpointError: Where the base is no GPT-2 that loads.
        ResumeError: Where --resume has nothing to go on with, or is missing.
        LyricsError: Whatever else stops the training, see ``train.learning.loop.train``.
    """
    processes = Processes.join()
    if config.output.exists():
        if processes.is_first:
            _end(config, current)
        return
    set_seed(config.seed)
    reading = read_songs(config)
    split = split_songs(reading, config.validation_fraction, config.seed)
    log.info("%d songs to learn, %d held out", len(split.train), len(split.validation))
    partial = PartialRun(config.output)
    partial.check(config, split.fingerprint)
    model, tokenizer = _from_scratch(config, split) if config.from_scratch else _from_base(config)
    new_tokens = add_special_tokens(model, tokenizer)
    _report_problems(config, reading, model, tokenizer)
    log.info("%.1f M parameters, %d tokens", model.num_parameters() / 1e6, len(tokenizer))

    material = _material(config, split, model, tokenizer, new_tokens)
    processes.wait()  # until all have looked at what lies there
    try:
        if processes.is_first:
            partial.begin(config, split.fingerprint, num_parameters=model.num_parameters())
        processes.wait()
        with reporting(config.progress) as report:
            write_sample = functools.partial(_write_song, Checkpoint("", partial.folder, None), tokenizer, split)
            trained = train(config, material, partial, processes, report=report, write_sample=write_sample)
            if processes.is_first:
                sample = _finish(config, current, partial, trained, tokenizer, split)
                _show(config, trained, sample, report)
    finally:
        if processes.is_first:
            partial.tidy()


def _material(
    config: FitConfig,
    split: Split,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    new_tokens: list[int],
) -> Material:
    context: int = model.config.max_position_embeddings
    songs, validation = (
        tokenize(part, tokenizer, context, workers=config.workers) for part in (split.train, split.validation)
    )
    for kind, tokenized in (("to learn", songs), ("held out", validation)):
        if not len(tokenized):
            raise LyricsError(
                f"No line of the songs {kind} fits in the {context} tokens of {config.base}: break their lines, or "
                "begin with a base that has a larger context."
            )
    return Material(model, tokenizer, new_tokens, songs=songs, validation=validation)


def _finish(
    config: FitConfig,
    current: Path,
    partial: PartialRun,
    trained: Trained,
    tokenizer: PreTrainedTokenizerBase,
    split: Split,
) -> str:
    """Write the output folder, whole or not at all, and return a song that was generated from it."""
    partial.clear()
    with explain_full_disk(partial.finished):
        _save(partial.finished, config, trained.model, tokenizer)
        metadata = _metadata(config, split)
        evaluation = _report(partial.finished, config, split, metadata, trained)
        _write_metadata(partial.finished, metadata.model_copy(update={"evaluation": evaluation}))
    sample = _sample(partial.finished)  # A checkpoint that cannot write a song never appears.
    partial.finished.rename(config.output)
    _publish(config, current, partial)
    return sample


def _end(config: FitConfig, current: Path) -> None:
    """Do what was left of a run that was killed when its output stood already."""
    partial = PartialRun(config.output)
    if not config.resume:
        raise ResumeError(f"{config.output} is there, but its run was killed before its end: add --resume to end it.")
    _publish(config, current, partial)


def _publish(config: FitConfig, current: Path, partial: PartialRun) -> None:
    point_current(config.output, current)
    partial.remove()
    log.info("%s is finished, and %s points at it", config.output, current)


def _show(config: FitConfig, trained: Trained, sample: str, report: ReportProgress) -> None:
    steps = trained.steps
    report(
        ProgressEvent(
            event="finished",
            step=steps,
            steps=steps,
            validation_loss=trained.loss,
            sample=sample,
            output=str(config.output),
        )
    )
    if config.progress != "json":
        print(f"{config.output}: validation loss {trained.loss:.3f}, see {REPORT_FILE} there\n\n{sample}")


def _from_scratch(config: FitConfig, split: Split) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Return a GPT-2 with random weights and a tokenizer learnt from the training songs."""
    tokenizer = learn_tokenizer((song.lyric for song in split.train), config.vocab_size - 2)
    model = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=len(tokenizer),
            n_positions=config.n_positions,
            n_embd=config.n_embd,
            n_layer=config.n_layer,
            n_head=config.n_head,
            bos_token_id=None,
            eos_token_id=None,
            **_dropouts(config),
        )
    )
    return model, tokenizer


def _from_base(config: FitConfig) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    base = Checkpoint.open(config.base)
    model, tokenizer = load_pretrained(base)
    if not isinstance(model, GPT2LMHeadModel):
        raise CheckpointError(
            f"The base {config.base} is a {model.config.model_type}, not a GPT-2: name a GPT-2 checkpoint."
        )
    for name, value in _dropouts(config).items():
        setattr(model.config, name, value)
    # The layers read their dropout from the config when they are built, so it is set on them as well.
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = config.dropout
    return model, tokenizer


def _dropouts(config: FitConfig) -> dict[str, Any]:
    return dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), config.dropout)


def add_special_tokens(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Give tokenizer and model a start and an end token, and return those that are new to the model.

    A new row starts at the mean of the old ones: it is then as likely as the average word, and moves nothing else.
    """
    tokenizer.add_special_tokens({"bos_token": BOS_TOKEN, "eos_token": EOS_TOKEN, "pad_token": EOS_TOKEN})
    old_size: int = model.config.vocab_size
    if len(tokenizer) > old_size:
        model.resize_token_embeddings(len(tokenizer), mean_resizing=True)
    for config in (model.config, model.generation_config):
        config.bos_token_id = tokenizer.bos_token_id
        config.eos_token_id = config.pad_token_id = tokenizer.eos_token_id
    return list(range(old_size, len(tokenizer)))


def _report_problems(
    config: FitConfig, reading: Reading, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    """Say what is not learnt; ``check`` shows all of it."""
    problems = [*reading.problems, *find_long_lines(reading, tokenizer, model.config.max_position_embeddings)]
    for problem in problems[:MAX_PROBLEMS]:
        log.warning("skipped: %s", problem)
    if len(problems) > MAX_PROBLEMS:
        more = len(problems) - MAX_PROBLEMS
        log.warning("and %d more: python -m train check %s", more, " ".join(config.data))


def _save(folder: Path, config: FitConfig, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    defaults = SamplingParams()
    model.generation_config = GenerationConfig(
        do_sample=True,
        temperature=defaults.temperature,
        top_k=defaults.top_k,
        top_p=defaults.top_p,
        repetition_penalty=defaults.repetition_penalty,
        max_new_tokens=defaults.max_length,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model.to(getattr(torch, config.save_dtype)).save_pretrained(folder, max_shard_size=MAX_SHARD_SIZE)
    tokenizer.save_pretrained(folder)
    # safetensors makes its files for the owner alone, but the bot may well run as another user.
    for weights in folder.glob("*.safetensors"):
        shutil.copymode(folder / "config.json", weights)


def _report(folder: Path, config: FitConfig, split: Split, metadata: Metadata, trained: Trained) -> dict[str, float]:
    """Measure the checkpoint and its base, write the report, and return the checkpoint's measurements."""
    evaluator = Evaluator(Checkpoint(config.output.name, folder, metadata), split)
    evaluation = evaluator.evaluate(config.samples)
    base = None if config.from_scratch else Evaluator(Checkpoint.open(config.base), split).evaluate(config.samples)
    write_report(folder, trained.history, evaluation, base, evaluator.samples())
    return {"eval_loss": trained.loss} | evaluation.numbers()


def _metadata(config: FitConfig, split: Split) -> Metadata:
    """Return what is known of the checkpoint before it is measured."""
    # What is not recorded teaches nothing, or stands in a field of its own; older checkpoints have some of it.
    unused = {"data", "output", "base", "workers", "resume", "progress", "log_steps"}
    settings: dict[str, Any] = config.model_dump(
        mode="json", exclude=unused if config.from_scratch else unused | SCRATCH_ONLY
    )
    return Metadata(
        base="scratch" if config.from_scratch else Path(config.base).name,
        data_fingerprint=split.fingerprint,
        training=settings | {"data": ", ".join(Path(name).name for name in config.data), "songs": len(split.train)},
        evaluation={},
        header_fields=split.header_fields,
        header_values=split.header_values,
        opening_tag=split.opening_tag,
        created=datetime.now(UTC),
    )


def _write_metadata(folder: Path, metadata: Metadata) -> None:
    (folder / METADATA_FILE).write_text(metadata.model_dump_json(indent=2) + "\n", encoding="utf-8")


def _sample(folder: Path) -> str:
    """Load the checkpoint as the bot will, and return a song that it wrote."""
    (song,) = ReferenceEngine.load(Checkpoint.open(folder)).generate(_SAMPLE, lambda _: None, lambda: False)
    return song.lyric


def _write_song(
    checkpoint: Checkpoint, tokenizer: PreTrainedTokenizerBase, split: Split, model: PreTrainedModel
) -> str:
    """Return a song by a model in training, whose random numbers stay as they were."""
    request = replace(_SAMPLE, prompt=with_opening_tag(split.opening_tag, ""))
    with torch.random.fork_rng([model.device] if model.device.type == "cuda" else []):
        engine = ReferenceEngine(checkpoint, model, tokenizer)
        (song,) = engine.generate(request, lambda _: None, lambda: False)
    return song.lyric
