"""The training loop: from tokenized songs and a model to the same model at its best evaluation."""

import functools
import logging
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainingArguments

from model.checkpoint.pretrained import mute_transformers
from model.errors import LyricsError
from train.config import FitConfig, TrainingPrecision
from train.learning.lean import LEAN_FAMILIES, lean_steps
from train.learning.lora import add_adapters, merge_adapters
from train.learning.loss import z_loss
from train.learning.optimizer import MuonWithAdamW
from train.learning.partial_run import PartialRun
from train.learning.processes import Processes
from train.learning.progress import Follow, ReportProgress
from train.learning.trainer import EndEarly, LyricsTrainer, StopOnSignal
from train.tokens.batches import DrawnSongs, HeaderDropper, Share, StepSampler, pack, pad

log = logging.getLogger(__name__)

_RATE_EXPONENT = 0.75
"""How the learning rate follows the songs in a step: 1/2 keeps Adam's noise alike and 1 the way it goes; with 1/2,
8 times the lines in a step ended at a validation loss of 5.69 instead of 5.58, with 3/4 at 5.56 (a small model, half
an epoch of 15,000 lines)."""


class PrecisionError(LyricsError):
    """This machine does not compute in the precision that was asked for."""


class SharingError(LyricsError):
    """A step has fewer songs than processes and passes."""


class Stopped(LyricsError):  # noqa: N818 - named for what happened
    """The run was interrupted; what it had learnt is saved."""


@dataclass(frozen=True, slots=True)
class Material:
    """What a run learns with and from."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    new_tokens: list[int]
    """Tokens that the model has just been given, which LoRA trains whole."""
    songs: Dataset
    """Tokenized songs to learn, with ``input_ids`` and ``length``."""
    validation: Dataset
    """The same of the songs held out."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What a run gives."""

    model: PreTrainedModel
    loss: float
    """Loss per token on the held-out songs."""
    steps: int
    """Steps that were made, those before a resume included."""
    history: tuple[dict[str, float], ...]
    """The Trainer's log: ``step`` with ``loss``, or with ``eval_loss``, in order."""


def train(
    config: FitConfig,
    material: Material,
    partial: PartialRun,
    processes: Processes,
    *,
    report: ReportProgress,
    write_sample: Callable[[PreTrainedModel], str],
) -> Trained:
    """Train the model in place, from the last checkpoint in ``partial`` where there is one.

    Args:
        config: The settings.
        material: The model and the songs.
        partial: Where the checkpoints lie.
        processes: Who takes part.
        report: Told of the progress, in the first process.
        write_sample: Returns a song by the model that it is given.

    Raises:
        PrecisionError: Where this machine does not compute in the precision that was asked for.
        SharingError: Where a step has fewer songs than processes and passes.
        DiskError: Where a checkpoint cannot be written.
        Stopped: After SIGINT or SIGTERM.
    """
    mute_transformers()  # There is one bar, and it is ours; what is said of padding would be wrong.
    model = material.model
    if config.z_loss:
        model.loss_function = functools.partial(z_loss, weight=config.z_loss)
    if config.lora_rank:
        model = add_adapters(model, rank=config.lora_rank, alpha=config.lora_alpha, new_tokens=material.new_tokens)
    with lean_steps(model) if is_lean(config, material) else nullcontext():
        trainer = _trainer(config, model, material, partial, processes)
        if processes.is_first:
            trainer.add_callback(Follow(report, lambda: trainer.tokens_seen, lambda: write_sample(model)))
        if config.patience:
            trainer.add_callback(EndEarly(config.patience))
        _run(trainer, partial, processes)
        loss = trainer.load_best()
    model.config.use_cache = True  # which the Trainer has turned off
    history = tuple(trainer.state.log_history)
    merged = config.lora_rank and not config.keep_adapter
    return Trained(merge_adapters(model) if merged else model, loss, trainer.state.global_step, history)


def _trainer(
    config: FitConfig, model: PreTrainedModel, material: Material, partial: PartialRun, processes: Processes
) -> LyricsTrainer:
    lengths = list(material.songs["length"])
    count = songs_per_step(config, lengths)
    share = Share(config.gradient_accumulation, processes.rank, processes.world)
    if count < share.passes * share.world:
        raise SharingError(
            f"--batch-size {config.batch_size} is too small for {share.world} processes with {share.passes} passes "
            f"each: make it {share.passes * share.world} or more."
        )
    if config.activation_checkpointing:
        model.enable_input_require_grads()  # The first layer's input needs gradients where LoRA freezes what is below.
    # Songs side by side are faster, for the same loss; but a step of many short samples that are all of one length
    # teaches worse than a mixed one (benchmarks/README.md).
    packed = config.batching == "pack" or (config.batching == "auto" and count > config.batch_size)
    capacity = model.config.max_position_embeddings
    arguments = training_arguments(config, partial, count, is_lean=is_lean(config, material))
    return LyricsTrainer(
        model,
        arguments,
        songs=DrawnSongs(material.songs, HeaderDropper(material.tokenizer), config.seed),
        validation=material.validation,
        sampler=StepSampler(lengths, count, share, seed=config.seed, grouped=not packed),
        collate=functools.partial(pack, capacity=capacity) if packed else pad,
        partial=partial,
        optimizer=_optimizer(config, model, arguments),
    )


