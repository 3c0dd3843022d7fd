"""One training run: from songs to a checkpoint that the bot serves."""

import logging
import random
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import (
    DataCollatorForSeq2Seq,
    GenerationConfig,
    GPT2Config,
    GPT2LMHeadModel,
    GPT2Tokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    Trainer,
    TrainingArguments,
    set_seed,
)

from model.checkpoint import METADATA_FILE, Checkpoint, Metadata, point_current
from model.engine import GenerationRequest
from model.errors import CheckpointError, LyricsError
from model.loading import load_pretrained
from model.reference import ReferenceEngine
from model.sampling import SamplingParams
from model.song import BOS_TOKEN, EOS_TOKEN, Header
from train.config import FitConfig, Precision
from train.data import Split, drop_header_fields, read_songs, split_songs, tokenize
from train.evaluation import Evaluator
from train.report import REPORT_FILE, write_report

log = logging.getLogger(__name__)

MAX_SHARD_SIZE = "15MB"
"""Small enough for any host of git repositories."""


class PrecisionError(LyricsError):
    """This machine does not compute in the precision that was asked for."""


def fit(config: FitConfig, current: Path) -> None:
    """Train as ``config`` says, write the checkpoint, point ``current`` at it and print a sample of it.

    Raises:
        DataError: Where the songs cannot be read.
        CheckpointError: Where the base is no GPT-2 that loads.
        PrecisionError: Where this machine does not compute in the precision that was asked for.
    """
    set_seed(config.seed)
    split = split_songs(read_songs(config.data), config.validation_fraction, config.seed)
    log.info("%d songs to learn, %d held out", len(split.train), len(split.validation))
    model, tokenizer = _from_scratch(config, split) if config.from_scratch else _from_base(config)
    _add_special_tokens(model, tokenizer)
    log.info("%.1f M parameters, %d tokens", model.num_parameters() / 1e6, len(tokenizer))

    config.output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=config.output.parent, prefix=f".{config.output.name}-") as scratch:
        history = _train(config, split, model, tokenizer, Path(scratch, "trainer"))
        finished = Path(scratch, config.output.name)
        _save(finished, config, model, tokenizer)
        metadata = _metadata(config, split)
        evaluation = _report(finished, config, split, metadata, history)
        _write_metadata(finished, metadata.model_copy(update={"evaluation": evaluation}))
        sample = _sample(finished)  # A checkpoint that cannot write a song never appears.
        finished.rename(config.output)
    point_current(config.output, current)
    print(f"{config.output}: validation loss {evaluation['eval_loss']:.3f}, see {REPORT_FILE} there\n\n{sample}")


def _from_scratch(config: FitConfig, split: Split) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Return a GPT-2 with random weights and a byte-level BPE tokenizer learnt from the training songs."""
    texts = (song.lyric for song in split.train)
    tokenizer = GPT2Tokenizer().train_new_from_iterator(
        texts, vocab_size=config.vocab_size - 1, length=len(split.train), show_progress=False
    )
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


def _add_special_tokens(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Give tokenizer and model a start and an end token; a new row starts near the mean of the old ones."""
    tokenizer.add_special_tokens({"bos_token": BOS_TOKEN, "eos_token": EOS_TOKEN, "pad_token": EOS_TOKEN})
    if len(tokenizer) > model.config.vocab_size:
        model.resize_token_embeddings(len(tokenizer))
    for config in (model.config, model.generation_config):
        config.bos_token_id = tokenizer.bos_token_id
        config.eos_token_id = config.pad_token_id = tokenizer.eos_token_id


def _train(
    config: FitConfig,
    split: Split,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    scratch: Path,
) -> list[dict[str, float]]:
    """Train ``model`` in place, keep its best epoch, and return what the Trainer logged, the best epoch's loss last."""
    train_set, validation_set = _tokenized(config, split, model, tokenizer)
    trainer = Trainer(
        model=model,
        args=_training_arguments(config, scratch),
        train_dataset=train_set,
        eval_dataset=validation_set,
        # Padding is end tokens, so the labels are padded apart: a song's own end token is learnt.
        data_collator=DataCollatorForSeq2Seq(tokenizer, label_pad_token_id=-100),
    )
    trainer.train()
    trainer.evaluate()
    return trainer.state.log_history


