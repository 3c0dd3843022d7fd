"""Whether Discord has the bot's commands: the same in other words, and not the same."""

import copy
from typing import Any

import pytest

from bot.handling.sync import same_commands, sync_where_it_differs
from tests.bot.discord_server import as_discord_has
from tests.bot.world import World


async def commands_of(world: World) -> list[dict[str, Any]]:
    """Return the commands as the bot sends them."""
    tree = world.bot.tree
    assert tree.translator is not None
    return [dict(await each.get_translated_payload(tree, tree.translator)) for each in tree.get_commands()]


async def test_what_discord_says_in_its_own_words_is_the_same(world: World) -> None:
    ours = await commands_of(world)
    theirs = as_discord_has(copy.deepcopy(ours))
    assert same_commands(ours, theirs)
    theirs[0]["something_new_of_discords"] = 7
    assert same_commands(ours, theirs)


@pytest.mark.parametrize(
    "change",
    [
        lambda commands: commands.pop(),
        lambda commands: commands.append({"type": 1, "name": "play", "description": "Of another program"}),
        lambda commands: commands[0].update(description="Something else."),
        lambda commands: commands[0]["name_localizations"].update(de="anders"),
        lambda commands: commands[0].pop("description_localizations"),
        lambda commands: commands[0]["options"].reverse(),
        lambda commands: commands[0]["options"][0].update(min_length=2),
        lambda commands: commands[0]["options"][0].update(choices=[{"name": "a", "value": "a"}]),
        lambda commands: commands[0]["options"][0].pop("required"),
        lambda commands: commands[0].update(contexts=[0]),
        lambda commands: commands[0].update(nsfw=True),
        lambda commands: commands[0].update(default_member_permissions="8"),
    ],
)
async def test_whatever_members_would_notice_is_not_the_same(world: World, change: Any) -> None:
    ours = await commands_of(world)
    theirs = sorted(as_discord_has(copy.deepcopy(ours)), key=lambda each: each["name"] != "lyrics")
    assert same_commands(ours, theirs)
    change(theirs)
    assert not same_commands(ours, theirs)


async def test_commands_that_another_program_took_away_come_back_at_the_next_start(world: World) -> None:
    application = world.bot.application_id
    assert application is not None
    assert not await sync_where_it_differs(world.bot.tree, application)
    world.env.backend.register_commands(None, [])
    assert await sync_where_it_differs(world.bot.tree, application)
    assert not await sync_where_it_differs(world.bot.tree, application)