def _optimizer(config: FitConfig, model: PreTrainedModel, arguments: TrainingArguments) -> torch.optim.Optimizer | None:
    """Return the optimizer that was asked for; none is the Trainer's own, AdamW."""
    if config.optimizer == "adamw":
        return None
    return MuonWithAdamW(model, lr=arguments.learning_rate, weight_decay=arguments.weight_decay)


def _run(trainer: LyricsTrainer, partial: PartialRun, processes: Processes) -> None:
    stop = StopOnSignal(processes.any)
    trainer.add_callback(stop)
    last = next(reversed(partial.checkpoints()), None)
    if last is None and processes.is_first and not torch.cuda.is_available():
        log.info("About %s to learn on this CPU, evaluations left out", describe_duration(trainer.foresee()))
    with stop.listening():
        trainer.train(resume_from_checkpoint=None if last is None else str(last))
    if stop.stopped:
        state = trainer.state
        raise Stopped(f"Stopped at step {state.global_step} of {state.max_steps}, which is saved: go on with --resume.")


def is_lean(config: FitConfig, material: Material) -> bool:
    """Return whether the steps are those of ``train.learning.lean``."""
    is_fit = material.model.config.model_type in LEAN_FAMILIES and not material.new_tokens and not config.z_loss
    is_cpu = not torch.cuda.is_available() and config.precision in {"auto", "bf16"}
    return bool(config.lora_rank) and is_fit and is_cpu and not config.compile and not config.activation_checkpointing


def training_arguments(
    config: FitConfig, partial: PartialRun, songs_in_step: int, *, is_lean: bool = False
) -> TrainingArguments:
    """Return the settings as the Trainer takes them.

    Raises:
        PrecisionError: Where this machine does not compute in the precision that was asked for.
    """
    precision = "bf16" if is_lean else choose_precision(config.precision)
    assert config.learning_rate is not None, "it is settled before"
    rate = config.learning_rate * (songs_in_step / config.batch_size) ** _RATE_EXPONENT
    log.info("%d songs a step, learning rate %.2g, %s", songs_in_step, rate, precision)
    every = "epoch" if config.eval_steps is None else "steps"
    return TrainingArguments(
        output_dir=str(partial.folder),
        gradient_accumulation_steps=config.gradient_accumulation,
        num_train_epochs=config.epochs,
        learning_rate=rate,
        lr_scheduler_type=config.lr_scheduler,
        warmup_steps=config.warmup_steps or config.warmup_ratio,
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        fp16=precision == "fp16",
        bf16=precision == "bf16" and not is_lean,  # Lean steps are in bfloat16 by themselves.
        torch_compile=config.compile,
        activation_checkpointing=config.activation_checkpointing,
        activation_checkpointing_kwargs={"use_reentrant": False} if config.activation_checkpointing else None,
        use_cpu=not torch.cuda.is_available(),
        eval_strategy=every,
        save_strategy=every,
        eval_steps=config.eval_steps,
        save_steps=config.eval_steps or 1,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        logging_steps=config.log_steps,
        seed=config.seed,
        ddp_find_unused_parameters=False,
        disable_tqdm=True,
        remove_unused_columns=False,
        report_to="none",
    )


def choose_precision(asked: TrainingPrecision) -> TrainingPrecision:
    """Return what to compute in: what was asked for, else the best that this machine has.

    Raises:
        PrecisionError: Where this machine does not compute in what was asked for.
    """
    gpu = torch.cuda.is_available()
    # Emulated bf16 is slower than fp16.
    bf16 = gpu and torch.cuda.is_bf16_supported(including_emulation=False)
    if asked == "auto":
        return "bf16" if bf16 else "fp16" if gpu else "fp32"
    if asked == "fp16" and not gpu:
        raise PrecisionError("--precision fp16 needs a GPU, and there is none: use bf16, fp32 or auto.")
    if asked == "bf16" and gpu and not bf16:
        raise PrecisionError("--precision bf16 is not for this GPU: use fp16, fp32 or auto.")
    return asked


def songs_per_step(config: FitConfig, lengths: list[int]) -> int:
    """Return the songs in a step: the batch size, or more of them where songs are short."""
    mean = sum(lengths) / len(lengths)
    return max(config.batch_size, min(int(config.step_tokens / mean), len(lengths)))


def describe_duration(seconds: float) -> str:
    """Return a duration in the largest unit that it has at least two of."""
    for unit, size in (("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 1):.0f} seconds"
