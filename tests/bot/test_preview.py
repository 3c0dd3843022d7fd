"""The local preview: what is the same each time, what holds it up, and what its page takes for a failure."""

import asyncio
import logging
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import simcord
from discord.ext import tasks

from bot.client import LyricsBot
from bot.preview import PreviewError, at_a_desktop, serve_preview, settle_server, welcome
from bot.simulation import RealTimeEnv
from bot.store import Store
from bot.welcome import EXAMPLES
from tests.bot.world import World, private_sentence, wait_until


@dataclass
class RealTime:
    """The simulated server of the preview, without its page."""

    env: RealTimeEnv
    channel: simcord.ChannelHandle
    mira: simcord.MemberActor


@asynccontextmanager
async def real_time(world: World, bot_type: type[LyricsBot] = LyricsBot) -> AsyncIterator[RealTime]:
    """Put a bot over the world's store and service into the preview's server."""
    await world.env.shutdown()
    async with bot_type(store=world.store, service=world.service) as bot:
        env = RealTimeEnv(bot, check_errors=False)
        channel, (mira, _) = settle_server(env)
        await env.start()
        try:
            yield RealTime(env, channel, mira)
        finally:
            await env.shutdown()


async def serve_closed(world: World, monkeypatch: pytest.MonkeyPatch) -> tuple[list[int], datetime]:
    """Serve a preview that closes as its page would open; return its ids, and what time it was in there."""
    seen: list[int] = []
    times: list[datetime] = []

    def closed(
        env: simcord.Env, channel: simcord.ChannelHandle, *, viewers: Sequence[simcord.MemberActor], **_: Any
    ) -> None:
        seen.extend([channel.id, *(each for member in viewers for each in (member.id, member.guild.id))])
        times.append(env.now())
        raise simcord.SetupError("closed")

    monkeypatch.setattr(simcord.Env, "preview", closed)
    async with LyricsBot(store=world.store, service=world.service) as bot:
        with pytest.raises(PreviewError, match="closed"):
            await serve_preview(bot, port=0)
    return seen, times[0]


async def test_who_comes_back_to_the_preview_is_the_same_member_in_the_same_server(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.env.shutdown()
    first, _ = await serve_closed(world, monkeypatch)
    second, now = await serve_closed(world, monkeypatch)
    assert first == second
    assert abs(datetime.now(UTC) - now) < timedelta(minutes=1)


async def test_no_login_is_logged_where_there_is_none(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await world.env.shutdown()
    with caplog.at_level(logging.INFO):
        await serve_closed(world, monkeypatch)
    assert "static token" not in caplog.text


class Busy(LyricsBot):
    """A bot with much going on in the background, of the kinds that there are."""

    async def setup_hook(self) -> None:
        await super().setup_hook()
        self.ticks = 0
        self.tick.start()
        self.waiting = [
            asyncio.create_task(wait)
            for wait in (asyncio.Event().wait(), asyncio.sleep(60), asyncio.wait_for(asyncio.Future(), 60))
        ]
        self.spinning = asyncio.create_task(self.spin())

    @tasks.loop(seconds=0.05)
    async def tick(self) -> None:
        self.ticks += 1

    async def spin(self) -> None:
        while True:  # noqa: ASYNC110 - it waits for nothing
            await asyncio.sleep(0)

    async def close(self) -> None:
        for task in (*self.waiting, self.spinning):
            task.cancel()
        self.tick.cancel()
        await super().close()


async def test_nothing_that_the_bot_waits_for_holds_up_the_preview(world: World) -> None:
    started = time.perf_counter()
    async with real_time(world, Busy) as preview:
        assert isinstance(preview.env.bot, Busy)
        ticks = preview.env.bot.ticks
        assert private_sentence(await preview.mira.slash(preview.channel, "privacy forget"))
        assert time.perf_counter() - started < 3
        await wait_until(lambda: preview.env.bot.ticks > ticks + 2)  # type: ignore[attr-defined]


async def test_the_preview_takes_a_refusal_for_an_answer_and_a_fault_for_a_fault(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with real_time(world) as preview:
        answer = await preview.mira.slash(preview.channel, "privacy forget")
        assert private_sentence(answer) == "Nothing is kept about you."
        assert preview.env.errors == []
        fault = RuntimeError("a bug")

        async def fail(*_: object) -> None:
            raise fault

        monkeypatch.setattr(Store, "personal_counts", fail)
        answer = await preview.mira.slash(preview.channel, "privacy forget")
        assert "went wrong" in private_sentence(answer)
        assert [getattr(error, "original", error) for error in preview.env.errors] == [fault]


async def test_an_example_of_the_welcome_message_is_a_song_at_a_click(world: World) -> None:
    async with real_time(world) as preview:
        assert isinstance(preview.env.bot, LyricsBot)
        await world.store.set_sampling(preview.mira.id, "max_length", 12)
        await welcome(preview.env.bot, preview.channel.id)
        (message,) = preview.channel.history()
        assert "preview" in str(message.embeds[0].title)
        await preview.mira.click(message, label=EXAMPLES[1])
        await wait_until(lambda: "finished" in world.states())
        assert EXAMPLES[1] in str(world.rows("SELECT prompt FROM request"))


def test_a_browser_opens_at_a_desktop_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    desktop = {"DISPLAY": ":0"}
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert at_a_desktop(desktop, "linux")
    assert at_a_desktop({}, "darwin")
    assert not at_a_desktop({}, "linux")
    assert not at_a_desktop(desktop | {"SSH_CONNECTION": "somebody"}, "linux")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False, raising=False)
    assert not at_a_desktop(desktop, "linux")
