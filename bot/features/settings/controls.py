"""What changes settings under ``/settings show``: a menu, and a form for a value."""

import re
from typing import Self

import discord
from discord.ui import DynamicItem, Label, Select, TextInput, View

from bot.features.lyrics.message import Message
from bot.features.settings.embeds import bounds, origin, settings_embed, shown
from bot.handling.interaction import Interaction
from bot.handling.items import Reported, ReportedModal
from bot.markup import cut, plain
from bot.rules import Rules
from bot.sampling.layers import EffectiveSettings, Setting
from bot.sampling.presets import DESCRIPTIONS, PRESETS
from model import LyricsError, SamplingParams
from model.sampling.params import BOUNDS

_RESET = "reset"
_MAX_TYPED = 20
"""Characters of a number."""


class NotANumber(LyricsError):  # noqa: N818 - named for what happened, as the model's errors are
    """What was typed is no value that a parameter may have."""


def settings_message(settings: EffectiveSettings) -> Message:
    """Show a member's settings, with a menu to change them."""
    view = View(timeout=None)
    view.add_item(SettingsMenu())
    return Message(embed=settings_embed(settings), view=view)


async def change_setting(rules: Rules, interaction: discord.Interaction, name: str, value: float | None) -> None:
    """Set one of the clicking member's parameters, or with ``None`` go back to the default.

    Raises:
        OverCeiling: Where the value is over a ceiling here.
        pydantic.ValidationError: Where it is out of the parameter's bounds.
    """
    if value is not None:
        (await rules.of(interaction)).settings.check(**{name: value})
    await rules.store.set_sampling(interaction.user.id, name, value)


async def take_preset(rules: Rules, interaction: discord.Interaction, preset: SamplingParams) -> None:
    """Set those of the clicking member's parameters that a preset gives.

    Raises:
        OverCeiling: Where one is over a ceiling here; none is set then.
    """
    (await rules.of(interaction)).settings.check(**preset.model_dump(exclude_unset=True))
    await rules.store.apply_preset(interaction.user.id, preset)


def read_number(name: str, typed: str) -> float | None:
    """Return what a member typed for a parameter as a number; none where that is nothing.

    Raises:
        NotANumber: Where it is no number, or out of the parameter's bounds.
    """
    interval, text = BOUNDS[name], typed.strip()
    if not text:
        return None
    whole = isinstance(interval.ge, int)
    # People also write 50,257 for a whole number, and 0,9 for another.
    pattern, comma = (r"\d+", "") if whole else (r"\d*\.?\d+", ".")
    number = text.replace(",", comma)
    if re.fullmatch(pattern, number, re.ASCII):
        value = int(number) if whole else float(number)
        if interval.ge <= value <= interval.le:  # type: ignore[operator] # an Interval's are of any type
            return value
    kind = "a whole number" if whole else "a number"
    raise NotANumber(f"**{name}** is {kind} from {bounds(name)}: “{plain(text)}” is not.")


class SettingsMenu(Reported, DynamicItem[Select[View]], template="settings-menu"):
    """Lets a member choose what to change: a parameter, all that a preset gives, or everything."""

    def __init__(self) -> None:
        select: Select[View] = Select(custom_id="settings-menu", placeholder="Change…")
        for name, field in SamplingParams.model_fields.items():
            select.add_option(label=name, value=name, description=field.description)
        for preset, description in DESCRIPTIONS.items():
            select.add_option(label=f"Preset {preset}", value=preset, description=description.capitalize())
        select.add_option(label="Everything back to the defaults", value=_RESET)
        super().__init__(select)

    @classmethod
    def _from_match(cls, match: re.Match[str], /) -> Self:  # noqa: ARG003
        return cls()

    async def respond(self, interaction: Interaction) -> None:
        """Ask for the value, or make the change and show it."""
        chosen, rules = self.item.values[0], interaction.client.rules
        if chosen in BOUNDS:
            settings = (await rules.of(interaction)).settings
            await interaction.response.send_modal(SettingForm(chosen, settings[chosen]))
            return
        preset = next((preset for name, preset in PRESETS.items() if name == chosen), None)
        if preset is not None:
            await take_preset(rules, interaction, preset)
        else:
            await rules.store.reset_sampling(interaction.user.id)
        await _show_changed(interaction)


class SettingForm(ReportedModal):
    """Asks for the value of one parameter."""

    def __init__(self, name: str, setting: Setting) -> None:
        super().__init__(f"Change {name}")
        self.name = name
        self.typed: TextInput[Self] = TextInput(
            custom_id="value",
            required=False,
            max_length=_MAX_TYPED,
            default=str(setting.over or setting.value) if setting.source == "member" else None,
            placeholder=cut(f"{shown(setting.value)}, {origin(setting)}", 100),
        )
        self.add_item(
            Label(
                text=f"From {bounds(name)}",
                description="Leave it empty to go back to the default.",
                component=self.typed,
            )
        )

    async def respond(self, interaction: Interaction) -> None:
        """Make the change and show it."""
        await change_setting(interaction.client.rules, interaction, self.name, read_number(self.name, self.typed.value))
        await _show_changed(interaction)


async def _show_changed(interaction: Interaction) -> None:
    here = await interaction.client.rules.of(interaction)
    await interaction.response.edit_message(**settings_message(here.settings))
