"""How much of the engine's speed reaches those who asked, and where the time of a step goes.

    python -m benchmarks.serving [--rounds 5] [--work FOLDER]

The model and the songs are those of ``benchmarks.engine``. What is compared takes turns in every round; figures are
medians.
"""

import argparse
import asyncio
import math
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, aclosing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.engine import SONG_TOKENS, make_checkpoint, make_prompts
from benchmarks.event_loop import worst_hold
from model import (
    Checkpoint,
    EngineOptions,
    Header,
    LyricsService,
    Progress,
    Request,
    SamplingParams,
)
from model.engines.batching import BatchingEngine
from model.engines.choice import load_engine
from model.engines.interface import RequestState
from model.network import cpu_kernels as kernels
from model.network.cpu_linear import PACKED_LINEARS
from model.sampling import cpu_sampler

SAME = SamplingParams(max_length=SONG_TOKENS, num_return_sequences=1, seed=1)


def requests(rows: int, samplings: list[SamplingParams] | None = None) -> list[Request]:
    """Return a request of one song for each row."""
    prompts = ("".join(chr(ord("a") + token) for token in prompt) for prompt in make_prompts(rows))
    chosen = samplings or [SAME.model_copy(update={"seed": seed}) for seed in range(rows)]
    return [Request(prompt, Header(), sampling) for prompt, sampling in zip(prompts, chosen, strict=True)]


def different(rows: int) -> list[SamplingParams]:
    """Return parameters as so many members may have set them."""
    draw = random.Random(0)  # noqa: S311 - it keeps no secret
    return [
        SAME.model_copy(
            update={
                "temperature": draw.choice([0.4, 0.7, 0.9, 1.0, 1.3]),
                "top_k": draw.choice([0, 10, 40, 50, 60, 100, 200]),
                "top_p": draw.choice([0.5, 0.8, 0.9, 0.95]),
                "repetition_penalty": draw.choice([1.0, 1.1, 1.2, 1.5]),
                "seed": row,
            }
        )
        for row in range(rows)
    ]


def bare(engine: BatchingEngine, wanted: list[Request]) -> float:
    """Return the tokens a second of the engine without thread and queue."""
    states = [RequestState(request) for request in wanted]
    started = time.perf_counter()
    for state in states:
        engine.add(state)
    while engine.is_busy:
        engine.step(lambda _: None)
    return len(states) * SONG_TOKENS / (time.perf_counter() - started)


async def served(service: LyricsService, wanted: list[Request]) -> float:
    """Return the tokens a second that as many readers get, each with a stream of its own."""

    async def read(request: Request) -> None:
        async with aclosing(service.stream(request)) as updates:
            async for _ in updates:
                pass

    started = time.perf_counter()
    await asyncio.gather(*(read(request) for request in wanted))
    return len(wanted) * SONG_TOKENS / (time.perf_counter() - started)


async def steps_to_first_text(service: LyricsService) -> float:
    """Return how many steps of the running songs pass until a new request, while 16 run, has its first text."""

    async def arrivals(request: Request) -> list[float]:
        async with aclosing(service.stream(request)) as updates:
            return [time.perf_counter() async for update in updates if isinstance(update, Progress)]

    songs = [asyncio.create_task(arrivals(request)) for request in requests(16)]
    await asyncio.sleep(0.5)
    started = time.perf_counter()
    first = (await arrivals(requests(1)[0]))[0]
    running = await asyncio.gather(*songs)
    return float(sum(started < moment <= first for moment in running[0]))


