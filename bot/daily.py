"""What the bot does by itself: the one place where work begins that is no answer to anybody."""

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine
from typing import Any

from discord.ext import tasks

Work = Callable[[], Coroutine[Any, Any, None]]


class Daily:
    """Work of a feature that is done when it starts, and daily.

    Args:
        work: What is done.
        after: What is waited for before the first time.
    """

    def __init__(self, work: Work, *, after: Work | None = None) -> None:
        self._loop = tasks.loop(hours=24)(work)
        # A database that is busy or full for a while is tried again; anything else would end the loop for good.
        self._loop.add_exception_type(sqlite3.OperationalError)
        if after is not None:
            self._loop.before_loop(after)

    def start(self) -> None:
        """Begin."""
        self._loop.start()

    async def close(self) -> None:
        """End, and wait until the work has let go of what it uses, such as the store."""
        task = self._loop.get_task()
        self._loop.cancel()
        if task is not None:
            await asyncio.wait({task})
