"""Settings as embeds: a member's, with where each value comes from, and a server's."""

from typing import Any

import discord

from bot.look import COLOUR
from bot.sampling.layers import WHOSE, EffectiveSettings, Setting
from bot.sampling.parameters import CEILED
from bot.store import ServerSettings
from model.sampling.params import BOUNDS


def settings_embed(settings: EffectiveSettings) -> discord.Embed:
    """List every parameter with the value that applies, between which it may be, and where it comes from."""
    lines = [f"`{name}` {_value(name, setting)}" for name, setting in settings.items()]
    embed = discord.Embed(title="Your settings", description="\n".join(lines), colour=COLOUR)
    return embed.set_footer(text="The menu changes one, or takes a preset; only you see this")


def server_embed(server: ServerSettings, settings: EffectiveSettings) -> discord.Embed:
    """Show what is set for a server, and what applies where nothing is.

    Args:
        server: What is set.
        settings: What applies to a member who has set nothing.
    """
    channels = " ".join(f"<#{channel}>" for channel in server.channels) or "in every channel"
    defaults = [f"`{name}` {_value(name, setting)}" for name, setting in settings.items() if name != "seed"]
    ceilings = [f"`{name}` {_most(settings[name])}" for name in CEILED]
    embed = discord.Embed(title="This server's settings", colour=COLOUR)
    embed.add_field(name="Songs are written", value=channels, inline=False)
    embed.add_field(name="Songs are seen", value=visibility(private=server.private), inline=False)
    embed.add_field(name="Defaults", value="\n".join(defaults), inline=False)
    embed.add_field(name="Ceilings", value="\n".join(ceilings), inline=False)
    return embed.set_footer(text="What members set themselves goes before the defaults, but never over a ceiling")


def visibility(*, private: bool) -> str:
    """Say who sees a song unless its member chooses."""
    return "by the member alone, unless they choose otherwise" if private else "by everybody, unless they are private"


def shown(value: float | None) -> str:
    """Return a parameter's value as people read it; only the seed has none."""
    return "a new one each time" if value is None else f"{value}"


def bounds(name: str, setting: Setting | None = None) -> str:
    """Return from where to where a parameter goes; with a setting, only up to its ceiling, and whose that is."""
    least, most = BOUNDS[name].ge, BOUNDS[name].le
    if setting is None or setting.ceiling is None:
        return f"{_short(least)} to {_short(most)}"
    return f"{_short(least)} to {_short(setting.ceiling.value)}, {WHOSE[setting.ceiling.source]} ceiling"


def origin(setting: Setting) -> str:
    """Say where a value comes from."""
    whose = WHOSE[setting.source] if setting.source == "member" else f"{WHOSE[setting.source]} default"
    return whose if setting.over is None else f"{whose} is {setting.over}"


def _short(number: Any) -> str:
    return f"{number:,}".removesuffix(".0")


def _value(name: str, setting: Setting) -> str:
    if setting.value is None:
        return f"**{shown(None)}** (or {bounds(name)})"
    return f"**{shown(setting.value)}** ({bounds(name, setting)}) · {origin(setting)}"


def _most(setting: Setting) -> str:
    if setting.ceiling is None:
        return "**none**"
    return f"**{shown(setting.ceiling.value)}** · {WHOSE[setting.ceiling.source]}"
