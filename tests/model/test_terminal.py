import pytest

from model.terminal import for_terminal


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("two lanterns\n\ton the water\r\n", "two lanterns\n\ton the water\n"),
        ("\x1b[2J\x1b]0;owned\x07", "\ufffd[2J\ufffd]0;owned\ufffd"),
        ("over\rwritten \x08\x08\x00\x7f", "over\ufffdwritten \ufffd\ufffd\ufffd\ufffd"),
        ("\x9b31m", "\ufffd31m"),  # the one-byte form of what begins a command
        ("\u202eback\u2069 \u200fwards", "\ufffdback\ufffd \ufffdwards"),
        ("\ud800", "\ufffd"),
        ("é 月 👩\u200d🚀 क्\u200dष", "é 月 👩\u200d🚀 क्\u200dष"),  # joiners belong to how these are written
    ],
)
def test_nothing_that_a_terminal_would_obey_is_left(text: str, shown: str) -> None:
    assert for_terminal(text) == shown
    assert for_terminal(shown) == shown
