"""How a running bot is ended: by Ctrl-C or SIGTERM, in good order; at once by the next one."""

import asyncio
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from model import Health

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_signals() -> Iterator[asyncio.Event]:
    """Return the event that the first Ctrl-C or SIGTERM sets; the next one ends the process without further ado.

    Nothing is lost by the latter but the songs being written: a database in WAL mode bears being left at any time.
    """
    loop, stop = asyncio.get_running_loop(), asyncio.Event()

    def stop_soon(_number: int, _frame: FrameType | None) -> None:
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        loop.call_soon_threadsafe(stop.set)

    before = {number: signal.signal(number, stop_soon) for number in _SIGNALS}
    try:
        yield stop
    finally:
        if not stop.is_set():
            for number, handler in before.items():
                signal.signal(number, handler)


async def first_of(work: asyncio.Task[None], stop: asyncio.Event) -> None:
    """Wait until ``work`` ends or ``stop`` is set."""
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((work, stopped), return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped.cancel()


def say_what_is_waited_for(health: Health, grace: float) -> None:
    """Print for the person at the terminal what still goes on, and how to have it end now."""
    if health.songs:
        songs = f"{health.songs} song{'s' if health.songs > 1 else ''}"
        print(f"Finishing {songs}, {grace:g} s at most; once more (Ctrl-C) to end now.", file=sys.stderr, flush=True)
