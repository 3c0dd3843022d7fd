"""The store's rows, as the rest of the bot sees them."""

import json
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, Self, TypeVar

from pydantic import BaseModel, ValidationError

from bot.sampling.layers import Ceilings, Layer
from model import GeneratedSong, Header, SamplingParams

Parsed = TypeVar("Parsed", bound=BaseModel)

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


@dataclass(frozen=True, slots=True)
class ListPage:
    """Some of a list of a member's songs, newest first; pages count from 0."""

    songs: tuple[ListedSong, ...]
    number: int
    num_pages: int


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """What the admins of a server decided; a change is a new record."""

    defaults: SamplingParams = field(default_factory=SamplingParams)
    ceilings: Ceilings = field(default_factory=Ceilings)
    channels: tuple[int, ...] = ()
    """Where songs may be written; everywhere, where there are none."""
    private: bool = False
    """Whether songs are private unless the member says otherwise."""

    @property
    def layer(self) -> Layer:
        """What they are for a member's settings."""
        return Layer("server", self.defaults, self.ceilings)

    def with_default(self, name: str, value: float | None) -> Self:
        """Return them with a default set, or with ``None`` unset.

        Raises:
            pydantic.ValidationError: Where the value is out of the parameter's bounds.
        """
        return replace(self, defaults=changed(self.defaults, {name: value}))

    def with_ceiling(self, name: str, value: float | None) -> Self:
        """Return them with a ceiling set, or with ``None`` lifted.

        Raises:
            pydantic.ValidationError: Where the value is out of the parameter's bounds.
        """
        return replace(self, ceilings=changed(self.ceilings, {name: value}))


def changed(parameters: Parsed, values: dict[str, float | None]) -> Parsed:
    """Return parameters with some set, or with ``None`` unset.

    Raises:
        pydantic.ValidationError: Where a value is out of bounds.
    """
    both: dict[str, Any] = parameters.model_dump(exclude_unset=True) | values
    return type(parameters)(**{name: value for name, value in both.items() if value is not None})


def parse_sampling(params: str) -> SamplingParams:
    """Read kept parameters, without those that a later version's bounds no longer allow."""
    return parse(SamplingParams, params)


def parse(kind: type[Parsed], params: str) -> Parsed:
    """Read what was kept as JSON, without the values that a later version's bounds no longer allow."""
    try:
        return kind.model_validate_json(params)
    except ValidationError as error:
        refused = {violation["loc"][0] for violation in error.errors()}
        values: dict[str, Any] = json.loads(params)
        return kind(**{name: value for name, value in values.items() if name not in refused})
