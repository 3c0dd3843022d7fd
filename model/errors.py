"""The errors a person may meet: each one's message is a plain sentence that says what to do."""

from pydantic import ValidationError


class LyricsError(Exception):
    """A failure that is explained to whoever caused or met it; ``str(error)`` is the sentence to show."""


class CheckpointError(LyricsError):
    """A checkpoint cannot be found, reached or loaded."""


class SettingsError(LyricsError):
    """What the host has set does not fit the machine or the model."""


class PromptTooLong(LyricsError):  # noqa: N818 - named for what happened, as discord.py's errors are
    """The prompt and its header leave the model no room to write in."""


class QueueFull(LyricsError):  # noqa: N818
    """As many requests wait as the service accepts."""


class ModelNotReady(LyricsError):  # noqa: N818
    """The service has not started, or it is closing."""


class GenerationStopped(LyricsError):  # noqa: N818
    """The service closed before the request was finished."""


class SongFailed(LyricsError):  # noqa: N818
    """The model could not write a song, by these settings at least."""


def describe_violations(error: ValidationError) -> str:
    """Render every violation that pydantic found as one line each, ``name: what is wrong (got value)``."""
    return "\n".join(
        f"{'.'.join(map(str, violation['loc'])) or 'input'}: {violation['msg']} (got {violation['input']!r})"
        for violation in error.errors()
    )
