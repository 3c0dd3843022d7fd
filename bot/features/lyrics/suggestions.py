"""What is suggested while a member types a genre, a mood, a theme or an artist. No Discord in here."""

from collections.abc import Iterator

from model import Checkpoint

MAX_CHOICES = 25
MAX_CHOICE = 100
"""Discord's limits for suggestions, in all and in characters each."""


def suggest(checkpoint: Checkpoint, field: str, typed: str) -> list[tuple[str, str]]:
    """Return what to suggest for a header field, each as what is shown and what is sent.

    What was typed comes first, as any value may be asked for. Common values in the songs that the checkpoint learnt
    follow, the ones that begin with it before others. A checkpoint that did not learn the field says so.
    """
    typed = typed.strip()[:MAX_CHOICE]
    if field not in checkpoint.header_fields:
        return [(f"This model was not trained with a {field}: it will be left out", typed or field)]
    values = [value for value in checkpoint.header_values(field) if 0 < len(value) <= MAX_CHOICE]
    others = (value for value in _matching(values, typed.casefold()) if value != typed)
    return [(value, value) for value in [*filter(None, [typed]), *others]][:MAX_CHOICES]


def _matching(values: list[str], typed: str) -> Iterator[str]:
    yield from (value for value in values if value.casefold().startswith(typed))
    yield from (value for value in values if typed in value.casefold() and not value.casefold().startswith(typed))
