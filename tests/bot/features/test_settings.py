"""``/settings``: each member's own parameters, and their use by the next ``/lyrics``."""

import pytest
import simcord
from pydantic import ValidationError

from bot.features.settings.controls import read_number
from bot.sampling.layers import Ceilings, Layer
from bot.sampling.presets import DESCRIPTIONS, PRESETS, Preset
from bot.store import Store
from model import SamplingParams
from tests.bot.world import World, details, embed, footer, private_sentence, response

BOUNDS: dict[str, tuple[float, float]] = {
    "temperature": (0.1, 2.0),
    "top_k": (0, 50_257),
    "top_p": (0.0, 1.0),
    "repetition_penalty": (1.0, 2.0),
    "max_length": (1, 1000),
    "num_return_sequences": (1, 10),
    "seed": (0, 2**32 - 1),
}


async def show(world: World, member: simcord.MemberActor) -> dict[str, str]:
    """Return what ``/settings show`` tells a member, by parameter."""
    shown = await member.slash(world.channel, "settings show")
    assert shown.ephemeral
    lines = (embed(shown).description or "").splitlines()
    return dict(line[1:].split("` ", 1) for line in lines if line.startswith("`"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", 1.3),
        ("temperature", 1.0),
        ("top_k", 3),
        ("top_p", 0.5),
        ("repetition_penalty", 1.75),
        ("max_length", 5),
        ("seed", 99),
        ("num_return_sequences", 2),
    ],
)
async def test_what_a_member_sets_is_used_by_the_next_song(world: World, name: str, value: float) -> None:
    answer = await world.mira.slash(world.channel, f"settings {name}", value=value)
    assert private_sentence(answer) == f"Your **{name}** is now **{value}**."
    assert (await world.store.sampling(world.mira.id)).model_dump(exclude_unset=True) == {name: value}
    song = await world.lyrics()
    if name == "num_return_sequences":
        assert footer(song) == "1/2"
    else:
        assert (await details(world, song))[name] == str(value)


def test_every_parameter_is_tested_for_its_bounds() -> None:
    assert BOUNDS.keys() == SamplingParams.model_fields.keys()


@pytest.mark.parametrize("name", BOUNDS)
async def test_both_ends_of_a_range_can_be_set_and_nothing_beyond(world: World, name: str) -> None:
    for value in BOUNDS[name]:
        await world.mira.slash(world.channel, f"settings {name}", value=value)
        assert getattr(await world.store.sampling(world.mira.id), name) == value
    for value in (BOUNDS[name][0] - 1, BOUNDS[name][1] + 1):
        with pytest.raises(simcord.OptionError):
            await world.mira.slash(world.channel, f"settings {name}", value=value)


@pytest.mark.parametrize("name", [name for name in BOUNDS if name != "seed"])
async def test_only_the_seed_may_be_left_out(world: World, name: str) -> None:
    with pytest.raises(simcord.OptionError):
        await world.mira.slash(world.channel, f"settings {name}")


async def test_the_extremes_of_all_parameters_together_still_give_songs(world: World) -> None:
    for end, num_songs in ((0, 1), (1, 10)):
        for name, ends in BOUNDS.items():
            await world.store.set_sampling(world.mira.id, name, ends[end])
        assert footer(await world.lyrics()) == ("" if num_songs == 1 else f"1/{num_songs}")


