"""Tells Discord of the commands, where those that it has are not those that the bot has."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import discord
from discord.http import Route

from bot.handling.tree import LyricsTree

log = logging.getLogger(__name__)

_TEXTS = {"name", "name_localizations", "description", "description_localizations"}
_BOUNDS = {"min_value", "max_value", "min_length", "max_length", "channel_types"}
_WHERE = {"default_member_permissions", "contexts", "integration_types", "nsfw"}
_COMPARED = _TEXTS | _BOUNDS | _WHERE | {"type", "options", "choices", "value", "required", "autocomplete", "handler"}
"""What makes a command, an option or a choice. Discord adds ids and versions of its own; ``dm_permission`` is an older
word for the contexts."""

_ENTRY_POINT = 4
"""The type of the command that launches an activity: Discord makes it, and wants it kept in every update."""

Command = Mapping[str, Any]


async def sync_where_it_differs(tree: LyricsTree, application_id: int) -> bool:
    """Sync the global commands where Discord has others, by whatever program; return whether it did.

    Where Discord refuses them, the log says so, and the bot runs with those that Discord has.
    """
    assert tree.translator is not None, "it is set before"
    ours: list[Command] = [await each.get_translated_payload(tree, tree.translator) for each in tree.get_commands()]
    http, path = tree.client.http, "/applications/{application_id}/commands"
    try:
        theirs: list[Command] = await http.request(
            Route("GET", path, application_id=application_id), params={"with_localizations": "true"}
        )
        tree.remember_ids(theirs)
        kept = [_definition(command) for command in theirs if command["type"] == _ENTRY_POINT]
        if same_commands([*ours, *kept], theirs):
            return False
        told = await http.request(Route("PUT", path, application_id=application_id), json=[*ours, *kept])
        tree.remember_ids(told)
    except discord.HTTPException as error:
        log.warning(
            "Discord refused the bot's commands (%s), so it runs with those that Discord has: start it again later, "
            "and update it if that does not help",
            error,
        )
        return False
    log.info("Synced %d commands", len(ours))
    return True


def same_commands(ours: Sequence[Command], theirs: Sequence[Command]) -> bool:
    """Whether the bot's commands, in any order, are what Discord has, which says the same in words of its own.

    Discord leaves out or nulls what is empty or off, gives permissions as a string, and sorts plain values.
    """
    return _same(sorted(ours, key=_name), sorted(theirs, key=_name))


def _name(command: Command) -> tuple[int, str]:
    return command["type"], command["name"]


def _definition(command: Command) -> dict[str, Any]:
    return {key: value for key, value in command.items() if key in _COMPARED}


def _same(ours: Any, theirs: Any) -> bool:
    if not ours or not theirs:
        return not ours and not theirs
    if isinstance(ours, Mapping):
        keys = ours.keys() | theirs.keys()
        # What has a name is a command, an option or a choice; the rest are translations, by language.
        return all(_same(ours.get(key), theirs.get(key)) for key in (keys & _COMPARED if "name" in ours else keys))
    if isinstance(ours, str | int | float):
        return str(ours) == str(theirs) or ours == theirs
    if not isinstance(ours[0], Mapping):
        return set(ours) == set(theirs)
    return len(ours) == len(theirs) and all(map(_same, ours, theirs))
