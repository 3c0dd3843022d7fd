"""Has SimCord's simulated Discord run in real time, so that a song is seen while it is written.

SimCord is made for tests: it stops the clock, follows every task and timer of the bot, and shows its page what happened
once all of them rest. A person at a browser needs none of that, and where SimCord does not know what one of them waits
for, it would hold up the page for good. What is used here to change it is private to it, so the package names the one
version of SimCord that this was tried with.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import simcord
from discord.app_commands import CheckFailure, CommandInvokeError
from pydantic import ValidationError
from simcord import _dpy_internals
from simcord._clock import Clock
from simcord._runtime import _restore_loop
from simcord.preview._dependencies import _DependencyRead
from simcord.preview._markdown import _FIELD_POLICIES

from model import LyricsError

PERIOD = 0.1
"""Seconds between two looks at whether something has changed."""

ANSWER_WITHIN = 3.0
"""Seconds in which the bot answers what was clicked or typed: Discord waits no longer either."""

STYLE = """
/* Tools for whoever tests a bot; the page shows what is new by itself. */
#refresh, #capture-open { display: none; }
/* An empty line between two stanzas, which SimCord's own sheet closes up. */
.embed-card .markdown-paragraph + .markdown-paragraph { margin-top: 1.375em; }
/* A command that is named in a sentence. */
.embed-card .command-mention { margin: 0; }
"""
"""What is added to the page's style sheet."""

OPENS_OPTIONS = "openOptionsOnRender: entry.options.length > 0 && required.length === 0"
"""How the page has Enter choose an option of a command that needs none; in Discord it sends the command."""


class RealTimeEnv(simcord.Env):
    """A simulated Discord that never waits for the bot to rest, only for its answer to what somebody did.

    Whatever else the bot has going on, for as long as it likes, is its own affair, as it is in Discord.
    """

    def _capture_errors(self) -> None:
        # The last thing before the bot logs in: none of its tasks and timers is ever followed, and all keep real time.
        super()._capture_errors()
        _restore_loop(self)
        _dpy_internals.release_clocks(self)
        self.backend.clock = RealClock()

    async def _settle_internal(self, *, dispatch: str | None = None, **_: Any) -> None:
        if not self.bot.is_ready():
            await self.bot.wait_until_ready()
        elif dispatch == "INTERACTION_CREATE":
            await self._answered()

    async def _answered(self) -> None:
        """Wait until the bot has answered the latest interaction, be it to say that there is more to come."""
        interaction = next(reversed(self.backend.interactions.values()))
        async with asyncio.timeout(ANSWER_WITHIN):
            while not interaction.responded:  # noqa: ASYNC110 - SimCord has no event for it
                await asyncio.sleep(0.01)

    def _record_error(self, error: BaseException) -> None:
        # The page calls every error that is recorded a failure of the bot; a refusal is an answer.
        cause = error.original if isinstance(error, CommandInvokeError) else error
        if not isinstance(cause, LyricsError | ValidationError | CheckFailure):
            super()._record_error(error)


class RealClock(Clock):
    """The time it is."""

    def now(self) -> datetime:
        """Return it."""
        return datetime.now(UTC)


@asynccontextmanager
async def serving(env: simcord.Env, preview: Any) -> AsyncIterator[None]:
    """Serve the page, and show on it what the bot has changed, soon after it has."""
    _accept_clicks_on_older_pages(preview)
    _adapt_page(preview)
    _show_mentions()
    async with preview:
        publishing = asyncio.create_task(_publish_changes(env, preview))
        try:
            yield
        finally:
            publishing.cancel()


async def _publish_changes(env: simcord.Env, preview: Any) -> None:
    seen = -1
    while True:
        await asyncio.sleep(PERIOD)
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


def _adapt_page(preview: Any) -> None:
    serve = preview._server._static  # noqa: SLF001

    async def serve_adapted(request: Any) -> Any:
        response = await serve(request)
        if request.path == "/preview.css":
            response.text += STYLE
        elif request.path == "/command-drafts.js":
            response.text = response.text.replace(OPENS_OPTIONS, "openOptionsOnRender: false")
        return response

    preview._server._static = serve_adapted  # noqa: SLF001


def _show_mentions() -> None:
    """Show commands, members and channels by name in an embed, as Discord does, be it a command of the admins."""
    for text in ("embed_description", "embed_field_value"):
        _FIELD_POLICIES[text] |= {"commands": True, "mentions": True}
    may_see = _DependencyRead.entity

    def may_see_name(self: _DependencyRead, kind: str, identity: Any) -> bool:
        return kind == "command" or may_see(self, kind, identity)

    _DependencyRead.entity = may_see_name  # type: ignore[method-assign]
