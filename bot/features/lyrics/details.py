"""What a song was written with: what the footer under it has no room for, and few readers want."""

import discord

from bot.handling.songs import SongPlace
from bot.look import COLOUR
from bot.markup import cut, plain
from bot.store import StoredRequest
from model import FinishReason

_MAX_FIELD = 1024
"""Discord's limit for the value of a field, in characters."""

_ENDS: dict[FinishReason, str] = {
    "stop": "the model closed the song",
    "length": "it reached its length, or all that the model can take in",
    "cancelled": "it was stopped",
}


def details_embed(request: StoredRequest, place: SongPlace) -> discord.Embed:
    """Say what the song at a place was asked for with, and what became of it."""
    song = request.songs[place.number]
    embed = discord.Embed(title="Details", colour=COLOUR)
    if len(request.songs) > 1 and not place.alone:
        embed.title = f"Details of song {place.number + 1} of {len(request.songs)}"
    embed.add_field(name="Opening words", value=cut(plain(request.prompt), _MAX_FIELD), inline=False)
    for name, value in request.header.items():
        embed.add_field(name=name.capitalize(), value=cut(plain(value), _MAX_FIELD))
    values = request.sampling.model_dump(exclude={"num_return_sequences"})
    embed.add_field(
        name="Settings", value="\n".join(f"`{name}` **{value}**" for name, value in values.items()), inline=False
    )
    written = f"{song.num_tokens:,} {'token' if song.num_tokens == 1 else 'tokens'}: then {_ENDS[song.finish_reason]}"
    embed.add_field(name="Written", value=f"{written}\n{discord.utils.format_dt(request.created_at)}", inline=False)
    embed.add_field(name="Model", value=cut(plain(request.checkpoint), _MAX_FIELD))
    return embed.set_footer(text="The same opening words, settings, seed and model give the same songs")
