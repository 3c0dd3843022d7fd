"""The store's rows, as the rest of the bot sees them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from model import GeneratedSong, Header, SamplingParams

RequestState = Literal["queued", "finished", "failed", "stopped"]


@dataclass(frozen=True, slots=True)
class StoredRequest:
    """A request as it stands in the history; ``sampling`` has the seed that was used."""

    id: int
    user_id: int
    guild_id: int | None
    channel_id: int | None
    prompt: str
    header: Header
    sampling: SamplingParams
    checkpoint: str
    state: RequestState
    error: str | None
    created_at: datetime
    songs: tuple[GeneratedSong, ...]
    opening: str | None = None
    """What the model went on from, where that is more than the prompt: a song that was continued."""


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Some of a user's finished requests, newest first; pages count from 0."""

    requests: tuple[StoredRequest, ...]
    number: int
    num_pages: int
