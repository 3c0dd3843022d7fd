"""Everything that the bot sends is what Discord's own description of its API allows.

Each simulated world checks its requests at its end (see ``world.checked``); here stands that the check
is a check, and one run that sends every kind of request there is.
"""

from typing import Any

import pytest
from simcord import HttpLogEntry

from tests.bot.openapi import needs_spec, violations
from tests.bot.world import World, menu, response
from tests.conftest import GatedEngine

pytestmark = needs_spec


def sent(method: str, path: str, body: Any) -> list[str]:
    """Return what Discord would say of a request."""
    return violations(HttpLogEntry(method=method, path=path, params={}, json=body, reason=None))


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({"content": 5}, "$.content"),
        ({"embeds": [{"title": "x" * 257}]}, "$.embeds[0].title"),
        ({"embeds": [{"description": "x" * 4097}]}, "$.embeds[0].description"),
        ({"embeds": {}}, "$.embeds"),
        ({"allowed_mentions": {"parse": ["nobody"]}}, "$.allowed_mentions"),
    ],
)
def test_a_message_that_discord_would_refuse_is_found(body: dict[str, Any], complaint: str) -> None:
    assert any(complaint in line for line in sent("PATCH", "/webhooks/1/token/messages/@original", body))


def test_a_command_that_discord_would_refuse_is_found() -> None:
    good = {"name": "lyrics", "description": "Write songs.", "type": 1}
    assert sent("PUT", "/applications/1/commands", [good]) == []
    assert sent("PUT", "/applications/1/commands", [good | {"description": "x" * 101}])
    assert sent("PUT", "/applications/1/commands", good)


def test_a_bad_answer_to_an_interaction_is_found() -> None:
    assert sent("POST", "/interactions/1/token/callback", {"type": 5}) == []
    assert sent("POST", "/interactions/1/token/callback", {"type": 99})


def test_an_address_that_discord_does_not_have_is_found() -> None:
    with pytest.raises(AssertionError, match="Discord has no PUT /songs"):
        sent("PUT", "/songs", {})


async def test_every_kind_of_request_is_valid(gated_world: World, gated_engine: GatedEngine) -> None:
    gated_engine.gate.set()
    mira, channel = gated_world.mira, gated_world.channel
    for number in range(6):
        song = await gated_world.lyrics(f"{number} " + "x" * 290, mood="proud")
    await mira.click(response(song), label="▶")
    await gated_world.ada.click(response(song), label="▶")
    shown = await mira.slash(channel, "history")
    await mira.click(response(shown), label="▶")
    await mira.select(response(shown), list(menu(shown).values())[:1])
    for command in ("show", "seed", "reset"):
        await mira.slash(channel, f"settings {command}")
    gated_engine.error = RuntimeError("out of memory")
    await gated_world.lyrics()
    assert len(gated_world.errors()) == 1
    requests = gated_world.env.http_requests
    kinds = {(request.method, request.path.rpartition("/")[2]) for request in requests}
    assert {("PUT", "commands"), ("POST", "callback"), ("PATCH", "@original"), ("DELETE", "@original")} <= kinds
    answers = {(request.json or {})["type"] for request in requests if request.path.endswith("/callback")}
    assert answers == {4, 5, 7}
    assert [line for request in requests for line in violations(request)] == []