@contextmanager
def timed(functions: list[tuple[Any, str]]) -> Iterator[list[float]]:
    """Add the seconds that functions take, each an attribute of an owner, to a list."""
    spent: list[float] = []
    originals = [(owner, name, getattr(owner, name)) for owner, name in functions]

    def timing(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            started = time.perf_counter()
            result = original(*arguments)
            spent.append(time.perf_counter() - started)
            return result

        return call

    for owner, name, original in originals:
        setattr(owner, name, timing(original))
    yield spent
    for owner, name, original in originals:
        setattr(owner, name, original)


def milliseconds(engine: BatchingEngine, rows: int) -> dict[str, float]:
    """Return the time of a step by what it goes to; all but the rest is compiled code, which holds no GIL."""
    parts: dict[str, list[tuple[Any, str]]] = {
        "matrix products": [(kind, "__call__") for kind in PACKED_LINEARS.values()],
        "attention": [(engine._network, "_attend")],  # noqa: SLF001
        "other kernels": [(kernels, name) for name in ("normalize", "add", "activate")],
        "sampling": [(cpu_sampler, "sample"), (cpu_sampler, "penalize")],
    }
    with ExitStack() as stack:
        spent = {name: stack.enter_context(timed(functions)) for name, functions in parts.items()}
        elapsed = rows * SONG_TOKENS / bare(engine, requests(rows))
    found = {name: 1000 * math.fsum(seconds) / SONG_TOKENS for name, seconds in spent.items()}
    return found | {"rest": 1000 * elapsed / SONG_TOKENS - math.fsum(found.values())}


def print_parts(engine: BatchingEngine, rounds: int) -> None:
    """Print what a step goes to, prompts included."""
    columns = ("Rows", "ms a step", "matrix products", "attention", "other kernels", "sampling", "rest")
    print(f"\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for rows in (1, 3, 8, 16, 32):
        each = [milliseconds(engine, rows) for _ in range(rounds)]
        parts = [statistics.median(found[name] for found in each) for name in each[0]]
        whole = math.fsum(parts)
        shares = " | ".join(f"{part:.1f} ({part / whole:.0%})" for part in parts)
        print(f"| {rows} | {whole:.1f} | {shares} |")


async def measure(engine: BatchingEngine, rounds: int) -> dict[str, list[float]]:
    """Return what each figure was in each round."""
    service = LyricsService(lambda: engine, max_queue=64)
    await service.start()

    async def full_load() -> None:
        await served(service, requests(32))

    async def pause() -> None:
        await asyncio.sleep(1)

    async def service_over_bare() -> float:
        return await served(service, requests(32)) / bare(engine, requests(32))

    async def different_over_equal() -> float:
        return bare(engine, requests(16, different(16))) / bare(engine, requests(16))

    # While nothing is asked of the service its thread waits, so that the engine can be stepped here.
    figures: dict[str, Callable[[], Awaitable[float]]] = {
        "service over bare engine, 32 songs": service_over_bare,
        "16 different settings over 16 equal ones": different_over_equal,
        "steps until the first text of a new request, 16 songs running": partial(steps_to_first_text, service),
        "worst hold of the event loop, 32 songs, ms": partial(worst_hold, full_load),
        "worst hold of an idle event loop, ms": partial(worst_hold, pause),
    }
    bare(engine, requests(32))
    found: dict[str, list[float]] = {name: [] for name in figures}
    for _ in range(rounds):
        for name, figure in figures.items():
            found[name].append(await figure())
    await service.close()
    return found


def print_table(found: dict[str, list[float]]) -> None:
    """Print the median and each round of every figure."""
    print("| Figure | Median | Each round |\n|---|---|---|")
    for name, values in found.items():
        print(f"| {name} | {statistics.median(values):.2f} | {', '.join(f'{value:.2f}' for value in values)} |")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--work", type=Path, help="where benchmarks.engine keeps its models")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = make_checkpoint((arguments.work or Path(scratch)) / "gpt2")
        engine = load_engine(Checkpoint.open(folder), EngineOptions(max_batch=32))
        assert isinstance(engine, BatchingEngine), "it is a GPT-2"
        found = asyncio.run(measure(engine, arguments.rounds))
        print_table(found)
        print_parts(engine, arguments.rounds)


if __name__ == "__main__":
    main()
