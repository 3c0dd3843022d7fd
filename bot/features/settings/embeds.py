"""Settings as embeds: a member's, with where each value comes from, and a server's."""

import discord

from bot.layers import CEILED, WHOSE, EffectiveSettings, Setting
from bot.look import COLOUR
from bot.store import ServerSettings


def settings_embed(settings: EffectiveSettings) -> discord.Embed:
    """List every parameter with the value that applies and where it comes from."""
    lines = [f"`{name}` {_value(setting)}" for name, setting in settings.items()]
    embed = discord.Embed(title="Your settings", description="\n".join(lines), colour=COLOUR)
    return embed.set_footer(text="Change one with /settings, or four with /settings preset")


def server_embed(server: ServerSettings, settings: EffectiveSettings) -> discord.Embed:
    """Show what is set for a server, and what applies where nothing is.

    Args:
        server: What is set.
        settings: What applies to a member who has set nothing.
    """
    channels = " ".join(f"<#{channel}>" for channel in server.channels) or "in every channel"
    defaults = [f"`{name}` {_value(setting)}" for name, setting in settings.items() if name != "seed"]
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


def _value(setting: Setting) -> str:
    if setting.value is None:
        return f"**{shown(None)}**"
    whose = WHOSE[setting.source] if setting.source == "member" else f"{WHOSE[setting.source]} default"
    if setting.ceiling is None:
        return f"**{shown(setting.value)}** · {whose}"
    if setting.over is not None:
        return f"**{shown(setting.value)}** · {WHOSE[setting.ceiling.source]} ceiling, as {whose} is {setting.over}"
    return f"**{shown(setting.value)}** (at most {shown(setting.ceiling.value)}) · {whose}"


def _most(setting: Setting) -> str:
    if setting.ceiling is None:
        return "**none**"
    return f"**{shown(setting.ceiling.value)}** · {WHOSE[setting.ceiling.source]}"
