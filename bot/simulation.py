"""Has SimCord's simulated Discord run in real time, so that a song is seen while it is written.

SimCord is made for tests: it stops the clock, and shows its page what happened once a command has ended. What is used
here to change that is private to it, so the package names the one version of SimCord that this was tried with.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import simcord
from discord.app_commands import CheckFailure, CommandInvokeError
from pydantic import ValidationError
from simcord import _dpy_internals
from simcord._runtime import _restore_loop

from model import LyricsError

PERIOD = 0.3
"""Seconds between two looks at whether something has changed."""

ANSWER_AFTER = 0.2
"""Seconds after which the page is told that what was clicked is under way."""


def in_real_time(env: simcord.Env) -> None:
    """Give the bot real clocks and timers, and answer the page while a command goes on. Call it once, after start."""
    _restore_loop(env)
    _dpy_internals.release_clocks(env)
    settle = env._settle_internal  # noqa: SLF001

    async def settle_shortly(**arguments: Any) -> None:
        await asyncio.sleep(ANSWER_AFTER)
        await settle(**arguments)

    env._settle_internal = settle_shortly  # type: ignore[method-assign]  # noqa: SLF001
    _count_faults_alone(env)


def _count_faults_alone(env: simcord.Env) -> None:
    """Have the page take a refusal for an answer; it calls every error of a command a failure of the bot."""
    record = env._record_error  # noqa: SLF001

    def record_fault(error: BaseException) -> None:
        cause = error.original if isinstance(error, CommandInvokeError) else error
        if not isinstance(cause, LyricsError | ValidationError | CheckFailure):
            record(error)

    env._record_error = record_fault  # type: ignore[method-assign]  # noqa: SLF001


@asynccontextmanager
async def showing_changes(env: simcord.Env, preview: Any) -> AsyncIterator[None]:
    """Show every page what the bot has changed, soon after it has."""
    _accept_clicks_on_older_pages(preview)
    publishing = asyncio.create_task(_publish_changes(env, preview))
    try:
        yield
    finally:
        publishing.cancel()


async def _publish_changes(env: simcord.Env, preview: Any) -> None:
    started, before, seen = time.perf_counter(), env.backend.clock.elapsed, -1
    while True:
        await asyncio.sleep(PERIOD)
        env.backend.clock.elapsed = before + time.perf_counter() - started
        changes = len(env.backend.transcript)
        busy = preview._active_action is not None or env._operation_task is not None  # noqa: SLF001
        if changes == seen or busy:
            continue
        seen = changes
        preview._advance_presentation_time()  # noqa: SLF001
        for page in tuple(preview._pages.values()):  # noqa: SLF001
            if page.id != "python" and page.id in preview._pages:  # noqa: SLF001
                preview._publish(page, reason="refresh")  # noqa: SLF001


def _accept_clicks_on_older_pages(preview: Any) -> None:
    """Take a click on a page that has changed since it was drawn, as it always has while a song is written."""
    act = preview._action  # noqa: SLF001

    async def act_on_latest(page_id: str, body: Any) -> Any:
        page = preview._pages.get(page_id)  # noqa: SLF001
        if page is not None and isinstance(body, dict) and "published_revision" in body:
            body["published_revision"] = page.revision
        return await act(page_id, body)

    preview._action = act_on_latest  # noqa: SLF001