async def test_the_store_refuses_what_discord_should_not_have_let_through(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = Store.set_sampling

    async def a_hundredfold(self: Store, user_id: int, name: str, value: float) -> SamplingParams:
        return await setting(self, user_id, name, value * 100)

    await world.mira.slash(world.channel, "settings temperature", value=0.5)
    with monkeypatch.context() as patched:
        patched.setattr(Store, "set_sampling", a_hundredfold)
        refused = await world.mira.slash(world.channel, "settings temperature", value=1.5)
    assert private_sentence(refused).startswith("That does not work:\ntemperature: ")
    assert "150" in private_sentence(refused)
    assert [type(error) for error in world.errors()] == [ValidationError]
    assert (await world.store.sampling(world.mira.id)).temperature == 0.5


async def test_members_do_not_see_or_change_each_others_settings(world: World) -> None:
    await world.mira.slash(world.channel, "settings temperature", value=1.5)
    await world.ada.slash(world.channel, "settings temperature", value=0.2)
    assert (await show(world, world.mira))["temperature"] == "**1.5** (0.1 to 2) · yours"
    assert (await show(world, world.ada))["temperature"] == "**0.2** (0.1 to 2) · yours"
    await world.ada.slash(world.channel, "settings reset")
    assert (await details(world, await world.lyrics()))["temperature"] == "1.5"
    assert (await details(world, await world.lyrics(by=world.ada)))["temperature"] == "0.7"
    assert len(world.public()) == 2


async def test_show_lists_every_parameter_with_where_it_comes_from(world: World) -> None:
    assert await show(world, world.mira) == {
        "temperature": "**0.7** (0.1 to 2) · the model's default",
        "top_k": "**50** (0 to 50,257) · the model's default",
        "top_p": "**0.95** (0 to 1) · the model's default",
        "repetition_penalty": "**1.2** (1 to 2) · the model's default",
        "max_length": "**100** (1 to 1,000) · the model's default",
        "num_return_sequences": "**3** (1 to 10) · the model's default",
        "seed": "**a new one each time** (or 0 to 4,294,967,295)",
    }
    await world.mira.slash(world.channel, "settings top_k", value=3)
    await world.mira.slash(world.channel, "settings seed", value=0)
    shown = await show(world, world.mira)
    assert shown["top_k"] == "**3** (0 to 50,257) · yours"
    assert shown["seed"] == "**0** (0 to 4,294,967,295) · yours"


async def test_one_setting_goes_back_alone(world: World) -> None:
    await world.mira.slash(world.channel, "settings top_k", value=3)
    await world.mira.slash(world.channel, "settings top_p", value=0.5)
    answer = await world.mira.slash(world.channel, "settings reset", setting="top_k")
    assert private_sentence(answer) == "Your **top_k** is back to the default."
    assert (await world.store.sampling(world.mira.id)).model_dump(exclude_unset=True) == {"top_p": 0.5}


@pytest.mark.parametrize("name", PRESETS)
async def test_a_preset_sets_how_songs_sound_and_leaves_the_rest(world: World, name: Preset) -> None:
    for parameter, value in (("temperature", 2.0), ("max_length", 7), ("seed", 5)):
        await world.mira.slash(world.channel, f"settings {parameter}", value=value)
    answer = await world.mira.slash(world.channel, "settings preset", name=name)
    assert f"**{name}**" in private_sentence(answer)
    kept = (await world.store.sampling(world.mira.id)).model_dump(exclude_unset=True)
    assert kept == {"max_length": 7, "seed": 5} | PRESETS[name].model_dump(exclude_unset=True)
    assert (await details(world, await world.lyrics()))["temperature"] == str(kept["temperature"])


def test_a_preset_is_described_in_words_and_of_the_same_parameters_as_the_others() -> None:
    assert PRESETS.keys() == DESCRIPTIONS.keys()
    assert {frozenset(preset.model_fields_set) for preset in PRESETS.values()} == {
        frozenset({"temperature", "top_k", "top_p", "repetition_penalty"})
    }


async def test_reset_brings_everything_back(world: World) -> None:
    before = await show(world, world.mira)
    for name, (lowest, _) in BOUNDS.items():
        await world.mira.slash(world.channel, f"settings {name}", value=lowest)
    assert await show(world, world.mira) != before
    answer = await world.mira.slash(world.channel, "settings reset")
    assert private_sentence(answer) == "All your settings are back to the defaults."
    assert await show(world, world.mira) == before


async def test_a_fixed_seed_can_be_let_go_again(world: World) -> None:
    await world.mira.slash(world.channel, "settings seed", value=5)
    assert (await details(world, await world.lyrics()))["seed"] == "5"
    assert (await details(world, await world.lyrics(seed=6)))["seed"] == "6"
    answer = await world.mira.slash(world.channel, "settings seed")
    assert private_sentence(answer) == "Your **seed** is now **a new one each time**."
    first, second = [(await details(world, await world.lyrics()))["seed"] for _ in range(2)]
    assert first != second


async def test_settings_are_changed_where_only_the_member_sees_it(world: World) -> None:
    answer = await world.mira.slash(world.channel, "settings top_p", value=0.9)
    assert response(answer).ephemeral
    assert world.public() == []
    assert world.channel.history(viewer=world.ada) == []


# Under /settings show


async def test_the_first_two_subcommands_are_those_that_most_want(world: World) -> None:
    commands = [name for name in world.mira.available_commands(world.channel) if name.startswith("settings ")]
    assert commands[:2] == ["settings show", "settings preset"]


async def test_a_value_is_changed_right_under_the_list(world: World) -> None:
    shown = await world.mira.slash(world.channel, "settings show")
    form = await world.mira.select(response(shown), ["temperature"])
    assert form.modal is not None
    assert form.modal["title"] == "Change temperature"
    (label,) = form.modal["components"]
    assert label["label"] == "From 0.1 to 2"
    assert label["component"]["placeholder"] == "0.7, the model's default"
    await world.mira.submit_modal(form, {"value": " 0,9 "})
    assert "`temperature` **0.9** (0.1 to 2) · yours" in str(embed(shown).description)
    assert (await world.store.sampling(world.mira.id)).temperature == 0.9
    form = await world.mira.select(response(shown), ["temperature"])
    assert form.modal is not None
    assert form.modal["components"][0]["component"]["value"] == "0.9"
    await world.mira.submit_modal(form, {"value": ""})
    assert "`temperature` **0.7** (0.1 to 2) · the model's default" in str(embed(shown).description)


async def test_a_preset_is_taken_and_let_go_right_under_the_list(world: World) -> None:
    shown = await world.mira.slash(world.channel, "settings show")
    await world.restart()
    await world.mira.select(response(shown), ["wild"])
    assert "`temperature` **1.1** (0.1 to 2) · yours" in str(embed(shown).description)
    await world.mira.select(response(shown), ["reset"])
    assert "yours" not in str(embed(shown).description)
    assert (await world.store.sampling(world.mira.id)).model_fields_set == set()


@pytest.mark.parametrize(
    ("name", "typed", "sentence"),
    [
        ("temperature", "warm", "**temperature** is a number from 0.1 to 2: “warm” is not."),
        ("temperature", "2.1", "**temperature** is a number from 0.1 to 2: “2.1” is not."),
        ("max_length", "2.5", "**max_length** is a whole number from 1 to 1,000: “2.5” is not."),
        ("top_k", "50,258", "**top_k** is a whole number from 0 to 50,257: “50,258” is not."),
        ("seed", "*1*", "**seed** is a whole number from 0 to 4,294,967,295: “\\*1\\*” is not."),
        ("top_p", "0.8", "**top_p** goes up"),
    ],
)
async def test_what_a_form_cannot_take_is_said_and_changes_nothing(
    world: World, name: str, typed: str, sentence: str
) -> None:
    if name == "top_p":
        name, typed, sentence = "max_length", "11", "**max_length** goes up to **10** here"
        world.bot.rules.host = Layer("host", ceilings=Ceilings(max_length=10))
    shown = await world.mira.slash(world.channel, "settings show")
    form = await world.mira.select(response(shown), [name])
    refused = await world.mira.submit_modal(form, {"value": typed})
    assert private_sentence(refused).startswith(sentence)
    assert (await world.store.sampling(world.mira.id)).model_fields_set == set()


@pytest.mark.parametrize("name", BOUNDS)
def test_a_number_is_read_as_people_write_it(name: str) -> None:
    for value in BOUNDS[name]:
        assert read_number(name, str(value)) == value
        assert read_number(name, f"{value:,}") == value
    assert read_number(name, " ") is None
