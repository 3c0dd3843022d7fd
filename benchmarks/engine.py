"""How many tokens a second does the engine write, and how many would anything else that a host could pick?

    python -m benchmarks.engine [--rows 1 3 8 16 32] [--rounds 3] [--threads 3] [--plot benchmarks/engine.svg]

The shape is GPT-2's (124M) with random weights, the prompt 16 tokens, a song 100 tokens without an end, sampled with
the bot's defaults on every side. All sides take turns in every round, with as many threads each; figures are medians.
"""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from string import ascii_lowercase

import torch
from matplotlib.figure import Figure
from tokenizers import Tokenizer, decoders, models
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from benchmarks.peers import Side, ctranslate2_sides, llama_sides, transformers_sides
from model import Checkpoint, EngineOptions, GenerationRequest, Header, SamplingParams
from model.batching import BatchingEngine
from model.engine import Job
from model.serving import load_engine

PROMPT_TOKENS = 16
SONG_TOKENS = 100
OURS = "this engine"
PEERS = ("transformers", "ctranslate2", "llama.cpp")


def make_checkpoint(folder: Path) -> Path:
    """Write a GPT-2 of 124M random weights, with a made-up word for each token and none that ends a song."""
    if folder.exists():
        return folder
    torch.manual_seed(0)
    GPT2LMHeadModel(GPT2Config(bos_token_id=None, eos_token_id=None)).save_pretrained(folder)
    # A letter to each of the first tokens, so that a prompt of as many letters has as many tokens.
    words = [*ascii_lowercase, *(f"Ġword{number}" for number in range(50_257 - len(ascii_lowercase)))]
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer).save_pretrained(folder)
    return folder


def our_side(engine: BatchingEngine) -> Side:
    """Return the bare engine: no thread, no queue."""

    def write(prompts: Sequence[Sequence[int]], sampling: SamplingParams) -> None:
        for seed, prompt in enumerate(prompts):
            text = "".join(ascii_lowercase[token] for token in prompt)
            engine.add(Job(GenerationRequest(text, Header(), sampling.model_copy(update={"seed": seed}))))
        while engine.is_busy:
            engine.step(lambda _: None)

    return write


def measure(sides: dict[str, Side], rows: Sequence[int], rounds: int) -> dict[str, dict[int, float]]:
    """Return the median tokens a second of each side at each number of rows."""
    sampling = SamplingParams(max_length=SONG_TOKENS, num_return_sequences=1)
    warm = sampling.model_copy(update={"max_length": 4})
    found: dict[str, dict[int, list[float]]] = {name: {count: [] for count in rows} for name in sides}
    for side in sides.values():
        side(make_prompts(max(rows)), warm)
    for _ in range(rounds):
        for count in rows:
            for name, side in sides.items():
                started = time.perf_counter()
                side(make_prompts(count), sampling)
                found[name][count].append(count * SONG_TOKENS / (time.perf_counter() - started))
    return {name: {count: statistics.median(each) for count, each in rates.items()} for name, rates in found.items()}


def make_prompts(rows: int) -> list[list[int]]:
    """Return prompts of letters."""
    letters = random.Random(rows)  # noqa: S311 - it keeps no secret
    return [[letters.randrange(len(ascii_lowercase)) for _ in range(PROMPT_TOKENS)] for _ in range(rows)]


def print_table(rates: dict[str, dict[int, float]]) -> None:
    """Print tokens a second, and how many times as fast as the best of each kind of peer the engine is."""
    rows = list(rates[OURS])
    print(f"| Tokens a second | {' | '.join(f'{count} rows' for count in rows)} |\n|---|{'---|' * len(rows)}")
    for name, found in rates.items():
        print(f"| {name} | {' | '.join(f'{found[count]:.0f}' for count in rows)} |")
    for label, kind in (("`generate`, batched", "generate, batched"), ("the best of the others", ("CT", "llama"))):
        peers = [found for name, found in rates.items() if name.startswith(kind)]
        if peers:
            best = [max(peer[count] for peer in peers) for count in rows]
            ratios = [rates[OURS][count] / other for count, other in zip(rows, best, strict=True)]
            print(f"| **against {label}** | {' | '.join(f'**{ratio:.2f} x**' for ratio in ratios)} |")


def draw(rates: dict[str, dict[int, float]], file: Path) -> None:
    """Draw tokens a second over rows."""
    figure = Figure(figsize=(9, 5), facecolor="#fbfaf7")
    axes = figure.add_subplot(facecolor="#fbfaf7")
    for name, found in rates.items():
        axes.plot(list(found), list(found.values()), marker="o", linewidth=3 if name == OURS else 1.5, label=name)
    axes.set_xlabel("Songs side by side")
    axes.set_title("Tokens a second, GPT-2 124M", loc="left", fontweight="bold")
    axes.set_ylim(bottom=0)
    axes.grid(axis="y", color="#e6e3dc")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(file, bbox_inches="tight")


def main() -> None:
    """Measure, print the table, and draw the plot."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine")
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 3, 8, 16, 32])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=3)
    parser.add_argument("--precision", choices=["auto", "int8", "float16", "float32"], default="auto")
    parser.add_argument("--peers", nargs="*", default=PEERS, choices=PEERS)
    parser.add_argument("--work", type=Path, help="where to keep the converted models for the next time")
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        work = arguments.work or Path(scratch)
        folder = make_checkpoint(work / "gpt2")
        engine = load_engine(
            Checkpoint.open(folder), EngineOptions(max_batch=max(arguments.rows), precision=arguments.precision)
        )
        assert isinstance(engine, BatchingEngine), "it is a GPT-2"
        torch.set_num_threads(arguments.threads)
        sides = {OURS: our_side(engine)}
        if "transformers" in arguments.peers:
            sides |= transformers_sides(folder)
        if "ctranslate2" in arguments.peers:
            sides |= ctranslate2_sides(folder, work, arguments.threads)
        if "llama.cpp" in arguments.peers:
            sides |= llama_sides(folder, work, arguments.threads, rows=max(arguments.rows), context=128)
        rates = measure(sides, arguments.rows, arguments.rounds)
    print_table(rates)
    if arguments.plot:
        draw(rates, arguments.plot)


if __name__ == "__main__":
    main()
