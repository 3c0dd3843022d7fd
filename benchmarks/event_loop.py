"""How long is the event loop held while three songs are written?

    python -m benchmarks.event_loop [CHECKPOINT]

Three sides take turns in every round: the service, as the bot uses it; the peer, transformers' ``generate``
called straight in a coroutine, as a simple bot does; and the loop with nothing to do, which shows what this
machine adds by itself. A side's figure is the median over the rounds of its worst hold.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path

from model import Checkpoint, Finished, Header, LyricsService, Request, SamplingParams, locate
from model.engines.reference import ReferenceEngine

TICK = 0.001
"""Seconds between two looks at the clock."""

REQUEST = Request("two lanterns on the water", Header(), SamplingParams(seed=1))


async def worst_hold(side: Callable[[], Awaitable[None]]) -> float:
    """Run ``side`` and return the longest time in milliseconds that the loop left a due timer waiting."""
    worst = 0.0

    async def watch() -> None:
        nonlocal worst
        while True:
            due = time.perf_counter() + TICK
            await asyncio.sleep(TICK)
            worst = max(worst, time.perf_counter() - due)

    watcher = asyncio.create_task(watch())
    await asyncio.sleep(10 * TICK)
    await side()
    await asyncio.sleep(10 * TICK)
    watcher.cancel()
    return worst * 1000


async def measure(source: str | Path, rounds: int) -> dict[str, list[float]]:
    """Return each side's worst holds in milliseconds, one a round."""
    service = LyricsService.from_checkpoint(source, max_queue=1)
    await service.start()
    engine = ReferenceEngine.load(Checkpoint.open(source))

    async def with_service() -> None:
        async with aclosing(service.stream(REQUEST)) as updates:
            last = [update async for update in updates][-1]
        assert isinstance(last, Finished), last

    async def in_the_handler() -> None:
        engine.generate(REQUEST, lambda _: None, lambda: False)

    async def idle() -> None:
        await asyncio.sleep(1)

    sides = {"service": with_service, "generate in the handler": in_the_handler, "idle loop": idle}
    await with_service()  # The first song of a process warms up torch.
    holds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            holds[name].append(await worst_hold(side))
    await service.close()
    return holds


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.event_loop")
    parser.add_argument("checkpoint", nargs="?", default=locate(None), help="folder or hub id")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    holds = asyncio.run(measure(arguments.checkpoint, arguments.rounds))
    print("| side | median of the worst holds, ms | each round's worst, ms |\n|---|---|---|")
    for name, values in holds.items():
        print(f"| {name} | {statistics.median(values):.1f} | {', '.join(f'{value:.1f}' for value in values)} |")
    ratio = statistics.median(holds["generate in the handler"]) / statistics.median(holds["service"])
    print(f"\nThe peer holds the loop {ratio:.0f} times as long.")


if __name__ == "__main__":
    main()