def _tokenized(
    config: FitConfig, split: Split, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> tuple[Dataset, Dataset]:
    rng = random.Random(config.seed)  # noqa: S311 - no secret
    context: int = model.config.max_position_embeddings
    return (
        tokenize((drop_header_fields(song, rng) for song in split.train), tokenizer, context),
        tokenize(split.validation, tokenizer, context),
    )


def _training_arguments(config: FitConfig, scratch: Path) -> TrainingArguments:
    precision = _precision(config)
    return TrainingArguments(
        output_dir=str(scratch),
        per_device_train_batch_size=config.batch_size,
        per_device_eval_batch_size=config.batch_size,
        num_train_epochs=config.epochs,
        learning_rate=config.learning_rate,
        lr_scheduler_type=config.lr_scheduler,
        warmup_steps=config.warmup_steps,
        weight_decay=config.weight_decay,
        fp16=precision == "fp16",
        bf16=precision == "bf16",
        use_cpu=not torch.cuda.is_available(),
        train_sampling_strategy="group_by_length",
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=1,
        load_best_model_at_end=True,
        metric_for_best_model="eval_loss",
        logging_steps=25,
        seed=config.seed,
        report_to="none",
    )


def _precision(config: FitConfig) -> Precision:
    """Return what to compute in: what was asked for, else fp16 where there is a GPU.

    Raises:
        PrecisionError: Where this machine does not compute in what was asked for.
    """
    gpu = torch.cuda.is_available()
    if config.precision == "auto":
        return "fp16" if gpu else "fp32"
    if config.precision == "fp16" and not gpu:
        raise PrecisionError("--precision fp16 needs a GPU, and there is none: use bf16, fp32 or auto.")
    if config.precision == "bf16" and gpu and not torch.cuda.is_bf16_supported():
        raise PrecisionError("--precision bf16 is not for this GPU: use fp16, fp32 or auto.")
    return config.precision


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


def _report(
    folder: Path, config: FitConfig, split: Split, metadata: Metadata, history: list[dict[str, float]]
) -> dict[str, float]:
    """Measure the checkpoint and its base, write the report, and return the checkpoint's measurements."""
    evaluator = Evaluator(Checkpoint(config.output.name, folder, metadata), split)
    evaluation = evaluator.evaluate(config.samples)
    base = None if config.from_scratch else Evaluator(Checkpoint.open(config.base), split).evaluate(config.samples)
    write_report(folder, history, evaluation, base, evaluator.samples())
    return {"eval_loss": history[-1]["eval_loss"]} | evaluation.numbers()


def _metadata(config: FitConfig, split: Split) -> Metadata:
    """Return what is known of the checkpoint before it is measured."""
    settings: dict[str, Any] = config.model_dump(mode="json", exclude={"data", "output", "base"})
    return Metadata(
        base="scratch" if config.from_scratch else Path(config.base).name,
        data_fingerprint=split.fingerprint,
        training=settings | {"data": config.data.name, "songs": len(split.train)},
        evaluation={},
        header_fields=split.header_fields,
        opening_tag=split.opening_tag,
        created=datetime.now(UTC),
    )


def _write_metadata(folder: Path, metadata: Metadata) -> None:
    (folder / METADATA_FILE).write_text(metadata.model_dump_json(indent=2) + "\n", encoding="utf-8")


def _sample(folder: Path) -> str:
    """Load the checkpoint as the bot will, and return a song that it wrote."""
    request = GenerationRequest("", Header(), SamplingParams(num_return_sequences=1, seed=1))
    (song,) = ReferenceEngine.load(Checkpoint.open(folder)).generate(request, lambda _: None, lambda: False)
    return song.lyric
