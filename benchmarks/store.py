"""How long does a member wait while another one deletes? Discord wants every command acknowledged within 3 seconds.

    python -m benchmarks.store [--songs 1000000] [--members 50000]

The whole bot runs on two cores over a file of that size, against a server on this machine that stands in for Discord
and notes when each acknowledgement arrives. Members send commands, ten a second, at rest and while others delete: one
request after the other, a whole long history, and everything that is too old. The bar is the slowest of all of these.
"""

import argparse
import asyncio
import os
import random
import sqlite3
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.acknowledge import Discord, Idle, interaction
from bot.client import LyricsBot
from bot.store import Store
from model import Checkpoint, LyricsService, SamplingParams, locate

BAR = 1.0
"""Seconds that the slowest acknowledgement may take."""

GIVEN_UP = 60.0
"""Seconds after which a command that was never acknowledged ends the measurement."""

SONGS_A_REQUEST = 3
HEAVY, OLD = 20_000, 50_000
"""Songs of the one member who has a long history, and that are too old, at most."""

WORDS = (Path(__file__).parents[1] / "train/data/songs.txt").read_text(encoding="utf-8").split()

COMMANDS: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "/lyrics": ("lyrics", [{"name": "prompt", "type": 3, "value": "two lanterns"}]),
    "/history": ("history", []),
    "/history search": ("history", [{"name": "search", "type": 3, "value": "river"}]),
    "/favourites": ("favourites", []),
    "/settings show": ("settings", [{"name": "show", "type": 1, "options": []}]),
    "/settings top_k": (
        "settings", [{"name": "top_k", "type": 1, "options": [{"name": "value", "type": 4, "value": 7}]}]
    ),
    "/privacy export": ("privacy", [{"name": "export", "type": 1, "options": []}]),
    "/privacy forget": ("privacy", [{"name": "forget", "type": 1, "options": []}]),
    "/about": ("about", []),
}  # fmt: skip
"""What members send."""

Trouble = Callable[[Store, datetime], Awaitable[Any]]


