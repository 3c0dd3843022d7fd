"""The line of the log that says what was loaded, so that a wrong choice shows before the first song."""

import logging

from model.checkpoint.folder import Checkpoint
from model.checkpoint.tokenizer import SongTokenizer

log = logging.getLogger(__name__)

_MOST = 5
"""Tokens that are named."""


def log_self_check(checkpoint: Checkpoint, tokenizer: SongTokenizer, serving: str) -> None:
    """Log what a checkpoint is and how it is served; a warning where model and tokenizer do not fit.

    Args:
        checkpoint: Its weights are loaded, and all finite.
        tokenizer: Its tokenizer.
        serving: The precision, why it is that, and how many songs there may be.
    """
    kind = checkpoint.read_config().get("model_type", "unknown")
    log.log(
        logging.WARNING if tokenizer.beyond else logging.INFO,
        "%s: %s; songs %s; %s; all weights finite; %s",
        checkpoint.name,
        kind,
        _enclosed(tokenizer),
        _vocabulary(tokenizer),
        serving,
    )


def _enclosed(tokenizer: SongTokenizer) -> str:
    """Say which tokens enclose a song."""
    start = "open with no token" if tokenizer.start_id is None else f"open with {_named(tokenizer, tokenizer.start_id)}"
    ends = " or ".join(_named(tokenizer, number) for number in tokenizer.ends)
    return f"{start} and close with {ends or 'none, so that only their length ends them'}"


def _named(tokenizer: SongTokenizer, number: int) -> str:
    return f"{tokenizer.token(number)!r} ({number})"


def _vocabulary(tokenizer: SongTokenizer) -> str:
    """Hold the tokenizer's tokens against the model's ids."""
    found = f"{tokenizer.size:,} tokens"
    if tokenizer.lacking:
        found += f", and {len(tokenizer.lacking):,} ids of the model that are none and are never drawn"
    if tokenizer.beyond:
        named = ", ".join(map(repr, tokenizer.beyond[:_MOST]))
        more = " and more" if len(tokenizer.beyond) > _MOST else ""
        found += f", of which the model does not know {named}{more}: they are read as plain text"
    return found
