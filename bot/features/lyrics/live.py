"""Shows a state that changes fast in a place that may change slowly."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Generic, Self, TypeVar

log = logging.getLogger(__name__)

State = TypeVar("State")

FIRST = 0.5
"""Seconds before the first state is sent: what ends sooner needs no state between."""

INTERVAL = 1.2
"""Seconds between two sends at least; Discord allows five edits of a message in five seconds."""

MAX_PAUSE = 10.0
"""Seconds between two sends at most, after several were refused."""


class Live(Generic[State]):
    """Sends the latest state, one at a time and not too often; states between are never sent.

    ``show`` returns at once however long a send takes, so whoever works on is not held up, and nothing piles up. A
    send that takes long, since Discord said 429 and discord.py waits it out, makes the next pause as long; one that
    is refused doubles it. Use it by ``async with``: it is left once the next send, of the last word, is in time.

    Args:
        send: Sends a state.
        refusals: What ``send`` may raise without harm, since the next state stands for this one too.
        first: Seconds before the first send.
        interval: Seconds between the beginnings of two sends at least.
    """

    def __init__(
        self,
        send: Callable[[State], Awaitable[None]],
        *,
        refusals: tuple[type[Exception], ...] = (),
        first: float = FIRST,
        interval: float = INTERVAL,
    ) -> None:
        self._send = send
        self._refusals = refusals
        self._first = first
        self._interval = self._pause = interval
        self._latest: list[State] = []  # one at most
        self._changed = asyncio.Event()
        self._idle = True
        self._closing = False

    def show(self, state: State) -> None:
        """Send ``state`` as soon as may be, unless a later one comes before that."""
        if self._latest != [state]:
            self._latest = [state]
            self._changed.set()

    async def __aenter__(self) -> Self:
        self._sender = asyncio.create_task(self._send_on())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._closing = True
        if self._idle or kind is asyncio.CancelledError:
            self._sender.cancel()
        # gather also ends the sender where this wait is cancelled.
        (failure,) = await asyncio.gather(self._sender, return_exceptions=True)
        if isinstance(failure, Exception):
            log.error("The states were not shown to the end", exc_info=failure)

    async def _send_on(self) -> None:
        await asyncio.sleep(self._first)
        while not self._closing:
            await self._changed.wait()
            self._changed.clear()
            self._idle = False
            await self._send_latest()
            self._idle = True

    async def _send_latest(self) -> None:
        started = time.perf_counter()
        try:
            await self._send(self._latest[0])
            self._pause = max(self._interval, time.perf_counter() - started)
        except self._refusals as refusal:
            self._pause = min(2 * self._pause, MAX_PAUSE)
            log.info("A state was not shown, the next may be in %.1f s: %s", self._pause, refusal)
        await asyncio.sleep(self._pause)
