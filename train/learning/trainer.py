"""transformers' Trainer with our batches, a loss per token, and checkpoints that are whole or not there."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, cast

import torch
from datasets import Dataset
from torch.utils.data import DataLoader
from transformers import (
    PreTrainedModel,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from train.learning.partial_run import PartialRun, explain_full_disk
from train.tokens.batches import Batch, DrawnSongs, Share, StepSampler, real_tokens, validation_batches

_VALIDATION_TOKENS = 2048
"""Tokens in a batch of the evaluation: the logits of GPT-2 take 400 MB then."""

_LOSS = "eval_loss"


class LyricsTrainer(Trainer):
    """A Trainer whose steps are ``sampler``'s and whose checkpoints lie in ``partial``."""

    def __init__(
        self,
        model: PreTrainedModel,
        args: TrainingArguments,
        *,
        songs: DrawnSongs,
        validation: Dataset,
        sampler: StepSampler,
        collate: Callable[[Any], Batch],
        partial: PartialRun,
        optimizer: torch.optim.Optimizer | None = None,
    ) -> None:
        super().__init__(
            model=model,
            args=args,
            train_dataset=songs,
            eval_dataset=cast("Any", validation),
            data_collator=collate,
            optimizers=(optimizer, None),
        )
        self.tokens_seen = 0
        self._model = model
        self._songs = songs
        self._validation = validation
        self._sampler = sampler
        self._collate = collate
        self._partial = partial
        self.remove_callback(PrinterCallback)
        self.add_callback(_SetEpoch(sampler))

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Return this process's passes; the sampler has shared them out, so accelerate has nothing to do."""
        return DataLoader(
            self._songs,
            batch_sampler=self._sampler,
            collate_fn=self._collate,
            pin_memory=torch.cuda.is_available(),
        )

    def foresee(self) -> float:
        """Return about how many seconds the steps will take, by one batch from which nothing is learnt."""
        batch = next(iter(self.get_train_dataloader()))
        seconds = 0.0
        with torch.random.fork_rng([]):
            for _ in range(2):  # The first time is slower.
                began = time.perf_counter()
                with self.accelerator.autocast():
                    loss: Any = self.compute_loss(self._model, self._prepare_inputs(batch))
                loss.backward()
                seconds = time.perf_counter() - began
        self._model.zero_grad()
        tokens: float = sum(self._sampler.lengths) * self.args.num_train_epochs / self.args.world_size
        return seconds / max(1, real_tokens(batch)) * tokens

    def training_step(self, model: torch.nn.Module, inputs: Batch, num_items_in_batch: Any = None) -> torch.Tensor:
        """Learn from one batch, and count its tokens."""
        # Counted before the batch goes to the GPU, which nothing then waits for.
        self.tokens_seen += real_tokens(inputs) * self.args.world_size
        loss: torch.Tensor = super().training_step(model, inputs, num_items_in_batch)
        return loss

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Return the mean loss per held-out token: the Trainer's own is a mean of batches, whatever they hold."""
        self._model.eval()
        share = Share(rank=self.args.process_index, world=self.args.world_size)
        total = torch.zeros(2, dtype=torch.float64, device=self.args.device)  # loss, tokens
        with torch.no_grad(), self.accelerator.autocast():
            for batch in validation_batches(self._validation, _VALIDATION_TOKENS, share):
                tokens = real_tokens(batch)
                loss = self._model(**self._prepare_inputs(batch)).loss
                total += torch.stack([loss.double() * tokens, torch.tensor(float(tokens), device=loss.device)])
        loss_sum, token_sum = self.accelerator.reduce(total, "sum").tolist()
        metrics = {_LOSS: loss_sum / token_sum}
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def load_best(self) -> float:
        """Put the weights of the best evaluation back, and return its loss per token."""
        step, loss = self.state.best_global_step, self.state.best_metric
        assert step is not None, "every run ends with an evaluation"
        assert loss is not None
        self.state.best_model_checkpoint = str(self._partial.checkpoint(step))
        self._load_best_model()
        return loss

    def _get_output_dir(self, trial: Any) -> str:
        del trial
        return str(self._partial.saving)

    def _save_checkpoint(self, model: torch.nn.Module, trial: Any) -> None:
        """Write a checkpoint aside and rename it when every process has written its part."""
        with explain_full_disk(self._partial.folder):
            if self.is_world_process_zero():
                self._partial.clear()
            self.accelerator.wait_for_everyone()
            super()._save_checkpoint(model, trial)
            self.accelerator.wait_for_everyone()
            if self.is_world_process_zero():
                self._partial.keep(self.state.global_step, self.state.best_global_step)


class EndEarly(TrainerCallback):
    """Ends the run where the last ``patience`` evaluations were no better than the best one before them."""

    def __init__(self, patience: int) -> None:
        self._patience = patience

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Count from the log, which a resumed run has too."""
        del args
        losses = [entry[_LOSS] for entry in state.log_history if _LOSS in entry]
        if len(losses) - 1 - losses.index(min(losses)) >= self._patience:
            control.should_training_stop = True


class StopOnSignal(TrainerCallback):
    """Saves and ends the run between two steps after the first SIGINT or SIGTERM; a second one ends it at once.

    Args:
        any_process: Returns whether what it is given is true in at least one process.
    """

    def __init__(self, any_process: Callable[[bool], bool]) -> None:
        self.stopped = False
        self._asked = False
        self._any_process = any_process

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take the two signals while the context lasts, where this is the thread that may."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = [signal.signal(number, self._hear) for number in numbers]
        try:
            yield
        finally:
            for number, handler in zip(numbers, before, strict=True):
                signal.signal(number, handler)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Save and stop where a process was asked to."""
        del args
        # The last step needs no stop, and a stop would cost its evaluation.
        if self._any_process(self._asked) and state.global_step < state.max_steps:
            self.stopped = control.should_training_stop = True
            # At the end of an epoch its evaluation is still to come, and saves.
            control.should_save = control.should_save or not _at_epoch_end(state)

    def on_epoch_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Take back the evaluation that the Trainer wants wherever a run ends: it would not be at the epoch's end."""
        if self.stopped and (args.eval_strategy != "epoch" or not _at_epoch_end(state)):
            control.should_evaluate = False
            control.should_save = False

    def _hear(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True


class _SetEpoch(TrainerCallback):
    """Tells the sampler the epoch; the Trainer itself tells only samplers that accelerate has wrapped."""

    def __init__(self, sampler: StepSampler) -> None:
        self._sampler = sampler

    def on_epoch_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Set it, the part of an epoch that a resumed run has behind it left out."""
        del args, control
        self._sampler.epoch = int(state.epoch or 0)


def _at_epoch_end(state: TrainerState) -> bool:
    return state.epoch is not None and float(state.epoch).is_integer()
