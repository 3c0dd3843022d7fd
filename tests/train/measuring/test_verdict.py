"""Which checkpoints the bot is given unasked."""

import math

import pytest

from tests.conftest import VERSES
from train.measuring.evaluation import Evaluation, Language, Sample
from train.measuring.likelihood import Likelihood
from train.measuring.verdict import find_faults
from train.songs.table_on_disk import Songs

TEXT = tuple(Sample(0.7, "", verse) for verse in (*VERSES, VERSES[0]))
NOISE = tuple(Sample(0.7, "", "\ufffd\x1b[2J\x07 ~~#|\ufffd\ufffd 0\x00") for _ in range(3))


def evaluation(word_perplexity: float, name: str = "base") -> Evaluation:
    likelihood = Likelihood(nats=math.log(word_perplexity), tokens=1, words=1)
    return Evaluation(name, likelihood, None, Language.of([], Songs.of([])))


@pytest.mark.parametrize("after", [99.9, 100.0])
def test_what_is_no_worse_than_its_base_and_writes_text_is_served(after: float) -> None:
    assert find_faults(evaluation(after), evaluation(100.0), TEXT) == ()


@pytest.mark.parametrize(("after", "said"), [(100.1, "100.1"), (float("inf"), "1.0142e+304"), (float("nan"), "nan")])
def test_what_is_worse_than_its_base_is_not_and_says_by_how_much(after: float, said: str) -> None:
    assert find_faults(evaluation(after), evaluation(100.0, "gpt2"), TEXT) == (
        f"it foresees the songs held out worse than gpt2, with a perplexity per word of {said} instead of 100",
    )


def test_what_writes_no_text_is_not_served_whatever_it_foresees() -> None:
    assert find_faults(evaluation(1.0), None, NOISE) == ("of 3 samples, none can be read as text",)
    assert find_faults(evaluation(1.0), evaluation(2.0), (*NOISE[:2], *TEXT[:1])) == (
        "of 3 samples, 1 can be read as text",
    )
    assert find_faults(evaluation(1.0), None, (*NOISE[:1], *TEXT[:2])) == ()