def fill(database: Path, num_songs: int, num_members: int) -> datetime:
    """Put songs into a closed store, those of the long history first; return before which moment some are too old."""
    begun = datetime(2024, 1, 1, tzinfo=UTC)
    draw = random.Random(7)  # noqa: S311 - the same songs each time
    verses = [" ".join(draw.choices(WORDS, k=110)) for _ in range(2000)]
    params = SamplingParams(seed=7).model_dump_json()

    def requests() -> Iterator[tuple[int, int, str, str, str]]:
        for number in range(1, num_songs // SONGS_A_REQUEST + 1):
            heavy = number <= min(HEAVY, num_songs // 4) // SONGS_A_REQUEST
            member = 1000 if heavy else 1001 + draw.randrange(num_members)
            # A heavy member's songs are of all ages, and never too old.
            moment = begun + timedelta(days=900) if heavy else begun + timedelta(minutes=number)
            yield number, member, draw.choice(WORDS), params, moment.isoformat()

    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO request (id, user_id, prompt, params, seed, checkpoint, state, created_at)"
            " VALUES (?, ?, ?, ?, 7, 'tiny', 'finished', ?)",
            requests(),
        )
        connection.executemany(
            "INSERT INTO song VALUES (?, ?, ?, 'stop', 100)",
            ((1 + n // SONGS_A_REQUEST, n % SONGS_A_REQUEST, draw.choice(verses)) for n in range(num_songs)),
        )
        connection.execute("COMMIT")
    return begun + timedelta(minutes=(min(HEAVY, num_songs // 4) + min(OLD, num_songs // 10)) // SONGS_A_REQUEST)


async def delete_some(store: Store, _moment: datetime) -> None:
    """Delete requests of many members, one after the other."""
    rows = await store._all("SELECT id, user_id FROM request WHERE id % 1009 = 0 ORDER BY id DESC LIMIT 100")  # noqa: SLF001
    for row in rows:
        await store.delete_request(row["id"], user_id=row["user_id"])


TROUBLES: dict[str, Trouble | None] = {
    "nobody deletes": None,
    "100 requests are deleted": delete_some,
    "a long history is forgotten": lambda store, _moment: store.forget(1000),
    "what is too old is deleted": lambda store, moment: store.delete_requests_before(moment),
}


def command(number: int, name: str) -> dict[str, Any]:
    """Return a command of a member's as Discord sends it, just now."""
    called, options = COMMANDS[name]
    sent = interaction(number)
    sent["data"] = {"id": "9", "name": called, "type": 1, "options": options}
    return sent


@asynccontextmanager
async def running(database: Path) -> AsyncIterator[tuple[LyricsBot, Discord]]:
    """Run the bot over a file, with a model that does nothing."""
    checkpoint = Checkpoint.open(locate(None))
    service = LyricsService(lambda: Idle(checkpoint), max_queue=1000)
    await service.start()
    api = Discord()
    async with api.serve(), Store.open(database) as store, LyricsBot(store=store, service=service) as bot:
        await bot.login("token")
        yield bot, api
        await service.close()
        await bot.tree.drain(timeout=60)


async def measure(database: Path, moment: datetime, seconds: float) -> dict[str, dict[str, list[float]]]:
    """Return the seconds that each acknowledgement took, by trouble and command."""
    times: dict[str, dict[str, list[float]]] = {}
    async with running(database) as (bot, api):
        numbers = iter(range(1, 10**9))
        for name, trouble in TROUBLES.items():
            began = time.perf_counter()
            deleting = asyncio.ensure_future(trouble(bot.store, moment) if trouble else asyncio.sleep(seconds))
            times[name] = await send_until(deleting, bot, api, numbers)
            print(f"{name}: {time.perf_counter() - began:.1f} s")
    return times


async def send_until(
    ended: "asyncio.Future[Any]", bot: LyricsBot, api: Discord, numbers: Iterator[int]
) -> dict[str, list[float]]:
    """Send commands, ten a second and each of another member, until something has ended."""
    sent: dict[int, tuple[str, float]] = {}
    names = list(COMMANDS)
    while not ended.done() or len(sent) < 2 * len(names):
        number = next(numbers)
        body = command(number, names[number % len(names)])
        sent[int(body["id"])] = names[number % len(names)], time.perf_counter()
        bot._connection.parse_interaction_create(body)  # type: ignore[arg-type]  # noqa: SLF001
        await asyncio.sleep(0.1)
    await ended
    async with asyncio.timeout(GIVEN_UP):
        while sent.keys() - api.acknowledged.keys():  # noqa: ASYNC110 - the stand-in has no event for it
            await asyncio.sleep(0.05)
    times = defaultdict(list)
    for number, (name, began) in sent.items():
        times[name].append(api.acknowledged[number] - began)
    return times


async def prepare(database: Path, num_songs: int, num_members: int) -> datetime:
    """Make a file of that size."""
    async with Store.open(database):
        pass
    return await asyncio.to_thread(fill, database, num_songs, num_members)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.store")
    parser.add_argument("--songs", type=int, default=1_000_000)
    parser.add_argument("--members", type=int, default=50_000)
    parser.add_argument("--seconds", type=float, default=10.0, help="for which commands are sent at rest")
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "lyrics.db"
        moment = asyncio.run(prepare(database, arguments.songs, arguments.members))
        print(f"{arguments.songs:,} songs of {arguments.members:,} members: {database.stat().st_size / 2**20:,.0f} MiB")
        times = asyncio.run(measure(database, moment, arguments.seconds))
    print("| while | commands | median, ms | slowest, ms | which |\n|---|---|---|---|---|")
    worst = 0.0
    for trouble, by_command in times.items():
        every = [value for values in by_command.values() for value in values]
        slowest = max(by_command, key=lambda name: max(by_command[name]))
        worst = max(worst, *every)
        median, most = 1000 * statistics.median(every), 1000 * max(every)
        print(f"| {trouble} | {len(every)} | {median:.0f} | {most:.0f} | {slowest} |")
    print(f"\nThe slowest took {worst:.2f} s; the bar is {BAR:.0f} s.")


if __name__ == "__main__":
    main()
