"""What a member asks for: from the options of a command, or from a song that is there. No Discord in here."""

from dataclasses import dataclass, replace
from typing import Self, cast

from bot.markup import sendable
from bot.store import StoredRequest
from model import Checkpoint, Header, LyricsError, Request, SamplingParams
from model.sampling.params import TEMPERATURE

WARMER = 0.3
"""What a variation adds to the temperature."""


class NothingToSee(LyricsError):  # noqa: N818 - named for what happened, as the model's errors are
    """The prompt has no character that can be seen."""


@dataclass(frozen=True, slots=True)
class MemberRequest:
    """Songs that a member asks for, and what the bot knows of it beyond the model's part.

    Raises:
        NothingToSee: By the constructors, where there is nothing to see in the prompt.
    """

    request: Request
    """Its prompt is what the member wrote."""
    opening: str | None = None
    """What the model goes on from, where that is more than the prompt: a song, and the line break after it."""
    left_out: tuple[str, ...] = ()
    """The header fields that were asked for and that the checkpoint was not trained with."""

    @classmethod
    def new(
        cls,
        checkpoint: Checkpoint,
        prompt: str,
        header: Header,
        sampling: SamplingParams,
        *,
        opening: str | None = None,
    ) -> Self:
        """Return the request with a seed, and without the header fields that the checkpoint does not know."""
        prompt = sendable(prompt).strip()
        check_prompt(prompt)
        known = frozenset(checkpoint.header_fields)
        header = Header(**{name: sendable(value) for name, value in header.items()})
        left_out = tuple(name for name, _ in header.items() if name not in known)
        return cls(Request(prompt, header.keep(known), sampling.seeded()), opening, left_out)

    @classmethod
    def again(cls, checkpoint: Checkpoint, stored: StoredRequest) -> Self:
        """Return the same request with a new seed."""
        sampling = stored.sampling.model_copy(update={"seed": None})
        return cls.new(checkpoint, stored.prompt, stored.header, sampling, opening=stored.opening)

    @classmethod
    def variation(cls, checkpoint: Checkpoint, stored: StoredRequest) -> Self:
        """Return the same request, header and all, at a higher temperature."""
        temperature = min(round(stored.sampling.temperature + WARMER, 2), cast("float", TEMPERATURE.le))
        sampling = stored.sampling.model_copy(update={"temperature": temperature, "seed": None})
        return cls.new(checkpoint, stored.prompt, stored.header, sampling, opening=stored.opening)

    @classmethod
    def continuation(cls, checkpoint: Checkpoint, stored: StoredRequest, number: int) -> Self:
        """Return the request for one song that goes on from song ``number`` of a request."""
        song = stored.songs[number]
        # A song that the model closed goes on with a new stanza, as the model would close it again otherwise.
        opening = f"{song.lyric}\n\n" if song.finish_reason == "stop" else f"{song.lyric}\n"
        sampling = stored.sampling.model_copy(update={"num_return_sequences": 1, "seed": None})
        return cls.new(checkpoint, stored.prompt, stored.header, sampling, opening=opening)

    def with_sampling(self, sampling: SamplingParams) -> Self:
        """Return the same request with other parameters."""
        return replace(self, request=replace(self.request, sampling=sampling))

    @property
    def for_model(self) -> Request:
        """The request as the model gets it."""
        return self.request if self.opening is None else replace(self.request, prompt=self.opening)


def check_prompt(prompt: str) -> None:
    """Raise ``NothingToSee`` where there is nothing to see in the prompt."""
    if not any(character.isprintable() and not character.isspace() for character in sendable(prompt)):
        raise NothingToSee("Please give the song some opening words.")
