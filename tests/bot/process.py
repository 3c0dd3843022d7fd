"""The bot as a process of its own, with an engine that needs no torch; ``python -m tests.bot.process HTTP GATEWAY``."""

import os
import sys
import time
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import discord
import yarl

from bot.__main__ import main
from model import STARTER, Checkpoint, GeneratedSong, Header, LyricsService, Request, SamplingParams
from model.engines.interface import SerialEngine


class SlowEngine(SerialEngine):
    """Writes until it is told to stop."""

    def generate(
        self,
        request: Request,
        on_progress: Callable[[tuple[str, ...]], None],
        should_stop: Callable[[], bool],
    ) -> tuple[GeneratedSong, ...]:
        """Write nothing but the prompt, for as long as it may."""
        songs = (request.prompt,) * request.sampling.num_return_sequences
        while not should_stop():
            on_progress(songs)
            time.sleep(0.01)
        return tuple(GeneratedSong(song, "cancelled", 1) for song in songs)


class BusyService(LyricsService):
    """Writes three songs from the start, where the environment says so."""

    async def start(self) -> None:
        """Load the engine, and begin."""
        await super().start()
        if "BUSY" in os.environ:
            self.stream(Request("two lanterns", Header(), SamplingParams(num_return_sequences=3, seed=1)))


def make_service(*_: object, **settings: Any) -> LyricsService:
    """Return a service over the slow engine."""
    return BusyService(lambda: SlowEngine(Checkpoint("starter", STARTER, None)), max_queue=settings["max_queue"])


if __name__ == "__main__":
    discord.http.Route.BASE, gateway = sys.argv[1:]
    discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(gateway)
    with patch.object(LyricsService, "from_checkpoint", make_service):
        sys.exit(main([]))
