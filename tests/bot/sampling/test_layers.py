"""Settings in layers: which value applies, where it comes from, and what no value gets over."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bot.sampling.layers import Ceiling, Ceilings, Layer, OverCeiling, Setting, Source, resolve
from bot.sampling.parameters import CEILED
from model import SamplingParams
from tests.bot.features.test_settings import show
from tests.bot.world import World, details, private_sentence, response

TEMPERATURES = st.floats(0.1, 2.0)
MAYBE = st.none() | TEMPERATURES


def layer(source: Source, ceiling: float | None = None, **params: float) -> Layer:
    """Return a layer with some values and a ceiling over the temperature."""
    return Layer(source, SamplingParams.model_validate(params), Ceilings(temperature=ceiling))


def test_with_nothing_set_the_model_has_the_last_word() -> None:
    settings = resolve(Layer("member"), Layer("server"), Layer("host"))
    assert settings.sampling == SamplingParams()
    assert {(setting.source, setting.ceiling, setting.over) for setting in settings.values()} == {("model", None, None)}


def test_the_innermost_layer_that_sets_a_value_is_the_one() -> None:
    settings = resolve(
        layer("member", temperature=0.1),
        layer("server", temperature=0.2, top_k=2),
        layer("host", temperature=0.3, top_k=3, top_p=0.3),
    )
    assert {name: (setting.value, setting.source) for name, setting in settings.items()} == {
        "temperature": (0.1, "member"),
        "top_k": (2, "server"),
        "top_p": (0.3, "host"),
        "repetition_penalty": (1.2, "model"),
        "max_length": (100, "model"),
        "num_return_sequences": (3, "model"),
        "seed": (None, "model"),
    }


def test_a_value_that_equals_the_default_counts_as_set() -> None:
    settings = resolve(layer("member", temperature=0.7), layer("server", temperature=0.2))
    assert settings["temperature"] == Setting(0.7, "member", None)


def test_a_value_over_a_ceiling_is_held_at_it_and_remembered() -> None:
    settings = resolve(layer("member", temperature=1.5), layer("server", 1.0), layer("host", 1.2))
    assert settings["temperature"] == Setting(1.0, "member", Ceiling(1.0, "server"), over=1.5)


def test_a_default_is_held_at_a_ceiling_too() -> None:
    assert resolve(layer("member"), layer("server", 0.5)).sampling.temperature == 0.5


def test_the_lowest_ceiling_counts_and_of_equal_ones_the_outermost_is_named() -> None:
    assert resolve(layer("server", 1.5), layer("host", 1.2))["temperature"].ceiling == Ceiling(1.2, "host")
    assert resolve(layer("server", 1.2), layer("host", 1.2))["temperature"].ceiling == Ceiling(1.2, "host")


@given(member=MAYBE, server=MAYBE, host=MAYBE, server_ceiling=MAYBE, host_ceiling=MAYBE)
def test_no_mixture_of_layers_gets_over_a_ceiling(
    member: float | None,
    server: float | None,
    host: float | None,
    server_ceiling: float | None,
    host_ceiling: float | None,
) -> None:
    values = {"member": member, "server": server, "host": host}
    given_params = {name: {} if value is None else {"temperature": value} for name, value in values.items()}
    settings = resolve(
        layer("member", **given_params["member"]),
        layer("server", server_ceiling, **given_params["server"]),
        layer("host", host_ceiling, **given_params["host"]),
    )
    wanted = next((value for value in values.values() if value is not None), 0.7)
    assert settings.sampling.temperature == min([wanted, *filter(None, [server_ceiling, host_ceiling])])


def test_what_is_asked_for_this_time_is_refused_over_a_ceiling() -> None:
    settings = resolve(Layer("member"), Layer("host", ceilings=Ceilings(max_length=50)))
    assert settings.this_time(max_length=50, seed=None, num_return_sequences=1) == SamplingParams(
        max_length=50, num_return_sequences=1
    )
    with pytest.raises(OverCeiling, match=r"^\*\*max_length\*\* goes up to \*\*50\*\* here, which is the host's"):
        settings.this_time(max_length=51)


def test_an_older_songs_parameters_are_brought_down() -> None:
    settings = resolve(Layer("server", ceilings=Ceilings(temperature=1.0, num_return_sequences=2)))
    old = SamplingParams(temperature=1.9, top_k=7, num_return_sequences=1, seed=4)
    assert settings.hold(old) == SamplingParams(temperature=1.0, top_k=7, num_return_sequences=1, seed=4)


@pytest.mark.parametrize("values", [{"temperature": 2.1}, {"max_length": 0}, {"max_length": 2.5}, {"top_k": 5}])
def test_a_ceiling_is_within_the_bounds_and_of_a_parameter_that_may_have_one(values: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match=next(iter(values))):
        Ceilings.model_validate(values)


def test_the_parameters_that_may_have_a_ceiling_are_named_in_one_place() -> None:
    assert tuple(Ceilings.model_fields) == CEILED


@pytest.mark.parametrize(
    ("command", "options"),
    [("temperature", {"value": 1.3}), ("max_length", {"value": 9}), ("preset", {"name": "wild"})],
)
async def test_a_member_cannot_set_a_value_over_the_hosts_ceiling(
    world: World, command: str, options: dict[str, float | str]
) -> None:
    world.bot.rules.host = Layer("host", ceilings=Ceilings(temperature=1.0, max_length=8))
    refused = await world.mira.slash(world.channel, f"settings {command}", **options)
    assert "which is the host's ceiling" in private_sentence(refused)
    assert (await world.store.sampling(world.mira.id)).model_fields_set == set()
    assert [type(error) for error in world.errors()] == [OverCeiling]


async def test_a_value_at_the_ceiling_can_be_set(world: World) -> None:
    world.bot.rules.host = Layer("host", ceilings=Ceilings(temperature=1.0))
    await world.mira.slash(world.channel, "settings temperature", value=1.0)
    assert (await show(world, world.mira))["temperature"] == "**1.0** (0.1 to 1, the host's ceiling) · yours"


async def test_a_ceiling_that_is_lowered_later_holds_what_was_set_and_says_so(world: World) -> None:
    await world.mira.slash(world.channel, "settings temperature", value=1.5)
    world.bot.rules.host = Layer("host", ceilings=Ceilings(temperature=1.0))
    assert (await show(world, world.mira))["temperature"] == "**1.0** (0.1 to 1, the host's ceiling) · yours is 1.5"
    assert (await details(world, await world.lyrics()))["temperature"] == "1.0"
    world.bot.rules.host = Layer("host")
    assert (await show(world, world.mira))["temperature"] == "**1.5** (0.1 to 2) · yours"


@pytest.mark.parametrize("options", [{"songs": 3}, {"length": 20}])
async def test_lyrics_refuses_what_is_over_a_ceiling(world: World, options: dict[str, Any]) -> None:
    world.bot.rules.host = Layer("host", ceilings=Ceilings(max_length=12, num_return_sequences=2))
    refused = await world.lyrics(**options)
    assert "which is the host's ceiling" in private_sentence(refused)
    assert world.public() == []
    assert world.states() == []
    assert [type(error) for error in world.errors()] == [OverCeiling]


@pytest.mark.parametrize("label", ["Again", "Variations", "Continue"])
async def test_buttons_under_an_older_song_keep_to_the_ceilings_of_today(world: World, label: str) -> None:
    await world.mira.slash(world.channel, "settings temperature", value=1.5)
    song = await world.lyrics()
    world.bot.rules.host = Layer("host", ceilings=Ceilings(temperature=1.0, num_return_sequences=2, max_length=10))
    again = await world.mira.click(response(song), label=label)
    assert again.acknowledged
    (params,) = [row[0] for row in world.rows("SELECT params FROM request ORDER BY id DESC LIMIT 1")]
    written = SamplingParams.model_validate_json(params)
    assert (written.temperature, written.max_length) == (1.0, 10)
    assert written.num_return_sequences <= 2


async def test_the_hosts_defaults_are_used_and_named(world: World) -> None:
    world.bot.rules.host = Layer("host", SamplingParams(temperature=1.1, top_p=0.8))
    await world.mira.slash(world.channel, "settings top_p", value=0.7)
    shown = await show(world, world.mira)
    assert (shown["temperature"], shown["top_p"]) == (
        "**1.1** (0.1 to 2) · the host's default",
        "**0.7** (0 to 1) · yours",
    )
    written = await details(world, await world.lyrics())
    assert (written["temperature"], written["top_k"], written["top_p"]) == ("1.1", "50", "0.7")
