"""How many real tokens a second does training learn, and how well, beside the usual recipe?

    python -m benchmarks.training SONGS [--rounds 3] [--songs 300] [--lines 4000]

Three sides take turns in every round, by song and by line: the recipe (transformers' Trainer, two samples a step,
each padded to the longest of all), our loop with songs of like length side by side, and our loop with packed rows.
All start from the same weights and learn the same samples once, without headers, so that the tokens are the same too;
every round has weights and an order of its own. The model has 4 layers of 256 and 8,192 tokens.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    GPT2Tokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)

from model.song import BOS_TOKEN, EOS_TOKEN, Header, Song
from train.config import DataConfig, FitConfig
from train.learning.loop import Material, train
from train.learning.partial_run import PartialRun
from train.learning.processes import Processes
from train.learning.progress import ProgressEvent
from train.songs.reading import read_songs
from train.songs.split import split_songs
from train.songs.table_on_disk import Songs
from train.tokens.batches import IGNORED, Share, real_tokens, validation_batches
from train.tokens.cutting import tokenize

CONTEXT = 512
SIDES = ("recipe", "group", "pack")

Samples = tuple[Dataset, Dataset]
"""To learn from, and held out."""


class Clock(TrainerCallback):
    """Seconds from the first step to the last, without what comes after."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._began = 0.0

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        """Start."""
        self._began = time.perf_counter()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """Stop for now."""
        self.seconds = time.perf_counter() - self._began


def learn_by_recipe(model: PreTrainedModel, samples: Samples, seed: int, folder: Path) -> float:
    """Train as the recipe does and return real tokens a second."""
    rows, width = samples[0]["input_ids"], max(samples[0]["length"])
    padded = [
        {
            "input_ids": row + [0] * (width - len(row)),
            "attention_mask": [1] * len(row) + [0] * (width - len(row)),
            "labels": row + [IGNORED] * (width - len(row)),
        }
        for row in rows
    ]
    clock = Clock()
    arguments = TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=2,
        num_train_epochs=1,
        seed=seed,
        use_cpu=True,
        disable_tqdm=True,
        logging_strategy="no",
        save_strategy="no",
        report_to="none",
    )
    Trainer(model=model, args=arguments, train_dataset=Dataset.from_list(padded), callbacks=[clock]).train()
    return sum(len(row) - 1 for row in rows) / clock.seconds


def learn_by_us(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    samples: Samples,
    seed: int,
    folder: Path,
    batching: str,
) -> float:
    """Train as ``python -m train fit`` does and return real tokens a second."""
    config = FitConfig.model_validate(
        {"data": folder, "output": folder / "out", "epochs": 1, "seed": seed, "batching": batching, "log_steps": 1}
    )
    partial = PartialRun(config.output)
    partial.begin(config, "", num_parameters=model.num_parameters())
    seen: list[tuple[float, int]] = []

    def report(event: ProgressEvent) -> None:
        if event.event in {"start", "step"}:
            seen.append((time.perf_counter(), event.tokens or 0))

    material = Material(model, tokenizer, [], *samples)
    train(config, material, partial, Processes(), report=report, write_sample=lambda _: "")
    return seen[-1][1] / (seen[-1][0] - seen[0][0])


def new_model(tokenizer: PreTrainedTokenizerBase, seed: int) -> PreTrainedModel:
    """Return a model with the random weights of ``seed``."""
    set_seed(seed)
    end = tokenizer.eos_token_id
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=len(tokenizer),
            n_positions=CONTEXT,
            n_embd=256,
            n_layer=4,
            n_head=4,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=end,
            pad_token_id=end,
        )
    )


def validation_loss(model: PreTrainedModel, validation: Dataset) -> float:
    """Return the loss per held-out token, which is measured alike for every side."""
    model.eval()
    loss = tokens = 0.0
    for batch in validation_batches(validation, 2048, Share()):
        count = real_tokens(batch)
        loss += float(model(**batch).loss.detach()) * count
        tokens += count
    return loss / tokens


def prepare(path: Path, songs: int, lines: int) -> tuple[PreTrainedTokenizerBase, dict[str, Samples]]:
    """Return a tokenizer and the samples by song and by line."""
    split = split_songs(read_songs(DataConfig(data=(str(path),))), 0.05, 42)
    texts = (song.lyric for song in split.train)
    tokenizer = GPT2Tokenizer().train_new_from_iterator(texts, vocab_size=8190, show_progress=False)
    tokenizer.add_special_tokens({"bos_token": BOS_TOKEN, "eos_token": EOS_TOKEN, "pad_token": EOS_TOKEN})

    def tokenized(learnt: Sequence[Song], held_out: Sequence[Song]) -> Samples:
        return tokenize(Songs.of(learnt), tokenizer, CONTEXT), tokenize(Songs.of(held_out), tokenizer, CONTEXT)

    bare = [[Song(Header(), song.lyric) for song in part] for part in (split.train, split.validation)]
    by_line = [
        [Song(Header(), line) for song in part for line in song.lyric.splitlines() if line and not line.startswith("[")]
        for part in bare
    ]
    return tokenizer, {"song": tokenized(bare[0][:songs], bare[1]), "line": tokenized(by_line[0][:lines], by_line[1])}


def measure(tokenizer: PreTrainedTokenizerBase, samples: Samples, side: str, seed: int) -> tuple[float, float]:
    """Return real tokens a second, and the validation loss, of one side in one round."""
    model = new_model(tokenizer, seed)
    with tempfile.TemporaryDirectory() as folder:
        if side == "recipe":
            speed = learn_by_recipe(model, samples, seed, Path(folder))
        else:
            speed = learn_by_us(model, tokenizer, samples, seed, Path(folder), side)
    return speed, validation_loss(model, samples[1])


def main() -> None:
    """Measure all sides in turn and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("songs_file", type=Path, metavar="SONGS")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--songs", type=int, default=300)
    parser.add_argument("--lines", type=int, default=4000)
    arguments = parser.parse_args()
    tokenizer, units = prepare(arguments.songs_file, arguments.songs, arguments.lines)
    figures: dict[tuple[str, str], list[tuple[float, float]]] = {(unit, side): [] for unit in units for side in SIDES}
    for seed in range(arguments.rounds):
        for (unit, side), results in figures.items():
            results.append(measure(tokenizer, units[unit], side, seed))
            print(f"round {seed + 1}, {unit}, {side}: {results[-1][0]:.0f} tokens/s, {results[-1][1]:.4f}", flush=True)
    print("\n| Samples | Side | Real tokens a second | Against the recipe | Validation loss |\n|---|---|---|---|---|")
    for (unit, side), results in figures.items():
        ratios = [ours / recipe for (ours, _), (recipe, _) in zip(results, figures[unit, "recipe"], strict=True)]
        speed, loss = (statistics.median(column) for column in zip(*results, strict=True))
        print(f"| {unit} | {side} | {speed:,.0f} | {statistics.median(ratios):.2f} x | {loss:.3f} |")


if __name__ == "__main__":
    main()
