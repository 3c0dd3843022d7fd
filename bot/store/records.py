"""The store's rows, as the rest of the bot sees them."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import ValidationError

from model import GeneratedSong, Header, SamplingParams

RequestState = Literal["queued", "finished", "failed", "stopped"]

ListName = Literal["history", "favourites"]
"""The lists of a member's songs."""


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
    favourites: frozenset[int] = frozenset()
    """The numbers of the songs that their owner holds on to, from 0."""


@dataclass(frozen=True, slots=True)
class ListedSong:
    """A song as it stands in a list, for itself or for its whole request."""

    request: StoredRequest
    number: int
    """Which of the request's songs, from 0."""
    found: str | None = None
    """Where the list was searched, the words of the lyric around a match, which stands between two ``MARK``."""


MARK = "\x1f"
"""A control character, which no stored song has in it."""


@dataclass(frozen=True, slots=True)
class ListPage:
    """Some of a list of a member's songs, newest first; pages count from 0."""

    songs: tuple[ListedSong, ...]
    number: int
    num_pages: int


def parse_sampling(params: str) -> SamplingParams:
    """Read kept parameters, without those that a later version's bounds no longer allow."""
    try:
        return SamplingParams.model_validate_json(params)
    except ValidationError as error:
        refused = {violation["loc"][0] for violation in error.errors()}
        values: dict[str, Any] = json.loads(params)
        return SamplingParams(**{name: value for name, value in values.items() if name not in refused})
