"""How long do 300 members who ask at the same time wait for the acknowledgement that Discord wants within 3 seconds?

    python -m benchmarks.acknowledge [CHECKPOINT]

The whole bot runs on two cores, with its own HTTP client, against a server on this machine that stands in for Discord
and notes when each acknowledgement arrives. Two sides take turns in every round: the bot while the model writes, and
its peer, the same bot over a model that does nothing. A side's figure is the median over the rounds of the slowest.
"""

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import discord
from aiohttp import web

from bot.client import LyricsBot
from bot.store import Store
from model import Checkpoint, GeneratedSong, Header, LyricsService, Request, SamplingParams, locate
from model.engines.interface import SerialEngine

APPLICATION = 1
MEMBERS = 300
BAR = 3.0
"""Seconds that Discord waits."""


class Idle(SerialEngine):
    """An engine that writes nothing until it is stopped."""

    def generate(
        self,
        request: Request,  # noqa: ARG002
        on_progress: Callable[[tuple[str, ...]], None],  # noqa: ARG002
        should_stop: Callable[[], bool],
    ) -> tuple[GeneratedSong, ...]:
        """Wait without working."""
        while not should_stop():
            threading.Event().wait(0.05)
        return ()


class Discord:
    """As much of Discord's API as a bot needs to log in and to answer commands."""

    def __init__(self) -> None:
        self.acknowledged: dict[int, float] = {}
        self._all = asyncio.Event()

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[None]:
        """Listen on this machine, and have discord.py call here."""
        app = web.Application()
        app.router.add_post("/interactions/{id}/{token}/callback", self._acknowledge)
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        base, discord.http.Route.BASE = discord.http.Route.BASE, site_url(runner)
        yield
        discord.http.Route.BASE = base
        await runner.cleanup()

    async def wait_for_all(self) -> None:
        """Wait until everybody is acknowledged."""
        await self._all.wait()

    async def _acknowledge(self, request: web.Request) -> web.Response:
        number = int(request.match_info["id"])
        self.acknowledged[number] = time.perf_counter()
        if len(self.acknowledged) == MEMBERS:
            self._all.set()
        interaction = {"id": str(number), "type": 2, "response_message_id": "1", "response_message_loading": True}
        return answer({"interaction": interaction})

    async def _answer(self, request: web.Request) -> web.Response:
        if request.path.startswith("/webhooks/"):
            return answer(message())
        if request.path.endswith("/commands"):
            return answer([])
        about = dict.fromkeys(("name", "description", "verify_key"), "") | {"icon": None, "owner": user(1)}
        return answer(about | {"bot_public": True, "bot_require_code_grant": False} | user(APPLICATION))


def answer(body: Any) -> web.Response:
    """Return an answer in JSON, under the very name for it that discord.py looks for."""
    return web.Response(body=json.dumps(body).encode(), content_type="application/json")


def site_url(runner: web.AppRunner) -> str:
    """Return the address that a runner listens on."""
    host, port = runner.addresses[0][:2]
    return f"http://{host}:{port}"


def user(number: int) -> dict[str, Any]:
    """Return a user as Discord describes one."""
    return {"id": str(number), "username": f"member{number}", "discriminator": "0", "avatar": None, "flags": 0}


def message() -> dict[str, Any]:
    """Return a message as Discord describes one."""
    now = "2026-01-01T00:00:00+00:00"
    empty: dict[str, Any] = {name: [] for name in ("mentions", "mention_roles", "attachments", "embeds", "components")}
    return empty | {
        "id": "1", "channel_id": "2", "type": 20, "content": "", "timestamp": now, "edited_timestamp": None,
        "tts": False, "mention_everyone": False, "pinned": False, "author": user(APPLICATION),
    }  # fmt: skip


def interaction(number: int) -> dict[str, Any]:
    """Return a member's ``/lyrics`` as Discord sends it, just now."""
    created = int(time.time() * 1000 - discord.utils.DISCORD_EPOCH) << 22
    return {
        "id": str(created + number), "application_id": str(APPLICATION), "type": 2, "token": f"token{number}",
        "version": 1, "channel_id": "2", "channel": {"id": "2", "type": 1, "recipients": []},
        "user": user(1000 + number),
        "app_permissions": "0", "attachment_size_limit": 0, "entitlements": [], "locale": "en-US",
        "authorizing_integration_owners": {},
        "data": {
            "id": "9", "name": "lyrics", "type": 1,
            "options": [{"name": "prompt", "type": 3, "value": f"song of member {number}"}],
        },
    }  # fmt: skip


async def slowest(service: LyricsService, folder: Path) -> float:
    """Let all members ask at once; return how many seconds the slowest acknowledgement took."""
    await service.start()
    api = Discord()
    async with (
        api.serve(),
        Store.open(folder / "lyrics.db") as store,
        LyricsBot(store=store, service=service, max_per_member=1) as bot,
    ):
        await bot.login("token")
        first = service.stream(Request("two lanterns", Header(), SamplingParams(seed=1, max_length=1000)))
        async for _ in first:
            break
        await asyncio.sleep(0.5)  # The model is at work on a song now.
        began = time.perf_counter()
        for number in range(MEMBERS):
            bot._connection.parse_interaction_create(interaction(number))  # type: ignore[arg-type]  # noqa: SLF001
        await api.wait_for_all()
        await first.aclose()
        await service.close()
        await bot.tree.drain(timeout=60)
    return max(api.acknowledged.values()) - began


async def measure(source: str | Path, rounds: int) -> dict[str, list[float]]:
    """Return each side's slowest acknowledgements in seconds, one a round."""
    checkpoint = Checkpoint.open(source)
    sides: dict[str, Callable[[], LyricsService]] = {
        "the model writes": lambda: LyricsService.from_checkpoint(source, max_queue=MEMBERS),
        "the model does nothing": lambda: LyricsService(lambda: Idle(checkpoint), max_queue=MEMBERS),
    }
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            with tempfile.TemporaryDirectory() as folder:
                times[name].append(await slowest(side(), Path(folder)))
    return times


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.acknowledge")
    parser.add_argument("checkpoint", nargs="?", default=locate(None), help="folder or hub id")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    times = asyncio.run(measure(arguments.checkpoint, arguments.rounds))
    print("| side | median of the slowest of 300, s | each round's slowest, s |\n|---|---|---|")
    for name, values in times.items():
        print(f"| {name} | {statistics.median(values):.2f} | {', '.join(f'{value:.2f}' for value in values)} |")
    writing, idle = (statistics.median(values) for values in times.values())
    print(f"\nThe model makes it {writing / idle:.1f} times as long; the bar is {BAR:.0f} s.")


if __name__ == "__main__":
    main()
