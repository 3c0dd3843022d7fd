"""Who may use a command, as the admins of a server say in Discord's own settings (Server Settings, Integrations).

Discord asks this for commands; buttons that do what a command does ask it here. The order of the rules is Discord's:
https://discord.com/developers/docs/interactions/application-commands#permissions
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

import discord

from bot.handling.tree import LyricsTree, may_only_answer
from model import LyricsError

_ROLE, _USER, _CHANNEL = 1, 2, 3
"""What an entry is about, by Discord's numbers."""

Entries = Iterable[Mapping[str, Any]]


class ShutOut(LyricsError):  # noqa: N818 - named for what happened, as the model's errors are
    """A server's admins do not let a member use a command."""


class CommandPermissions:
    """Knows what servers' admins decided; asked of Discord once, and again when Discord says that it has changed."""

    def __init__(self, tree: LyricsTree) -> None:
        self._tree = tree
        self._known: dict[tuple[int, int], list[Mapping[str, Any]]] = {}

    def forget(self, guild_id: int) -> None:
        """Ask Discord anew about a server."""
        self._known = {key: entries for key, entries in self._known.items() if key[0] != guild_id}

    async def check(self, interaction: discord.Interaction, command: str) -> None:
        """Raise ``ShutOut`` where Discord would not let the member use a command that is for everybody by default."""
        number = self._tree.id_of(command)
        member = interaction.user
        if number is None or interaction.guild_id is None or not isinstance(member, discord.Member):
            return
        if may_only_answer(interaction) or interaction.permissions.administrator:
            return
        of_command, of_all = await asyncio.gather(
            self._entries(interaction.guild_id, number), self._entries(interaction.guild_id, interaction.application_id)
        )
        channel = getattr(interaction.channel, "parent_id", None) or interaction.channel_id
        roles = {interaction.guild_id, *(role.id for role in member.roles)}
        if not _allows(of_command, of_all, member.id, roles, [channel, interaction.guild_id - 1]):
            raise ShutOut(f"This server's admins do not let you use `/{command}` here.")

    async def _entries(self, guild_id: int, number: int) -> list[Mapping[str, Any]]:
        key = guild_id, number
        if key not in self._known:
            self._known[key] = await self._ask(guild_id, number)
        return self._known[key]

    async def _ask(self, guild_id: int, number: int) -> list[Mapping[str, Any]]:
        http, application_id = self._tree.client.http, self._tree.client.application_id
        assert application_id is not None, "it is known after login"
        try:
            answer = await http.get_application_command_permissions(application_id, guild_id, number)
        except discord.NotFound:  # Nobody has changed them.
            return []
        return list(answer["permissions"])


def _allows(
    of_command: Entries, of_all: Entries, user_id: int, roles: Iterable[int], channels: Iterable[int | None]
) -> bool:
    """Apply the rules of a command before those of all commands: the channel's first, then the member's."""
    in_channel = (_said(entries, _CHANNEL, [channel]) for entries in (of_command, of_all) for channel in channels)
    if next((said for said in in_channel if said is not None), True) is False:
        return False
    for entries in (of_command, of_all):
        for kind, ids in ((_USER, [user_id]), (_ROLE, roles)):
            said = _said(entries, kind, ids)
            if said is not None:
                return said
    return True


def _said(entries: Entries, kind: int, ids: Iterable[int | None]) -> bool | None:
    """Return what is said of any of some roles, members or channels; where some say yes, that counts."""
    wanted = set(ids)
    said = [entry["permission"] for entry in entries if entry["type"] == kind and int(entry["id"]) in wanted]
    return any(said) if said else None
