"""How many tokens a second does the engine write, and how many would anything else that a host could pick?

    python -m benchmarks.engine [--shape gpt2] [--rows 1 3 8 16 32] [--rounds 3] [--threads 3] [--plot engine.svg]

The shape is GPT-2's (124M) or SmolLM2's (135M) with random weights, the prompt 16 tokens, a song 100 tokens without an
end, sampled with the bot's defaults on every side. All sides take turns in every round, with as many threads each;
figures are medians. Each side has a process of its own: in one process, the idle threads of one library slow the
others down.
"""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from string import ascii_lowercase

import torch
from matplotlib.figure import Figure
from tokenizers import Tokenizer, decoders, models
from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig, PreTrainedConfig, PreTrainedTokenizerFast

from benchmarks.peers import Setup, Side
from model import Checkpoint, EngineOptions, Header, Request, SamplingParams
from model.engines.batching import BatchingEngine
from model.engines.choice import load_engine
from model.engines.interface import RequestState

PROMPT_TOKENS = 16
SONG_TOKENS = 100
OURS = "this engine"
SHAPES: dict[str, PreTrainedConfig] = {
    "gpt2": GPT2Config(bos_token_id=None, eos_token_id=None),
    "smollm2": LlamaConfig(
        vocab_size=49_152,
        hidden_size=576,
        intermediate_size=1_536,
        num_hidden_layers=30,
        num_attention_heads=9,
        num_key_value_heads=3,
        max_position_embeddings=8_192,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": 100_000.0},
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=None,
    ),
}
PEERS = ("generate, batched", "CTranslate2, float32", "CTranslate2, int8", "llama.cpp, Q8_0")


def make_checkpoint(folder: Path) -> Path:
    """Write a model of random weights, with a made-up word for each token and none that ends a song.

    Its shape is the one that the folder is named for.
    """
    if folder.exists():
        return folder
    torch.manual_seed(0)
    config = SHAPES[folder.name]
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    # A letter to each of the first tokens, so that a prompt of as many letters has as many tokens.
    words = [*ascii_lowercase, *(f"Ġword{number}" for number in range(config.vocab_size - len(ascii_lowercase)))]
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer).save_pretrained(folder)
    return folder


def our_side(setup: Setup) -> Side:
    """Return the bare engine: no thread, no queue."""
    options = EngineOptions(max_batch=setup.rows, precision=setup.precision)
    engine = load_engine(Checkpoint.open(setup.checkpoint), options)
    assert isinstance(engine, BatchingEngine), "the network knows its architecture"

    def write(prompts: Sequence[Sequence[int]], sampling: SamplingParams) -> None:
        for seed, prompt in enumerate(prompts):
            text = "".join(ascii_lowercase[token] for token in prompt)
            engine.add(RequestState(Request(text, Header(), sampling.model_copy(update={"seed": seed}))))
        while engine.is_busy:
            engine.step(lambda _: None)

    return write


# ruff: noqa: PLC0415 - a library is loaded in the process of its own side alone.
def make_side(name: str, setup: Setup) -> Side:
    """Return a side."""
    if name == OURS:
        return our_side(setup)
    if name == "generate, batched":
        from benchmarks.peers import generate

        return generate.load(setup)
    if name == "llama.cpp, Q8_0":
        from benchmarks.peers import llama

        return llama.load(setup)
    from benchmarks.peers import ctranslate

    return ctranslate.load(setup, name.removeprefix("CTranslate2, "))


@cache
def load_side(name: str, setup: Setup) -> Side:
    """Return a side, ready to write: a process loads its side once."""
    torch.set_num_threads(setup.threads)
    side = make_side(name, setup)
    side(make_prompts(setup.rows), sampling_of(4))
    return side


def tokens_a_second(name: str, setup: Setup, rows: int) -> float:
    """Return the rate of a side at so many rows."""
    side, prompts, sampling = load_side(name, setup), make_prompts(rows), sampling_of(SONG_TOKENS)
    started = time.perf_counter()
    side(prompts, sampling)
    return rows * SONG_TOKENS / (time.perf_counter() - started)


def sampling_of(tokens: int) -> SamplingParams:
    """Return the bot's defaults for one song of so many tokens."""
    return SamplingParams(max_length=tokens, num_return_sequences=1)


@contextmanager
def processes(names: Sequence[str]) -> Iterator[dict[str, ProcessPoolExecutor]]:
    """Have a process for each side."""
    with ExitStack() as stack:
        context = get_context("spawn")
        yield {name: stack.enter_context(ProcessPoolExecutor(1, mp_context=context)) for name in names}


def measure(names: Sequence[str], setup: Setup, rows: Sequence[int], rounds: int) -> dict[str, dict[int, float]]:
    """Return the median tokens a second of each side at each number of rows."""
    found: dict[str, dict[int, list[float]]] = {name: {count: [] for count in rows} for name in names}
    with processes(names) as workers:
        for name, worker in workers.items():  # also converts the checkpoint, which the next may need
            worker.submit(tokens_a_second, name, setup, rows[0]).result()
        for _ in range(rounds):
            for count in rows:
                for name, worker in workers.items():
                    found[name][count].append(worker.submit(tokens_a_second, name, setup, count).result())
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


def draw(rates: dict[str, dict[int, float]], shape: str, file: Path) -> None:
    """Draw tokens a second of a shape over rows."""
    figure = Figure(figsize=(9, 5), facecolor="#fbfaf7")
    axes = figure.add_subplot(facecolor="#fbfaf7")
    for name, found in rates.items():
        axes.plot(list(found), list(found.values()), marker="o", linewidth=3 if name == OURS else 1.5, label=name)
    axes.set_xlabel("Songs side by side")
    axes.set_title(f"Tokens a second, {shape}", loc="left", fontweight="bold")
    axes.set_ylim(bottom=0)
    axes.grid(axis="y", color="#e6e3dc")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(file, bbox_inches="tight")


def main() -> None:
    """Measure, print the table, and draw the plot."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine")
    parser.add_argument("--shape", choices=SHAPES, default="gpt2")
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 3, 8, 16, 32])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=3)
    parser.add_argument("--precision", choices=["auto", "int8", "float16", "float32"], default="auto")
    parser.add_argument("--peers", nargs="*", default=PEERS, choices=PEERS)
    parser.add_argument("--work", type=Path, help="where to keep the converted models for the next time")
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        setup = Setup(
            (arguments.work or Path(scratch)) / f"{arguments.shape}-converted",
            (arguments.work or Path(scratch)) / arguments.shape,
            arguments.threads,
            max(arguments.rows),
            PROMPT_TOKENS + SONG_TOKENS,
            arguments.precision,
        )
        make_checkpoint(setup.checkpoint)
        rates = measure([OURS, *arguments.peers], setup, arguments.rows, arguments.rounds)
    print_table(rates)
    if arguments.plot:
        draw(rates, arguments.shape, arguments.plot)


if __name__ == "__main__":
    main()
