"""Commands in German, Spanish and French: all of them, within Discord's rules, and nothing left over."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from bot.handling.sync import sync_where_it_differs
from bot.handling.translator import LANGUAGES, translations
from tests.bot.world import World

NAME = re.compile(r"[-_\w]{1,32}")
MAX_DESCRIPTION = MAX_CHOICE = 100
MENU = 3
"""The type of a message's context menu, of which a name may have spaces and capitals."""

Texts = dict[str, str]


def told(world: World) -> list[dict[str, Any]]:
    """Return the commands as Discord was told of them."""
    (commands,) = (request.json for request in world.env.http_requests if request.method == "PUT")
    assert commands is not None
    return list(commands)


def nodes(tree: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield every command, option and choice."""
    for node in tree:
        yield node
        yield from nodes(node.get("options", []))
        yield from nodes(node.get("choices", []))


def texts(node: dict[str, Any]) -> Iterator[tuple[str, Texts]]:
    """Yield the texts of a node in English, each with its translations."""
    for key in {"name", "description"} & node.keys():
        if node[key]:
            yield node[key], node.get(f"{key}_localizations", {})


async def test_every_text_of_every_command_is_translated(world: World) -> None:
    missing: dict[str, set[str]] = {}
    for node in nodes(told(world)):
        for english, translated in texts(node):
            for locale in LANGUAGES:
                if locale.value not in translated:
                    missing.setdefault(f"bot/locales/{LANGUAGES[locale]}.json", set()).add(english)
    assert not missing, f"please add these texts:\n{json.dumps(missing, indent=2, default=sorted)}"


@pytest.mark.parametrize("language", sorted(set(LANGUAGES.values())))
async def test_no_translation_is_left_of_a_text_that_has_gone(world: World, language: str) -> None:
    english = {text for node in nodes(told(world)) for text, _ in texts(node)}
    assert translations(language).keys() - english == set()


async def test_names_and_descriptions_keep_to_discords_rules(world: World) -> None:
    for command in told(world):
        if command["type"] == MENU:
            assert all(1 <= len(name) <= 32 for name in command["name_localizations"].values())
            continue
        for node in nodes([command]):
            names = node.get("name_localizations", {}).values()
            if "value" in node:
                assert all(1 <= len(name) <= MAX_CHOICE for name in names)
                continue
            assert [name for name in names if not NAME.fullmatch(name) or name != name.lower()] == []
            described = node["description_localizations"].values()
            assert [text for text in described if not 1 <= len(text) <= MAX_DESCRIPTION] == []


async def test_names_beside_each_other_differ_in_every_language(world: World) -> None:
    groups = [told(world), *(node.get("options", []) for node in nodes(told(world)))]
    for group in groups:
        for locale in LANGUAGES:
            names = [node["name_localizations"][locale.value] for node in group if "name_localizations" in node]
            assert len(set(names)) == len(names)


async def test_discord_is_told_when_only_a_translation_has_changed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree, application = world.bot.tree, world.bot.application_id
    assert tree.translator is not None
    assert application is not None
    assert not await sync_where_it_differs(tree, application)
    monkeypatch.setattr(tree.translator, "_texts", {})
    assert await sync_where_it_differs(tree, application)
