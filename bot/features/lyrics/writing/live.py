"""Shows a state that changes fast in a place that may change slowly."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Generic, Self, TypeVar

log = logging.getLogger(__name__)

State = TypeVar("State")

FIRST = 0.5
"""Seconds before the first state is sent: what ends sooner needs no state between."""

INTERVAL = 1.2
"""Seconds from a send to the next; Discord allows five edits of a message in five seconds."""

MAX_PAUSE = 10.0
"""Seconds from a send to the next at most, after several were refused."""


class Live(Generic[State]):
    """Sends the latest state, one at a time and not too often; states between are never sent.

    ``show`` returns at once however long a send takes, so whoever works on is not held up, and nothing piles up. Where
    Discord says 429, discord.py waits as long as it is told to and sends again, which is one long send here; a send
    that is refused after all of that doubles the pause after it. Use it by ``async with``: it is left once the pause
    after a send is over, so that the last word may be sent right away.

    Args:
        send: Sends a state.
        refusals: What ``send`` may raise without harm, since the next state stands for this one too.
    """

    def __init__(self, send: Callable[[State], Awaitable[None]], *, refusals: tuple[type[Exception], ...]) -> None:
        self._send = send
        self._refusals = refusals
        self._pause = INTERVAL
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
        await asyncio.sleep(FIRST)
        while not self._closing:
            await self._changed.wait()
            self._changed.clear()
            self._idle = False
            await self._send_latest()
            self._idle = True

    async def _send_latest(self) -> None:
        try:
            await self._send(self._latest[0])
            self._pause = INTERVAL
        except self._refusals as refusal:
            self._pause = min(2 * self._pause, MAX_PAUSE)
            log.info("A state was not shown, the next may be in %.1f s: %s", self._pause, refusal)
        await asyncio.sleep(self._pause)
