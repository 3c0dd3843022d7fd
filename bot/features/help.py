"""``/help`` and ``/about``: what can be done, by whom, and what it is that writes."""

from collections.abc import Callable, Iterable
from importlib.metadata import version
from typing import Any

import discord
from discord import app_commands
from discord.app_commands import ContextMenu
from discord.ext import commands

from bot.handling.interaction import Interaction
from bot.look import COLOUR
from bot.markup import plain
from bot.store import Store
from model import Checkpoint, LyricsService

AnyCommand = app_commands.Command[Any, ..., Any] | app_commands.Group | ContextMenu

_OF_A_GROUP = 2
"""How many commands of a group are named; Discord shows the others beside them."""

_EXAMPLE = "Paste this, or say it in words of your own:\n```/lyrics prompt:Two lanterns on the water```"

_UNDER_A_SONG = (
    "◀ ▶ turn to the other songs of a request, and *Details* says how they were written. *Again*, *Continue* and "
    "*Variations* write more, *Share as picture* and *Export* take a song elsewhere, *Favourite* keeps it at hand, "
    "*Take down* deletes the message. They are for whoever asked; everybody else may turn, and take a copy."
)


class Help(commands.Cog):
    """Tells members what there is."""

    def __init__(self, store: Store, service: LyricsService) -> None:
        self.store = store
        self.service = service

    @app_commands.command()
    async def help(self, interaction: Interaction) -> None:
        """See what you can do, and who may do it."""
        tree = interaction.client.tree
        embed = help_embed(tree.get_commands(), tree.mention)
        await interaction.response.send_message(embed=embed, ephemeral=True)

    @app_commands.command()
    async def about(self, interaction: discord.Interaction) -> None:
        """See which model writes, what it was trained on, and how much it wrote."""
        embed = about_embed(self.service.checkpoint, await self.store.num_songs_written())
        await interaction.response.send_message(embed=embed, ephemeral=True)


def help_embed(all_commands: Iterable[AnyCommand], mention: Callable[[str], str]) -> discord.Embed:
    """Say what the commands are for, in the order in which they were added, those of a server's admins apart.

    Args:
        all_commands: The commands and the menus.
        mention: Makes of a command's name, say ``settings show``, what opens it when it is clicked.
    """
    for_all: list[str] = []
    for_admins: list[str] = []
    menus: list[str] = []
    for command in all_commands:
        if isinstance(command, ContextMenu):
            menus.append(f"*{command.name}*")
        else:
            line = f"{_mentioned(command, mention)} · {command.description.rstrip('.')}"
            (for_admins if command.default_permissions else for_all).append(line)
    embed = discord.Embed(title="What you can do", description=f"{_EXAMPLE}\n" + "\n".join(for_all), colour=COLOUR)
    if for_admins:
        embed.add_field(name="If you manage the server", value="\n".join(for_admins), inline=False)
    embed.add_field(name="On a message", value=f"Under *Apps* in its menu: {', '.join(menus)}", inline=False)
    embed.add_field(name="Under a song", value=_UNDER_A_SONG, inline=False)
    return embed.set_footer(text="Only you see your lists, your settings, and songs that are written with private")


def _mentioned(command: app_commands.Command[Any, ..., Any] | app_commands.Group, mention: Callable[[str], str]) -> str:
    """Name a command; of a group, the first ones in it, as it cannot be called by itself."""
    if not isinstance(command, app_commands.Group):
        return mention(command.name)
    names = [mention(inner.qualified_name) for inner in command.commands]
    return " ".join(names[:_OF_A_GROUP]) + (" …" if len(names) > _OF_A_GROUP else "")


def about_embed(checkpoint: Checkpoint, num_songs: int) -> discord.Embed:
    """Say what is known of the served model, and of the bot."""
    embed = discord.Embed(title="About", colour=COLOUR)
    embed.add_field(name="Model", value=plain(checkpoint.name))
    embed.add_field(name="Songs written", value=f"{num_songs:,}")
    embed.add_field(name="Bot", value=f"Version {version('lyrics-bot')}")
    metadata = checkpoint.metadata
    if metadata is None:
        embed.description = "This model does not say what it was trained on."
        return embed
    songs, data = metadata.training.get("songs"), metadata.training.get("data")
    learnt = f"{songs:,} songs" if isinstance(songs, int) else "Songs"
    source = f" from {plain(str(data))}" if data else ""
    base = "from nothing" if metadata.base == "scratch" else f"starting from the model {plain(metadata.base)}"
    embed.add_field(name="Trained on", value=f"{learnt}{source}, {base}", inline=False)
    if metadata.header_fields:
        embed.add_field(name="Understands", value=plain(", ".join(metadata.header_fields)), inline=False)
    made = discord.utils.format_dt(metadata.created, "D")
    embed.add_field(
        name="Version of the model", value=f"{made}, data {plain(metadata.data_fingerprint[:8])}", inline=False
    )
    return embed
