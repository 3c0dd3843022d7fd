"""A Discord that speaks HTTP and a gateway that says one thing, for the bot in a process of its own."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

ROOT = Path(__file__).parents[2]
APPLICATION = 4711


@dataclass
class DiscordServer:
    """Lets a bot log in and keeps its commands; ``close_code`` ends each connection."""

    close_code: int | None = None
    refusal: tuple[int, dict[str, Any]] | None = None
    """What is answered to new commands: a status and an error."""
    knows_token: bool = True
    commands: list[dict[str, Any]] = field(default_factory=list)
    updates: list[list[dict[str, Any]]] = field(default_factory=list)
    """The commands that were sent, each time."""
    port: int = 0
    connected: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve on a free port of the loopback."""
        app = web.Application()
        app.router.add_get("/api/users/@me", self._me)
        app.router.add_get("/api/oauth2/applications/@me", self._application)
        app.router.add_get("/api/applications/{id}/commands", self._list)
        app.router.add_put("/api/applications/{id}/commands", self._replace)
        app.router.add_get("/gateway/", self._gateway)
        runner = web.AppRunner(app, shutdown_timeout=0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = runner.addresses[0][1]
        try:
            yield
        finally:
            await runner.cleanup()

    async def start_bot(self, folder: Path, **environment: object) -> asyncio.subprocess.Process:
        """Start the bot against this Discord, in ``folder``."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "OMP_NUM_THREADS") if name in os.environ}
        given = {name: str(value) for name, value in environment.items()}
        http, gateway = (f"{scheme}://127.0.0.1:{self.port}" for scheme in ("http", "ws"))
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.bot.process", f"{http}/api", f"{gateway}/gateway/"),
            cwd=folder,
            env=kept | {"PYTHONPATH": str(ROOT), "DISCORD_TOKEN": "a.b.c"} | given,
            stderr=asyncio.subprocess.PIPE,
        )

    async def _me(self, _: web.Request) -> web.Response:
        if not self.knows_token:
            return _json({"message": "401: Unauthorized", "code": 0}, status=401)
        return _json({"id": "1", "username": "Lyrics", "discriminator": "0", "avatar": None, "bot": True})

    async def _application(self, _: web.Request) -> web.Response:
        described = {"name": "Lyrics", "description": "", "icon": None, "bot_public": True, "summary": ""}
        keys = {"verify_key": "", "bot_require_code_grant": False, "flags": 0, "rpc_origins": []}
        return _json({"id": str(APPLICATION), "owner": await self._owner(), **described, **keys})

    async def _owner(self) -> dict[str, Any]:
        return {"id": "2", "username": "ada", "discriminator": "0", "avatar": None}

    async def _list(self, _: web.Request) -> web.Response:
        return _json(self.commands)

    async def _replace(self, request: web.Request) -> web.Response:
        self.updates.append(await request.json())
        if self.refusal:
            status, error = self.refusal
            return _json(error, status=status)
        self.commands = as_discord_has(self.updates[-1])
        return _json(self.commands)

    async def _gateway(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"op": 10, "d": {"heartbeat_interval": 40_000}, "s": None, "t": None})
        await socket.receive()
        self.connected.set()
        if self.close_code:
            await socket.close(code=self.close_code)
        async for _ in socket:
            pass
        return socket


def _json(value: object, status: int = 200) -> web.Response:
    """Return JSON as Discord does, which names no charset: discord.py reads it as text else."""
    return web.Response(body=json.dumps(value).encode(), status=status, content_type="application/json")


def as_discord_has(commands: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return commands in Discord's words: what is empty or off left out, with ids, permissions as a string."""

    def said(node: dict[str, Any]) -> dict[str, Any]:
        kept = {key: value for key, value in node.items() if value not in (None, False, [], {}, "")}
        for key in ("options", "choices"):
            if key in kept:
                kept[key] = [said(each) for each in kept[key]]
        return kept

    described = [{"version": "9", "id": str(7000 + number), **said(each)} for number, each in enumerate(commands)]
    for command in described:
        command |= {"application_id": str(APPLICATION), "nsfw": False, "default_permission": True}
        command |= {"integration_types": sorted(command["integration_types"], reverse=True), "dm_permission": True}
        permissions = command.get("default_member_permissions")
        command["default_member_permissions"] = None if permissions is None else str(permissions)
    return sorted(described, key=lambda command: str(command["name"]), reverse=True)
